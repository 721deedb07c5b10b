//! `chieng validate`: reads the configuration as `run` would, without touching anything.

use super::Config;
use crate::{
    config::Settings,
    failure::{Failure, Result},
    formats,
};

pub fn run(options: &Config) -> Result {
    let settings = Settings::load(options.config.as_deref()).map_err(|problems| Failure::config(&problems))?;
    // A running server goes on without a wrong mapping; whoever asks is told.
    if let Some(dir) = &settings.mappings {
        formats::read(dir).map_err(|problems| Failure::config(&problems))?;
    }
    Ok(())
}
