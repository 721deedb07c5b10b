//! `chieng doctor --size`: what a province needs, from what its own logs take.
//!
//! Bytes per event come from the segments of this installation; a fresh one uses the table of measured figures that comes with
//! the program (`src/cli/doctor/classes.csv`, made by `chieng doctor --measure`; the guide says how).

mod measure;
mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dashboards::keeping;
use serde_json::{Value, json};

use super::{Config, remote::Remote, store::at_desk};
use crate::{
    config::Settings,
    failure::{Failure, Result},
    sizing::{self, Row},
};

/// Measured figures for installations without events.
const TABLE: &str = include_str!("doctor/classes.csv");
/// The design point of one province, events a second.
const EPS_DEFAULT: f64 = 5_000.0;
/// Events from which an installation's own figures are believed.
const EVENTS_MIN: u64 = 100_000;

#[derive(Args)]
pub struct Options {
    /// Say what disk, cores and memory are needed
    #[arg(long)]
    size: bool,
    /// Sustained events a second; without it what this installation receives, or 5,000
    #[arg(long, value_name = "N", value_parser = positive)]
    eps: Option<f64>,
    /// Measure what these files take instead: each file or folder goes into a store of its own, which is thrown away
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "size")]
    measure: Vec<PathBuf>,
    /// Measure about so many lines of the demo's invented province
    #[arg(long, value_name = "LINES", conflicts_with = "size")]
    measure_demo: Option<u32>,
    #[arg(long)]
    json: bool,
    #[arg(long, value_enum, default_value_t = Language::Vi)]
    lang: Language,
    #[command(flatten)]
    config: Config,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Vi,
    En,
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e9 => Ok(number),
        _ => Err("a number above 0".into()),
    }
}

/// What was found out, for printing.
struct Report {
    rows: Vec<Row>,
    is_own: bool,
    events_per_second: f64,
    is_own_rate: bool,
    need: sizing::Need,
    outlook: Value,
}

pub async fn run(options: Options) -> Result {
    let settings = Settings::load(options.config.config.as_deref()).map_err(|problems| Failure::config(&problems))?;
    if !options.measure.is_empty() || options.measure_demo.is_some() {
        let rows = measure::run(&settings, &options.measure, options.measure_demo).await?;
        match options.json {
            true => println!("{}", json!(rows)),
            false => print!("{}", to_csv(&rows)),
        }
        return Ok(());
    }
    if !options.size {
        return Err(Failure::new("nothing to do").hint("chieng doctor --size, or chieng doctor --measure PATH…"));
    }
    let (found, months, query_gb) = (
        own(&settings).await?,
        settings.retention.months_by_level,
        settings.query.memory_max.0 as f64 / 1e9 * settings.query.concurrent_max.min(2) as f64 / 2.0,
    );
    let report = report(&found, options.eps, &months, query_gb)?;
    if options.json {
        println!("{}", as_json(&report));
    } else {
        print!("{}", text::write(&report, options.lang, &months));
    }
    Ok(())
}

/// Sizes by class and forecast of this installation.
async fn own(settings: &Settings) -> Result<Value> {
    match Remote::connect(&settings.server.data_dir).await {
        Some(remote) => remote.get("/control/sizes").await,
        // Nothing is made where nothing is.
        None if !settings.server.data_dir.exists() => Ok(json!({ "classes": [], "outlook": null })),
        None => at_desk(settings.clone(), async |desk| keeping::sizes(desk, &event::Scope::internal("command")).await).await,
    }
}

fn report(found: &Value, eps: Option<f64>, months: &[u32], query_gb: f64) -> Result<Report> {
    let own: Vec<Row> = found["classes"].as_array().into_iter().flatten().map(own_row).collect();
    let events: u64 = own.iter().map(|row| row.events).sum();
    let is_own = events >= EVENTS_MIN;
    let rows = if is_own { own } else { table()? };
    let bytes_per_event = sizing::mean(&rows).ok_or_else(|| Failure::new("there are no figures of bytes per event"))?;
    let per_day = found["outlook"]["bytes_per_day"].as_f64().unwrap_or(0.0);
    let own_rate = (is_own && per_day > 0.0).then(|| per_day / bytes_per_event / 86_400.0);
    let events_per_second = eps.or(own_rate).unwrap_or(EPS_DEFAULT);
    Ok(Report {
        need: sizing::need(events_per_second, bytes_per_event, months, query_gb),
        is_own_rate: eps.is_none() && own_rate.is_some(),
        rows,
        is_own,
        events_per_second,
        outlook: found["outlook"].clone(),
    })
}

fn own_row(value: &Value) -> Row {
    let number = |key: &str| value[key].as_u64().unwrap_or(0);
    Row {
        class: value["class"].as_str().unwrap_or_default().to_owned(),
        events: number("rows"),
        raw: None,
        stored: number("bytes") as f64 / number("rows").max(1) as f64,
        origin: "this installation".into(),
    }
}

fn as_json(report: &Report) -> Value {
    json!({
        "classes": report.rows, "classes_are_own": report.is_own, "rate_is_own": report.is_own_rate,
        "need": report.need, "outlook": report.outlook,
    })
}

/// The table that comes with the program.
fn table() -> Result<Vec<Row>> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#')).skip(1);
    let row = |line: &str| {
        let mut parts = line.splitn(5, ',');
        let mut next = || parts.next().map(str::trim);
        Some(Row {
            class: next()?.to_owned(),
            events: next()?.parse().ok()?,
            raw: next()?.parse().ok(),
            stored: next()?.parse().ok()?,
            origin: next()?.to_owned(),
        })
    };
    lines.map(|line| row(line).ok_or_else(|| Failure::new(format!("the table of sizes has a bad line: {line}")))).collect()
}

fn to_csv(rows: &[Row]) -> String {
    let mut text = String::from("class,events,raw_bytes,stored_bytes,origin\n");
    for row in rows {
        let raw = row.raw.map_or_else(String::new, |raw| format!("{raw:.0}"));
        text.push_str(&format!("{},{},{raw},{:.1},{}\n", plain(&row.class), row.events, row.stored, plain(&row.origin)));
    }
    text
}

/// A word for CSV and terminal: commas, control characters and formula signs go.
fn plain(text: &str) -> String {
    let text: String = text.chars().map(|char| if char.is_control() || char == ',' { ' ' } else { char }).collect();
    text.trim_start_matches(['=', '+', '-', '@']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_and_is_of_measured_classes() {
        let rows = table().unwrap();
        assert!(rows.len() >= 8 && rows.iter().all(|row| row.events >= 1_000 && row.stored > 5.0), "{rows:?}");
        assert!(sizing::mean(&rows).is_some_and(|mean| mean > 10.0 && mean < 2_000.0));
    }

    #[test]
    fn own_figures_are_used_when_there_are_enough_of_them() {
        let found = |rows: u64| json!({ "classes": [{ "class": "x", "rows": rows, "bytes": rows * 80 }], "outlook": { "bytes_per_day": 86_400 * 80 * 7 } });
        let own = report(&found(200_000), None, &[3], 1.0).unwrap();
        assert!(own.is_own && own.is_own_rate && (own.events_per_second - 7.0).abs() < 1e-9, "{}", own.events_per_second);
        assert_eq!(own.need.bytes_per_event, 80.0);
        let few = report(&found(50), None, &[3], 1.0).unwrap();
        assert!(!few.is_own && few.events_per_second == EPS_DEFAULT);
        assert_eq!(report(&found(200_000), Some(100.0), &[3], 1.0).unwrap().events_per_second, 100.0);
    }

    #[test]
    fn what_is_written_reads_again() {
        let row = Row { class: "=a,b".into(), events: 5_000, raw: Some(100.4), stored: 33.33, origin: "x\u{1b}".into() };
        assert_eq!(to_csv(&[row]), "class,events,raw_bytes,stored_bytes,origin\na b,5000,100,33.3,x \n");
    }

    #[test]
    fn both_languages_say_the_figures() {
        let report = report(&json!({ "classes": [], "outlook": null }), Some(5_000.0), &[1, 3, 12], 1.0).unwrap();
        for (language, words) in
            [(Language::Vi, ["sự kiện/giây", "12 tháng", "nhân"]), (Language::En, ["events/s", "12 months", "cores"])]
        {
            let text = text::write(&report, language, &[1, 3, 12]);
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }
}
