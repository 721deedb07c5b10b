//! Who may send over HTTP: the seam at which the program looks tokens up, and the tokens of the configuration.

use std::sync::Arc;

use event::seam::BoxFuture;
use subtle::ConstantTimeEq;

use crate::Sources;

/// The answer to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Granted,
    /// Nobody knows the token: 401.
    Unknown,
    /// A good token, for another source: 403.
    OtherSource,
    /// The token could not be looked up: 503, the sender tries again.
    Unavailable,
}

/// Answers whether a token may send as a source. The program joins the configuration's tokens ([`ConfiguredTokens`]) with
/// those in its database behind it.
pub trait TokenCheck: Send + Sync {
    /// Compares in constant time; says nothing of the token in logs or errors.
    fn check<'a>(&'a self, source: &'a str, token: &'a str) -> BoxFuture<'a, Access>;

    /// Answers whose token it is, for protocols that name no source. The token decides; `named` (a user name, the id of a
    /// key) only chooses where one token is good for several sources.
    fn identify<'a>(&'a self, token: &'a str, named: &'a str) -> BoxFuture<'a, Identity>;
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Source(String),
    /// Nobody knows the token: 401.
    Unknown,
    /// The token could not be looked up: 503, the sender tries again.
    Unavailable,
}

/// BLAKE3 of a token: what is kept and compared, so that neither length nor prefix shows in the time taken.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub fn of(token: &str) -> Self {
        Self(*blake3::hash(token.as_bytes()).as_bytes())
    }

    pub fn matches(&self, token: &str) -> bool {
        self.0.ct_eq(&Self::of(token).0).into()
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// The tokens that the configuration names, one a source.
pub struct ConfiguredTokens(pub Arc<Sources>);

impl ConfiguredTokens {
    /// Answers at once; walks every source, so that the time does not tell which one matched.
    pub fn look_up(&self, source: &str, token: &str) -> Access {
        let table = self.0.load();
        let mut access = Access::Unknown;
        for one in table.all() {
            let Some(hash) = one.token else { continue };
            if hash.matches(token) {
                access = if one.name == source || access == Access::Granted { Access::Granted } else { Access::OtherSource };
            }
        }
        access
    }

    /// The source of a token, the one called `named` before others; walks every source as well.
    pub fn source_of(&self, token: &str, named: &str) -> Identity {
        let table = self.0.load();
        let mut found = Identity::Unknown;
        for one in table.all() {
            let Some(hash) = one.token else { continue };
            if hash.matches(token) && (found == Identity::Unknown || one.name == named) {
                found = Identity::Source(one.name.clone());
            }
        }
        found
    }
}

impl TokenCheck for ConfiguredTokens {
    fn check<'a>(&'a self, source: &'a str, token: &'a str) -> BoxFuture<'a, Access> {
        Box::pin(std::future::ready(self.look_up(source, token)))
    }

    fn identify<'a>(&'a self, token: &'a str, named: &'a str) -> BoxFuture<'a, Identity> {
        Box::pin(std::future::ready(self.source_of(token, named)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        SourceTable,
        settings::{Secret, SourceSettings},
    };

    #[test]
    fn a_token_opens_its_own_source() {
        let dir = tempfile::tempdir().unwrap();
        let settings: Vec<_> = ["a", "b"]
            .map(|name| {
                let path = dir.path().join(name);
                std::fs::write(&path, format!("secret-{name}\n")).unwrap();
                SourceSettings { token: Some(Secret::File(path)), ..SourceSettings::named(name) }
            })
            .into();
        let tokens = ConfiguredTokens(Arc::new(Sources::new(SourceTable::new(&settings, |_| true).unwrap())));
        assert_eq!(tokens.look_up("a", "secret-a"), Access::Granted);
        assert_eq!(tokens.look_up("b", "secret-b"), Access::Granted);
        assert_eq!(tokens.look_up("b", "secret-a"), Access::OtherSource);
        assert_eq!(tokens.look_up("a", "secret"), Access::Unknown);
        assert_eq!(tokens.look_up("a", ""), Access::Unknown);
        assert_eq!(tokens.source_of("secret-b", "elastic"), Identity::Source("b".into()));
        assert_eq!(tokens.source_of("secret-b", "a"), Identity::Source("b".into()));
        assert_eq!(tokens.source_of("secret", "a"), Identity::Unknown);
    }
}
