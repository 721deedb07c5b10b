//! `chieng parser`: the installation's own formats; `test` runs the test lines inside mapping files.

use std::path::PathBuf;

use clap::Subcommand;
use parsers::Parser as _;

use super::Config;
use crate::{
    failure::{Failure, Result},
    formats,
};

#[derive(Subcommand)]
pub enum Command {
    /// Compile mapping files and run the tests inside them; exit 1 when one does not come out
    Test {
        /// Mapping files; without any, all of the folder `parsers` beside the configuration file
        paths: Vec<PathBuf>,
        #[command(flatten)]
        config: Config,
    },
    /// Name every parser, the installation's own first
    List {
        #[command(flatten)]
        config: Config,
    },
}

pub fn run(command: &Command) -> Result {
    match command {
        Command::Test { paths, config } => test(paths, config),
        Command::List { config } => {
            let formats = match formats::folder(config.config.as_deref()) {
                Some(dir) => formats::read(&dir).map_err(|problems| Failure::config(&problems))?,
                None => parsers::Formats::default(),
            };
            formats.names().iter().for_each(|name| println!("{name}"));
            Ok(())
        }
    }
}

fn test(paths: &[PathBuf], config: &Config) -> Result {
    let mut paths = paths.to_vec();
    if paths.is_empty() {
        let dir = formats::folder(config.config.as_deref())
            .ok_or_else(|| Failure::new("no mapping file is named").hint("chieng parser test FILE…, or --config FILE"))?;
        let inside = std::fs::read_dir(&dir).map_err(|error| Failure::of(format!("failed to read {}", dir.display()), &error))?;
        paths.extend(inside.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "toml")));
        paths.sort();
    }
    let mut wrong = 0;
    for path in &paths {
        let shown = path.display();
        let text = formats::text(path).map_err(|problem| Failure::config(&[problem]))?;
        match parsers::mapping::compile(&text) {
            Ok(mapping) => {
                let mapping: &'static parsers::mapping::Mapping = Box::leak(Box::new(mapping));
                let failures = mapping.failures();
                wrong += failures.len();
                failures.iter().for_each(|failure| println!("{shown}:{}: {}", failure.line, failure.message));
                println!(
                    "{shown}: {}: {} of {} tests come out",
                    mapping.name(),
                    mapping.tests() - failures.len(),
                    mapping.tests()
                );
            }
            Err(problems) => {
                wrong += problems.len();
                problems.iter().for_each(|problem| println!("{shown}:{problem}"));
            }
        }
    }
    if wrong == 0 { Ok(()) } else { Err(Failure::new(format!("{wrong} problems in {} mapping files", paths.len()))) }
}
