//! The files of segments: written and removed through [`Storage`], so that the simulator may stand in; read as objects.
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
use event::seam::{Storage, StorageFile};
use object_store::{ObjectStore, local::LocalFileSystem};

use crate::{Error, Result};

#[derive(Clone)]
pub(crate) struct DataFiles {
    storage: Arc<dyn Storage>,
    objects: Arc<dyn ObjectStore>,
    root: PathBuf,
}

impl DataFiles {
    pub fn open(root: &Path, storage: Arc<dyn Storage>) -> Result<Self> {
        fs::create_dir_all(root).map_err(Error::file("create the segment folder", root))?;
        let objects =
            LocalFileSystem::new_with_prefix(root).map_err(Error::segment("open the folder of", &root.to_string_lossy()))?;
        Ok(Self { storage, objects: Arc::new(objects), root: root.to_owned() })
    }

    /// The same files, for readers.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects)
    }

    pub fn path(&self, location: &str) -> PathBuf {
        self.root.join(location)
    }

    /// Writes a whole file and makes it durable.
    pub async fn put(&self, location: &str, bytes: Bytes) -> Result<()> {
        let (files, location) = (self.clone(), location.to_owned());
        let put = tokio::task::spawn_blocking(move || files.put_blocking(&location, &bytes)).await;
        put.map_err(|_| Error::Stopped("writing a segment"))?
    }

    /// Starts a file that becomes visible under its name by [`DataFiles::keep`]. Blocking.
    pub fn create(&self, location: &str) -> Result<Box<dyn StorageFile>> {
        let path = self.part(location);
        let folder = path.parent().unwrap_or(&self.root);
        self.storage.create_dir_all(folder).map_err(Error::file("create the segment folder", folder))?;
        // What an earlier try left.
        let _ = self.storage.remove(&path);
        self.storage.create(&path).map_err(Error::file("create", path))
    }

    /// Gives a file that was written whole and synced its name, durably. Blocking.
    pub fn keep(&self, location: &str) -> Result<()> {
        let (part, path) = (self.part(location), self.path(location));
        self.storage.rename(&part, &path).map_err(Error::file("rename", part))?;
        let mut folder = path.parent();
        while let Some(dir) = folder.filter(|dir| dir.starts_with(&self.root)) {
            self.storage.sync_dir(dir).map_err(Error::file("sync", dir))?;
            folder = dir.parent();
        }
        Ok(())
    }

    /// Writes a whole file and makes it durable. Blocking.
    pub fn put_blocking(&self, location: &str, bytes: &[u8]) -> Result<()> {
        let mut file = self.create(location)?;
        file.append(bytes).and_then(|()| file.sync()).map_err(Error::file("write", self.part(location)))?;
        self.keep(location)
    }

    /// Removes a file that was not published, whole or not; what stays goes at the next start. Blocking.
    pub fn discard(&self, location: &str) {
        for path in [self.part(location), self.path(location)] {
            let _ = self.storage.remove(&path);
        }
    }

    fn part(&self, location: &str) -> PathBuf {
        self.root.join(format!("{location}.part"))
    }

    pub async fn remove(&self, location: &str) -> Result<()> {
        let (storage, path) = (Arc::clone(&self.storage), self.path(location));
        let removed = tokio::task::spawn_blocking(move || (storage.remove(&path), path)).await;
        match removed.map_err(|_| Error::Stopped("removing a segment"))? {
            (Ok(()), _) => Ok(()),
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            (Err(error), path) => Err(Error::file("remove", path)(error)),
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
                    self.storage.remove(&path)?;
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
