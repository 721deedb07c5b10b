//! The files of segments, written and removed through `object_store`.
//!
//! A file appears under its name only when it is whole (written aside, then renamed), and [`DataFiles::put`] returns only when
//! file and folder entries are on stable storage. A file that the catalogue does not name is an orphan of a crash:
//! [`DataFiles::remove_orphans`] takes it away at start.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, local::LocalFileSystem, path::Path as Location};

use crate::{Error, Result};

#[derive(Debug)]
pub(crate) struct DataFiles {
    objects: Arc<dyn ObjectStore>,
    root: PathBuf,
}

impl DataFiles {
    pub fn open(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).map_err(Error::file("create the segment folder", root))?;
        let objects =
            LocalFileSystem::new_with_prefix(root).map_err(Error::segment("open the folder of", &root.to_string_lossy()))?;
        Ok(Self { objects: Arc::new(objects), root: root.to_owned() })
    }

    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects)
    }

    pub fn path(&self, location: &str) -> PathBuf {
        self.root.join(location)
    }

    /// Writes a whole file and makes it durable.
    pub async fn put(&self, location: &str, bytes: Bytes) -> Result<()> {
        let put = self.objects.put(&Location::from(location), PutPayload::from_bytes(bytes)).await;
        put.map_err(Error::segment("write", location))?;
        // object_store renames into place but syncs nothing.
        let path = self.path(location);
        let root = self.root.clone();
        let synced = tokio::task::spawn_blocking(move || sync(&path, &root)).await;
        synced.map_err(|_| Error::Stopped("syncing a segment"))?.map_err(Error::segment("sync", location))
    }

    /// Starts a file that becomes visible under its name by [`DataFiles::keep`]. Blocking.
    pub fn create(&self, location: &str) -> Result<File> {
        let path = self.part(location);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(Error::file("create the segment folder", folder))?;
        File::create(&path).map_err(Error::file("create", path))
    }

    /// Gives a file that was written whole and synced its name, durably. Blocking.
    pub fn keep(&self, location: &str) -> Result<()> {
        let (part, path) = (self.part(location), self.path(location));
        fs::rename(&part, &path).map_err(Error::file("rename", part))?;
        sync(&path, &self.root).map_err(Error::file("sync", path))
    }

    /// Writes a whole file and makes it durable. Blocking.
    pub fn put_blocking(&self, location: &str, bytes: &[u8]) -> Result<()> {
        let mut file = self.create(location)?;
        io::Write::write_all(&mut file, bytes)
            .and_then(|()| file.sync_all())
            .map_err(Error::file("write", self.part(location)))?;
        self.keep(location)
    }

    /// Removes a file that was not published, whole or not; what stays goes at the next start. Blocking.
    pub fn discard(&self, location: &str) {
        for path in [self.part(location), self.path(location)] {
            let _ = fs::remove_file(path);
        }
    }

    fn part(&self, location: &str) -> PathBuf {
        self.root.join(format!("{location}.part"))
    }

    pub async fn remove(&self, location: &str) -> Result<()> {
        match self.objects.delete(&Location::from(location)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::segment("remove", location)(error)),
        }
    }

    /// Removes every file whose location is not in `known` and returns how many; also tells the size of each known file that
    /// is there. Blocking.
    pub fn remove_orphans(&self, known: &HashMap<String, u64>) -> io::Result<(usize, HashMap<String, u64>)> {
        let mut found = HashMap::new();
        let mut removed = 0;
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let path = entry.path();
                let location = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
                if known.contains_key(&location) {
                    found.insert(location, entry.metadata()?.len());
                } else {
                    fs::remove_file(&path)?;
                    removed += 1;
                }
            }
        }
        Ok((removed, found))
    }
}

/// Makes a file and the folders from it up to `root` durable. Blocking.
pub(crate) fn sync(path: &Path, root: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    let mut folder = path.parent();
    while let Some(dir) = folder.filter(|dir| dir.starts_with(root)) {
        File::open(dir)?.sync_all()?;
        folder = dir.parent();
    }
    Ok(())
}
