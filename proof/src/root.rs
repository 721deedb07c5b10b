//! Roots: what is signed once an hour, and the line that carries a root out of the house.
//!
//! A root's hash is over the bytes of its statement, so that it can be printed, typed back and compared without the signature.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{
    Hash,
    codec::{from_hex, to_hex},
};

const ROOT: &str = "chieng.proof 1 root";
/// Bytes of a hash that the anchor line shows: 128 bits cannot be met again by trying.
const SHOWN: usize = 16;
/// First word of an anchor line.
const MARK: &str = "CHIENG-ROOT";

/// What a root says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub version: u32,
    pub node: String,
    /// Counted from 1 over the life of the data directory.
    pub number: u64,
    /// Start of the hour of its first block, microseconds.
    pub hour: i64,
    /// Log sequences since the root before: behind `after`, through `through`.
    pub after: u64,
    pub through: u64,
    pub blocks: u64,
    pub rows: u64,
    /// The chain after everything that stands before this root in the journals.
    #[serde(with = "crate::codec::hex")]
    pub chain: Hash,
    /// Hash of the root before; zeros for the first.
    #[serde(with = "crate::codec::hex")]
    pub previous: Hash,
    /// By the server's clock.
    pub signed_at: i64,
    #[serde(with = "crate::codec::hex")]
    pub key: [u8; 32],
}

/// A statement as it was signed, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRoot {
    pub statement: String,
    #[serde(with = "crate::codec::hex")]
    pub signature: [u8; 64],
}

impl SignedRoot {
    pub fn sign(statement: &Statement, key: &SigningKey) -> Self {
        let text = serde_json::to_string(statement).unwrap_or_default();
        let signature = key.sign(text.as_bytes()).to_bytes();
        Self { statement: text, signature }
    }

    pub fn hash(&self) -> Hash {
        crate::hash(ROOT, &[self.statement.as_bytes()])
    }

    /// Reads the statement; the reason when it is none.
    pub fn read(&self) -> Result<Statement, String> {
        let statement: Statement =
            serde_json::from_str(&self.statement).map_err(|error| format!("a root that cannot be read: {error}"))?;
        if statement.version != 1 {
            return Err(format!("a root of version {}, this program reads 1", statement.version));
        }
        Ok(statement)
    }

    /// Checks the signature with a public key.
    pub fn is_signed_by(&self, key: &[u8; 32]) -> bool {
        is_signed(key, self.statement.as_bytes(), &self.signature)
    }
}

pub fn is_signed(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

/// A root's number and the beginning of its hash, as they were seen outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub node: String,
    pub number: u64,
    pub hash: [u8; SHOWN],
}

impl Anchor {
    pub fn of(node: &str, number: u64, hash: &Hash) -> Self {
        let mut shown = [0; SHOWN];
        shown.copy_from_slice(&hash[..SHOWN]);
        Self { node: node.to_owned(), number, hash: shown }
    }

    pub fn fits(&self, hash: &Hash) -> bool {
        self.hash == hash[..SHOWN]
    }

    /// One line that can be sent, printed, written down and typed back: the hash in groups of four, then four digits that show a
    /// slip of the pen.
    pub fn line(&self) -> String {
        let digits = to_hex(&self.hash);
        let groups: Vec<&str> = (0..digits.len()).step_by(4).filter_map(|at| digits.get(at..at + 4)).collect();
        format!("{MARK} {} {} {} {:04x}", self.node, self.number, groups.join("-"), self.slip())
    }

    fn slip(&self) -> u16 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(self.node.as_bytes());
        hasher.update(&self.number.to_le_bytes());
        hasher.update(&self.hash);
        let sum = hasher.finalize();
        (sum >> 16) as u16 ^ sum as u16
    }

    /// Finds an anchor anywhere in a line of text (a mail, a syslog file, a note); `None` when there is none, the reason when it
    /// was mistyped.
    pub fn find(line: &str) -> Option<Result<Self, String>> {
        let mut words = line.split_once(MARK)?.1.split_ascii_whitespace();
        let mut next = || words.next().unwrap_or_default().to_owned();
        let [node, number, groups, slip] = std::array::from_fn(|_| next());
        let digits: String = groups.chars().filter(|letter| *letter != '-').collect();
        let (Ok(number), Some(hash)) = (number.parse(), from_hex(&digits)) else {
            return Some(Err(format!("{MARK} without node, number and 32 digits: {:?}", line.trim())));
        };
        let anchor = Self { node, number, hash };
        let typed = slip.get(..4).and_then(from_hex::<2>).map(u16::from_be_bytes);
        if typed != Some(anchor.slip()) {
            return Some(Err(format!("the check digits of root {number} do not fit: a digit was mistyped or changed")));
        }
        Some(Ok(anchor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        Statement {
            version: 1,
            node: "n1".into(),
            number: 7,
            hour: 0,
            after: 1,
            through: 5,
            blocks: 2,
            rows: 10,
            chain: [3; 32],
            previous: [4; 32],
            signed_at: 9,
            key: [5; 32],
        }
    }

    #[test]
    fn signed_and_changed() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let public = key.verifying_key().to_bytes();
        let root = SignedRoot::sign(&statement(), &key);
        assert!(root.is_signed_by(&public));
        assert_eq!(root.read(), Ok(statement()));
        let changed = SignedRoot { statement: root.statement.replace("\"rows\":10", "\"rows\":11"), ..root.clone() };
        assert!(!changed.is_signed_by(&public));
        assert_ne!(changed.hash(), root.hash());
        assert!(!root.is_signed_by(&SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes()));
    }

    #[test]
    fn an_anchor_is_found_in_any_line_and_slips_are_seen() {
        let anchor = Anchor::of("n1", 42, &[0xAB; 32]);
        let line = anchor.line();
        assert!(line.starts_with("CHIENG-ROOT n1 42 abab-abab-abab-abab-abab-abab-abab-abab "), "{line}");
        assert_eq!(Anchor::find(&format!("<110>1 2026 host chieng - - - {line}\r\n")), Some(Ok(anchor.clone())));
        assert_eq!(Anchor::find(&line.to_uppercase().replace("N1", "n1")), Some(Ok(anchor)));
        assert!(matches!(Anchor::find(&line.replacen("abab", "abaa", 1)), Some(Err(_))));
        assert!(matches!(Anchor::find("CHIENG-ROOT n1"), Some(Err(_))));
        assert_eq!(Anchor::find("nothing"), None);
    }
}
