//! `chieng store outlook`: the forecast of the disk; exit status 1 when a minimum breaks within the days to warn.

use clap::Args;
use dashboards::keeping;
use serde_json::Value;

use super::{hold::at_desk, shown};
use crate::{
    cli::{Config, remote::Remote},
    config::Settings,
    failure::{Failure, Result},
};

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: Config,
}

pub async fn run(options: Options) -> Result {
    let settings = Settings::load(options.config.config.as_deref()).map_err(|problems| Failure::config(&problems))?;
    let outlook = match Remote::connect(&settings.server.data_dir).await {
        Some(remote) => remote.get("/control/outlook").await?,
        None => {
            let scope = event::Scope::internal("command");
            at_desk(settings, async |desk| keeping::outlook(desk, &scope).await).await?
        }
    };
    if options.json {
        println!("{outlook}");
    } else {
        print(&outlook);
    }
    let warn = outlook["warn_days"].as_i64().unwrap_or(0);
    let breaks = |system: &&Value| system["days_left"].as_i64().is_some_and(|left| left <= warn) || system["rule_short"] == true;
    match outlook["systems"].as_array().into_iter().flatten().filter(breaks).count() {
        0 => Ok(()),
        count => Err(Failure::new(format!("{count} systems would fall below their legal minimum"))
            .hint("add disk, move old files with [store.cold], or send fewer logs of the systems that take most")),
    }
}

fn print(outlook: &Value) {
    let bytes = |value: &Value| size(value.as_u64().unwrap_or(0));
    let day = |value: &Value| value.as_str().unwrap_or("never").to_owned();
    println!(
        "stored {} of {}, {} a day; full: {}",
        bytes(&outlook["stored_bytes"]),
        bytes(&outlook["budget_bytes"]),
        bytes(&outlook["bytes_per_day"]),
        day(&outlook["full_on"])
    );
    println!(
        "{:<24} {:>5} {:>10} {:>10} {:>6} {:>7}  {:<10}  breaks",
        "system", "level", "stored", "a day", "rule", "minimum", "oldest"
    );
    for system in outlook["systems"].as_array().into_iter().flatten() {
        let days = |key: &str| system[key].as_i64().map_or("–".to_owned(), |days| format!("{days} d"));
        println!(
            "{:<24} {:>5} {:>10} {:>10} {:>6} {:>7}  {:<10}  {}{}",
            shown(system["system"].as_str().unwrap_or_default()),
            system["level"].as_i64().map_or("–".to_owned(), |level| level.to_string()),
            bytes(&system["stored_bytes"]),
            bytes(&system["bytes_per_day"]),
            days("keep_days"),
            days("minimum_days"),
            system["oldest"].as_str().unwrap_or("–"),
            day(&system["breaks_on"]),
            if system["rule_short"] == true { " (rule shorter than the minimum)" } else { "" }
        );
    }
}

/// Bytes with the unit that suits.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut at = 0;
    while value >= 1000.0 && at + 1 < units.len() {
        value /= 1000.0;
        at += 1;
    }
    if at == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[at]) }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_read_at_a_glance() {
        assert_eq!([size(0), size(999), size(1_500), size(19_400_000_000_000)], ["0 B", "999 B", "1.5 kB", "19.4 TB"]);
    }
}
