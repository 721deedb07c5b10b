//! Whether a folder's content is what it was: one number over names and bytes. Not for security.
//!
//! Times are not looked at: a checkout, a branch switched forth and back or a build that wrote the same bytes changes nothing.

use std::{fs, io, path::Path};

/// FNV-1a of 64 bits, over the paths in order; a path that does not exist counts as empty. Hidden files and `*.test.ts` are
/// left out: no build reads them.
pub fn of(paths: &[&Path]) -> io::Result<u64> {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for path in paths {
        add(path, &mut hash)?;
    }
    Ok(hash)
}

fn add(path: &Path, hash: &mut u64) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with('.') || name.ends_with(".test.ts") || !path.exists() {
        return Ok(());
    }
    mix(name.as_bytes(), hash);
    if !path.is_dir() {
        mix(&fs::read(path)?, hash);
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| add(entry, hash))
}

/// The length goes in first, so that two neighbours cannot exchange bytes unseen.
fn mix(bytes: &[u8], hash: &mut u64) {
    for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
        *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_and_names_count_and_times_do_not() {
        let dir = std::env::temp_dir().join(format!("chieng-stamp-{}", std::process::id()));
        fs::create_dir_all(dir.join("src")).expect("a folder");
        let write = |name: &str, text: &str| fs::write(dir.join(name), text).expect("write");
        let now = || of(&[&dir.join("src"), &dir.join("absent")]).expect("read");
        write("src/a.ts", "one");
        let first = now();
        write("src/a.ts", "one");
        write("src/a.test.ts", "a test is not built");
        assert_eq!(now(), first);
        write("src/a.ts", "two");
        assert_ne!(now(), first);
        write("src/a.ts", "one");
        write("src/b.ts", "");
        assert_ne!(now(), first);
        fs::remove_dir_all(&dir).expect("clean up");
    }
}
