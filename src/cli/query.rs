//! `chieng query`: one SELECT, asked of the running server, or of the store itself when there is none.

use std::{io::Write as _, sync::Arc};

use clap::{Args, ValueEnum};

use super::{Config, remote::Remote};
use crate::{
    clock::SystemClock,
    config::Settings,
    failure::{Failure, Result},
    wiring,
};

#[derive(Args)]
pub struct Options {
    /// The SELECT, for example "SELECT source.ip, count(*) FROM events GROUP BY source.ip"
    sql: String,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    config: Config,
}

/// How rows are written. Control characters never reach the terminal; CSV cells never become formulas.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    Table,
    /// One JSON object a line
    Json,
    Csv,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "ndjson",
            Self::Csv => "csv",
        }
    }
}

pub async fn run(options: Options) -> Result {
    let settings = Settings::load(options.config.config.as_deref()).map_err(|problems| Failure::config(&problems))?;
    let mut output = std::io::stdout();
    let format = options.format.name();
    if let Some(remote) = Remote::connect(&settings.server.data_dir).await {
        return remote.query(&options.sql, format, |piece| output.write_all(piece)).await;
    }
    let offline = wiring::offline(settings, Arc::new(SystemClock)).await?;
    let done = offline.query(&options.sql, format, |piece| output.write_all(piece)).await;
    offline.close().await?;
    done
}
