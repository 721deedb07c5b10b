//! How secrets that people or programs present (session, ack, ingest and set-up tokens) are kept: only as a hash.
//!
//! They are random and long, so one fast hash is right; passwords are people's choice and go through argon2 in
//! `dashboards`, never through here.

/// Returns the hash under which a random token is stored and looked up.
pub fn hash(token: &str) -> String {
    blake3::Hasher::new_derive_key("chieng state 2026-11 token hash").update(token.as_bytes()).finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_hash_is_stable_and_not_the_token() {
        assert_eq!(super::hash("abc"), super::hash("abc"));
        assert_ne!(super::hash("abc"), super::hash("abd"));
        assert!(!super::hash("abc").contains("abc"));
        assert_eq!(super::hash("abc").len(), 64);
    }
}
