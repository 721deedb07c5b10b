//! `chieng store tombstones`: every deletion, a row for each system and log class that was in a dropped file.

use std::{io::Write as _, sync::Arc};

use clap::Args;

use crate::{
    cli::{Config, query::Format, remote::Remote},
    clock::SystemClock,
    config::Settings,
    failure::{Failure, Result},
    wiring,
};

#[derive(Args)]
pub struct Options {
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    #[command(flatten)]
    config: Config,
}

const SQL: &str = "SELECT timestamp AS deleted, system.id AS system, class, rows, ingested_from, ingested_to, segment, checksum, actor, reason \
                   FROM tombstones ORDER BY timestamp, segment, system.id, class";

pub async fn run(options: Options) -> Result {
    let settings = Settings::load(options.config.config.as_deref()).map_err(|problems| Failure::config(&problems))?;
    let mut output = std::io::stdout();
    if let Some(remote) = Remote::connect(&settings.server.data_dir).await {
        return remote.query(SQL, options.format.name(), |piece| output.write_all(piece)).await;
    }
    let offline = wiring::offline(settings, Arc::new(SystemClock)).await?;
    let done = offline.query(SQL, options.format.name(), |piece| output.write_all(piece)).await;
    offline.close().await?;
    done
}
