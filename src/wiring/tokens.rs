//! Who may send over HTTP: the tokens of the configuration, then those made in the pages.

use std::sync::Arc;

use event::seam::BoxFuture;
use ingest::tokens::{Access, ConfiguredTokens, Identity, TokenCheck};
use state::{State, secret};
use tracing::error;

/// Both kinds of tokens behind one question.
pub struct Tokens {
    configured: ConfiguredTokens,
    state: State,
}

impl Tokens {
    pub fn new(state: State, sources: Arc<ingest::Sources>) -> Self {
        Self { configured: ConfiguredTokens(sources), state }
    }

    async fn look_up(&self, source: &str, token: &str) -> Access {
        match self.configured.look_up(source, token) {
            Access::Unknown => {}
            known => return known,
        }
        // Looked up by the hash of a long random token: the time it takes tells nothing about the token.
        match self.state.ingest_token(&secret::hash(token)).await {
            Ok(Some(found)) if found.source == source => Access::Granted,
            Ok(Some(_)) => Access::OtherSource,
            Ok(None) => Access::Unknown,
            Err(error) => {
                error!(%error, "failed to look up an ingest token");
                Access::Unavailable
            }
        }
    }

    async fn source_of(&self, token: &str, named: &str) -> Identity {
        match self.configured.source_of(token, named) {
            Identity::Unknown => {}
            known => return known,
        }
        match self.state.ingest_token(&secret::hash(token)).await {
            Ok(Some(found)) => Identity::Source(found.source),
            Ok(None) => Identity::Unknown,
            Err(error) => {
                error!(%error, "failed to look up an ingest token");
                Identity::Unavailable
            }
        }
    }
}

impl TokenCheck for Tokens {
    fn check<'a>(&'a self, source: &'a str, token: &'a str) -> BoxFuture<'a, Access> {
        Box::pin(self.look_up(source, token))
    }

    fn identify<'a>(&'a self, token: &'a str, named: &'a str) -> BoxFuture<'a, Identity> {
        Box::pin(self.source_of(token, named))
    }
}
