//! Package managers: dpkg.log, yum and dnf by syslog or in their own log.
//!
//! Reference: dpkg source `log.c` (`YYYY-MM-DD HH:MM:SS action package installed-version available-version`); yum and dnf
//! `Installed: name-version.arch`.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, stamps, text};

pub struct Packages;

impl Parser for Packages {
    fn name(&self) -> &'static str {
        "packages"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["yum", "dnf", "dpkg", "rpm", "yum-cron"]
    }

    fn starts(&self) -> &'static [u8] {
        stamps::STARTS
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let Some((_, rest)) = stamps::leading(raw.text(), raw) else { return Sniff::No };
        Sniff::yes_if(dpkg(rest.trim_start()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let (stamp, rest) = match stamps::leading(raw.text(), raw) {
            Some((micros, rest)) => (Some(micros), rest.trim_start()),
            None => (None, raw.text()),
        };
        if let Some(micros) = stamp {
            event.set(field::TIMESTAMP, Value::Time(micros));
        }
        event.set_dataset("packages.log");
        event.set(field::EVENT_KIND, "event");
        event.set(field::EVENT_CATEGORY, "package");
        event.set_present(field::MESSAGE, rest);
        let found = dpkg(rest).or_else(|| yum(rest));
        let Some((verb, package, version)) = found else {
            event.set(field::EVENT_ACTION, "package_message");
            event.set(field::EVENT_TYPE, "info");
            return Outcome::Parsed;
        };
        event.set(field::EVENT_ACTION, text::lower(event, verb));
        event.set(
            field::EVENT_TYPE,
            match text::lower(event, verb) {
                "install" | "installed" => "installation",
                "remove" | "purge" | "erased" | "removed" => "deletion",
                "upgrade" | "updated" | "upgraded" | "configure" | "obsoleted" | "downgraded" => "change",
                _ => "info",
            },
        );
        event.set_extra("", "package.name", package);
        if !version.is_empty() && version != "<none>" {
            event.set_extra("", "package.version", version);
        }
        Outcome::Parsed
    }
}

/// `install libx:amd64 <none> 1.2-3`, `status installed libx:amd64 1.2-3`, `startup archives unpack`.
fn dpkg(text: &str) -> Option<(&str, &str, &str)> {
    let mut words = text.split(' ');
    let verb = words.next()?;
    match verb {
        "install" | "upgrade" | "remove" | "purge" | "configure" | "trigproc" | "disappear" => {
            let (package, old, new) = (words.next()?, words.next()?, words.next()?);
            (package.contains(':') && words.next().is_none()).then_some((verb, package, if new == "<none>" { old } else { new }))
        }
        "status" => {
            let (state, package, version) = (words.next()?, words.next()?, words.next()?);
            (package.contains(':') && words.next().is_none()).then_some((state, package, version))
        }
        "startup" => {
            let (what, how) = (words.next()?, words.next().unwrap_or_default());
            matches!(what, "archives" | "packages").then_some((verb, what, how))
        }
        _ => None,
    }
}

/// `Installed: name-1.2-3.x86_64`.
fn yum(text: &str) -> Option<(&str, &str, &str)> {
    let (verb, package) = text.split_once(": ")?;
    let is =
        matches!(verb, "Installed" | "Updated" | "Erased" | "Upgraded" | "Removed" | "Obsoleted" | "Downgraded" | "Reinstalled");
    is.then_some((verb, package, ""))
}
