//! `chieng validate`: reads the configuration as `run` would, without touching anything.

use super::Config;
use crate::{
    config::Settings,
    failure::{Failure, Result},
};

pub fn run(options: &Config) -> Result {
    Settings::load(options.config.as_deref()).map_err(|problems| Failure::config(&problems))?;
    Ok(())
}
