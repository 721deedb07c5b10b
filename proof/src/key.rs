//! The key that signs: 32 secret bytes in a file that only its owner reads, and the public key as one line of text.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use ed25519_dalek::SigningKey;

use crate::{
    Error, Result,
    codec::{from_hex, to_hex},
};

/// Names in the proof folder.
pub const KEY_FILE: &str = "signing-key";
/// Where an operator moves the old key to when the key is changed, so that it can sign for the new one.
pub const KEY_FILE_PREVIOUS: &str = "signing-key.previous";
pub const PUBLIC_KEY_FILE: &str = "public-key.txt";

const MARK: &str = "chieng-ed25519";

/// Reads the key, making it when there is none.
pub fn load_or_create(dir: &Path) -> Result<SigningKey> {
    let path = dir.join(KEY_FILE);
    match load(&path)? {
        Some(key) => Ok(key),
        None => create(&path),
    }
}

/// Reads a key; `None` when there is no such file.
pub fn load(path: &Path) -> Result<Option<SigningKey>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read the signing key", path)(error)),
    };
    let reason = format!("{} bytes found, 32 expected", bytes.len());
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| Error::Key { place: path.display().to_string(), reason })?;
    Ok(Some(SigningKey::from_bytes(&bytes)))
}

fn create(path: &Path) -> Result<SigningKey> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| Error::Key {
        place: path.display().to_string(),
        reason: format!("the operating system gives no random bytes: {error}"),
    })?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(&secret).and_then(|()| file.sync_all()));
    written.map_err(Error::file("write the signing key", path))?;
    Ok(SigningKey::from_bytes(&secret))
}

/// The public key as a line.
pub fn public_line(key: &[u8; 32]) -> String {
    format!("{MARK} {}\n", to_hex(key))
}

/// Reads a public key out of text: the line above, or the bare digits.
pub fn parse_public(place: &str, text: &str) -> Result<[u8; 32]> {
    let digits = text.split_ascii_whitespace().find_map(from_hex);
    digits.ok_or_else(|| Error::Key { place: place.to_owned(), reason: format!("no line `{MARK} …` with 64 digits") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let key = load_or_create(dir.path()).unwrap();
        assert_eq!(load_or_create(dir.path()).unwrap().to_bytes(), key.to_bytes());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let public = key.verifying_key().to_bytes();
        assert_eq!(parse_public("x", &public_line(&public)).unwrap(), public);
        fs::write(dir.path().join(KEY_FILE), b"short").unwrap();
        let error = load_or_create(dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("5 bytes found, 32 expected"), "{error}");
    }
}
