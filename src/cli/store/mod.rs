//! `chieng store …`: what is kept, why, for how long, and what proves that it is unchanged. Asked of the running server, or done on the store itself when there
//! is none.

mod hold;
mod outlook;
mod proof;
mod tombstones;

use clap::Subcommand;

pub(super) use hold::at_desk;

use crate::failure::Result;

#[derive(Subcommand)]
pub enum Command {
    /// Legal holds: what must not be deleted until somebody releases it
    #[command(subcommand)]
    Hold(hold::Command),
    /// Print the record of deletions, whole
    Tombstones(tombstones::Options),
    /// Say how long the disk lasts and when a legal minimum would break
    Outlook(outlook::Options),
    #[command(flatten)]
    Proof(proof::Command),
}

pub async fn run(command: Command) -> Result {
    match command {
        Command::Hold(command) => hold::run(command).await,
        Command::Tombstones(options) => tombstones::run(options).await,
        Command::Outlook(options) => outlook::run(options).await,
        Command::Proof(command) => proof::run(command).await,
    }
}

/// A text for a terminal: control characters are shown, not obeyed.
fn shown(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}
