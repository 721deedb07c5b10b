//! The objects of the cold store: a folder or a bucket behind `object_store`, and blocks of them that were read lately.

use std::{
    collections::HashMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Weak},
};

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path as Location};
use tokio::runtime::Handle;

use super::{ColdOptions, Leaving};
use crate::{Error, Result, Segment, locked, store::blocking};

/// What is fetched at least: a question reads a few pages that stand together.
pub(super) const BLOCK_BYTES: u64 = 1 << 20;
/// Blocks kept for the next question, 64 MiB.
const BLOCKS_MAX: usize = 64;

/// The cold store of one data directory.
pub(crate) struct ColdFiles {
    pub(super) options: ColdOptions,
    objects: Arc<dyn ObjectStore>,
    /// Objects are below it.
    prefix: Location,
    /// The same as text, without a slash at its end.
    base: String,
    /// The folder, where it is one: read directly.
    pub(super) folder: Option<PathBuf>,
    runtime: Handle,
    blocks: Mutex<Blocks>,
    leaving: Mutex<Vec<Leaving>>,
}

impl ColdFiles {
    /// Opens what the URL names, a folder that is not there is made. Asks nothing of the network.
    pub fn open(options: ColdOptions) -> Result<Self> {
        if let Some(folder) = options.url.strip_prefix("file:///") {
            let folder = Path::new("/").join(folder);
            std::fs::create_dir_all(&folder).map_err(Error::file("create the folder of the cold store", &folder))?;
        }
        Self::open_to_read(options)
    }

    /// Opens what the URL names and makes nothing. A folder that is not there is like one without files: each segment in it is missing
    /// by its own path.
    pub fn open_to_read(options: ColdOptions) -> Result<Self> {
        let base = options.url.trim_end_matches('/').to_owned();
        if let Some(path) = base.strip_prefix("file://") {
            let folder = PathBuf::from(path);
            if !folder.is_absolute() {
                return Err(Error::ColdUrl { url: options.url, why: "a folder is written file:///with/its/whole/path".into() });
            }
            // Files of a folder are read by their path.
            let objects = match folder.is_dir() {
                true => LocalFileSystem::new_with_prefix(&folder)
                    .map_err(Error::segment("open the cold store for", &folder.to_string_lossy()))?,
                false => LocalFileSystem::new(),
            };
            return Ok(Self::with(options, Arc::new(objects), Location::default(), Some(folder)));
        }
        if base.starts_with("s3://") {
            let (objects, prefix) = bucket(&options)?;
            return Ok(Self::with(options, objects, prefix, None));
        }
        Err(Error::ColdUrl { url: options.url, why: "it begins with neither file:// nor s3://".into() })
    }

    /// With objects that are open already.
    pub fn with(options: ColdOptions, objects: Arc<dyn ObjectStore>, prefix: Location, folder: Option<PathBuf>) -> Self {
        let base = options.url.trim_end_matches('/').to_owned();
        Self {
            options,
            objects,
            prefix,
            base,
            folder,
            runtime: Handle::current(),
            blocks: Mutex::default(),
            leaving: Mutex::default(),
        }
    }

    pub fn url_of(&self, location: &str) -> String {
        format!("{}/{location}", self.base)
    }

    /// The location below the base; an error for an object of another cold store.
    pub fn location_of<'u>(&self, url: &'u str) -> Result<&'u str, String> {
        let below = url.strip_prefix(self.base.as_str()).and_then(|rest| rest.strip_prefix('/'));
        below.ok_or_else(|| format!("{url} is not in the cold store that is configured, {}", self.base))
    }

    fn object(&self, location: &str) -> Location {
        location.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }

    pub async fn begin(&self, location: &str) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.clear_staged(location).await;
        self.objects.put_multipart(&self.object(location)).await
    }

    pub async fn range(&self, location: &str, range: Range<u64>) -> object_store::Result<Bytes> {
        self.objects.get_range(&self.object(location), range).await
    }

    pub async fn length(&self, location: &str) -> object_store::Result<u64> {
        Ok(self.objects.head(&self.object(location)).await?.size)
    }

    /// Makes a finished copy durable; a bucket's are when the upload is complete.
    pub async fn sync(&self, location: &str) -> Result<()> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let path = folder.join(location);
        blocking("syncing a copy", move || crate::data::sync(&path, &folder).map_err(Error::file("sync the copy", &path))).await
    }

    pub async fn remove(&self, url: &str) -> Result<()> {
        let location = self.location_of(url).map_err(Error::segment("remove from the cold store", url))?;
        locked(&self.blocks).forget(location);
        self.clear_staged(location).await;
        match self.objects.delete(&self.object(location)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::segment("remove from the cold store", url)(error)),
        }
    }

    /// Removes what a killed process left of a copy into a folder: `object_store` writes `name#1` and renames. A bucket keeps
    /// parts of unfinished uploads to itself; a life-cycle rule there clears them.
    async fn clear_staged(&self, location: &str) {
        let Some(path) = self.folder.as_deref().map(|folder| path_in(folder, location)) else { return };
        let clear = move || {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
            let staged = format!("{}#", name.to_string_lossy());
            for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(&staged) {
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        };
        // What cannot be removed is in nobody's way.
        let _ = tokio::task::spawn_blocking(clear).await;
    }

    pub fn leave(&self, reader: Weak<Segment>, url: String) {
        locked(&self.leaving).push((reader, url));
    }

    /// True while somebody holds a dropped segment of that object.
    pub fn is_read(&self, url: &str) -> bool {
        let mut leaving = locked(&self.leaving);
        leaving.retain(|(reader, _)| reader.strong_count() > 0);
        leaving.iter().any(|(_, left)| left == url)
    }

    /// Reads bytes through the blocks; for threads that may block.
    pub(super) fn read(&self, location: &str, range: Range<u64>, length: u64) -> std::io::Result<Bytes> {
        let first = range.start / BLOCK_BYTES;
        let last = range.end.saturating_sub(1).max(range.start) / BLOCK_BYTES;
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        let mut at = first;
        while at <= last {
            if locked(&self.blocks).get(location, at).is_none() {
                let missing = (at..=last).take_while(|at| locked(&self.blocks).get(location, *at).is_none()).take(BLOCKS_MAX / 2);
                let end = missing.last().unwrap_or(at) + 1;
                let span = at * BLOCK_BYTES..(end * BLOCK_BYTES).min(length);
                let fetched = self.runtime.block_on(self.range(location, span.clone())).map_err(std::io::Error::other)?;
                if fetched.len() as u64 != span.end - span.start {
                    let what = format!("{location} gave {} bytes of {} at {}", fetched.len(), span.end - span.start, span.start);
                    return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, what));
                }
                let mut blocks = locked(&self.blocks);
                for (number, from) in (at..end).zip((0..fetched.len()).step_by(BLOCK_BYTES as usize)) {
                    let to = (from + BLOCK_BYTES as usize).min(fetched.len());
                    // A copy of its own, so that one block does not keep all of them.
                    blocks.put(location, number, Bytes::copy_from_slice(&fetched[from..to]));
                }
            }
            // Another reader may have pushed it out meanwhile: then it is fetched again.
            let Some(block) = locked(&self.blocks).get(location, at) else { continue };
            let start = at * BLOCK_BYTES;
            let from = range.start.max(start) - start;
            let to = (range.end.min(start + block.len() as u64)).saturating_sub(start);
            bytes.extend_from_slice(&block[from as usize..to as usize]);
            at += 1;
        }
        Ok(bytes.into())
    }
}

#[cfg(feature = "s3")]
fn bucket(options: &ColdOptions) -> Result<(Arc<dyn ObjectStore>, Location)> {
    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
    let bad = |why: String| Error::ColdUrl { url: options.url.clone(), why };
    let mut builder = AmazonS3Builder::from_env().with_url(&options.url);
    for (name, value) in &options.options {
        let key: AmazonS3ConfigKey = name.parse().map_err(|_| bad(format!("the object store has no option {name}")))?;
        builder = builder.with_config(key, value);
    }
    let objects = builder.build().map_err(|error| bad(error.to_string()))?;
    let rest = options.url.trim_start_matches("s3://").trim_end_matches('/');
    let prefix = rest.split_once('/').map_or("", |(_, prefix)| prefix);
    Ok((Arc::new(objects), Location::from(prefix)))
}

#[cfg(not(feature = "s3"))]
fn bucket(options: &ColdOptions) -> Result<(Arc<dyn ObjectStore>, Location)> {
    let why = "this build knows folders only; build chieng with the feature `s3`".into();
    Err(Error::ColdUrl { url: options.url.clone(), why })
}

/// Blocks by (location, number), the least lately used goes first.
#[derive(Default)]
struct Blocks {
    by_key: HashMap<(String, u64), (Bytes, u64)>,
    clock: u64,
}

impl Blocks {
    fn get(&mut self, location: &str, number: u64) -> Option<Bytes> {
        self.clock += 1;
        let (bytes, used) = self.by_key.get_mut(&(location.to_owned(), number))?;
        *used = self.clock;
        Some(bytes.clone())
    }

    fn put(&mut self, location: &str, number: u64, bytes: Bytes) {
        self.clock += 1;
        self.by_key.insert((location.to_owned(), number), (bytes, self.clock));
        while self.by_key.len() > BLOCKS_MAX {
            let oldest = self.by_key.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.by_key.remove(&oldest);
        }
    }

    fn forget(&mut self, location: &str) {
        self.by_key.retain(|(of, _), _| of != location);
    }
}

/// Path of an object in a folder.
pub(super) fn path_in(folder: &Path, location: &str) -> PathBuf {
    folder.join(location)
}
