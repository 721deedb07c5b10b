//! A folder as one stream: POSIX ustar, the plainest archive that every system opens.
//!
//! Only regular files, with names under 100 bytes that the program itself has chosen.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

const BLOCK: usize = 512;
const CHUNK: usize = 256 << 10;

/// Writes the files of a folder and of its folders, in the order of their names, below `name`.
pub fn write(folder: &Path, name: &str, out: &mut dyn Write) -> io::Result<()> {
    entries(folder, name, out)?;
    out.write_all(&[0; 2 * BLOCK])
}

fn entries(folder: &Path, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut found = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    found.sort_by_key(fs::DirEntry::file_name);
    for entry in found {
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            entries(&entry.path(), &name, out)?;
        } else {
            file(&entry.path(), &name, out)?;
        }
    }
    Ok(())
}

fn file(path: &Path, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    out.write_all(&header(name, size).ok_or_else(|| io::Error::other(format!("{name} does not fit into an archive")))?)?;
    let mut buffer = vec![0; CHUNK];
    let mut left = size;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK);
        let len = file.read(&mut buffer[..most])?;
        if len == 0 {
            return Err(io::Error::other(format!("{name} became shorter")));
        }
        out.write_all(&buffer[..len])?;
        left -= len as u64;
    }
    let rest = (BLOCK - (size % BLOCK as u64) as usize) % BLOCK;
    out.write_all(&[0; BLOCK][..rest])
}

/// `None` when name or size have no place in the format.
fn header(name: &str, size: u64) -> Option<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header.get_mut(at..at + bytes.len()).map(|place| place.copy_from_slice(bytes));
    let size = format!("{size:011o}");
    if name.len() > 99 || size.len() > 11 {
        return None;
    }
    put(0, name.as_bytes())?;
    for (at, text) in [(100, "0000644"), (108, "0000000"), (116, "0000000"), (136, "00000000000"), (156, "0")] {
        put(at, text.as_bytes())?;
    }
    put(124, size.as_bytes())?;
    put(148, b"        ")?;
    put(257, b"ustar\x0000")?;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_programs_open_it() {
        let dir = std::env::temp_dir().join(format!("chieng-tar-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("in/rows")).unwrap();
        fs::write(dir.join("in/manifest.json"), "{}").unwrap();
        fs::write(dir.join("in/rows/0001.parquet"), vec![7; 1_500]).unwrap();
        fs::write(dir.join("in/rows/0002.parquet"), vec![8; 512]).unwrap();
        let mut out = Vec::new();
        write(&dir.join("in"), "packet-1", &mut out).unwrap();
        assert_eq!(out.len() % BLOCK, 0);
        fs::write(dir.join("packet.tar"), &out).unwrap();
        let done = std::process::Command::new("tar").args(["-xf", "packet.tar"]).current_dir(&dir).output().unwrap();
        assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
        assert_eq!(fs::read(dir.join("packet-1/rows/0001.parquet")).unwrap(), vec![7; 1_500]);
        assert_eq!(fs::read(dir.join("packet-1/rows/0002.parquet")).unwrap(), vec![8; 512]);
        assert_eq!(fs::read(dir.join("packet-1/manifest.json")).unwrap(), b"{}");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        assert!(header(&"x".repeat(100), 1).is_none() && header(&"x".repeat(99), 1).is_some());
        assert!(header("x", 8_u64.pow(11)).is_none());
    }
}
