//! PAM messages of programs without a parser of their own (login, gdm, vsftpd, systemd …).

use event::{Event, Outcome, RawRecord};

use crate::{
    Parser, Sniff,
    linux::{self, pam},
};

pub struct Pam;

impl Parser for Pam {
    fn name(&self) -> &'static str {
        "pam"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(pam::is_message(raw.text()) && !pam::is_of(raw.text().trim_start_matches(' '), "sshd"))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let message = linux::begin(raw, event, "pam");
        if pam::read(event, message) { Outcome::Parsed } else { Outcome::Unreadable("no PAM message") }
    }
}
