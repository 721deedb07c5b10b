//! The real disk behind [`event::seam::Storage`].
//!
//! Nothing is cached here and nothing is retried: what the operating system says is what the log hears.

use std::{
    ffi::CString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use event::seam::{Storage, StorageFile};

/// Files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

struct DiskFile(File);

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Box::new(DiskFile(file)))
    }

    fn open_at(&self, path: &Path, len: u64) -> io::Result<Box<dyn StorageFile>> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        file.seek(SeekFrom::Start(len))?;
        Ok(Box::new(DiskFile(file)))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_range(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(len);
        file.take(len as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let path = CString::new(dir.as_os_str().as_bytes()).map_err(io::Error::other)?;
        let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
        // SAFETY: `path` is a NUL-terminated string and `stat` is writable memory of the right size for the call.
        if unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so it filled the structure; and all-zero is valid for it anyway.
        let stat = unsafe { stat.assume_init() };
        Ok(stat.f_bavail * stat.f_frsize)
    }
}

impl StorageFile for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_cuts_reads_and_lists() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut file = Disk.create(&path).unwrap();
        file.append(b"hello world").unwrap();
        file.sync().unwrap();
        assert_eq!(Disk.create(&path).err().map(|error| error.kind()), Some(io::ErrorKind::AlreadyExists));
        let mut file = Disk.open_at(&path, 5).unwrap();
        file.append(b"!").unwrap();
        assert_eq!(Disk.read(&path).unwrap(), b"hello!");
        assert_eq!(Disk.read_range(&path, 4, 100).unwrap(), b"o!");
        assert_eq!(Disk.list(dir.path()).unwrap(), ["a"]);
        let folder = dir.path().join("b/c");
        Disk.create_dir_all(&folder).unwrap();
        Disk.rename(&path, &folder.join("d")).unwrap();
        Disk.rename(&folder.join("d"), &path).unwrap();
        fs::remove_dir_all(dir.path().join("b")).unwrap();
        Disk.sync_dir(dir.path()).unwrap();
        assert!(Disk.free_bytes(dir.path()).unwrap() > 0);
        Disk.remove(&path).unwrap();
        assert!(Disk.list(dir.path()).unwrap().is_empty());
    }
}
