//! CEF whose first word got lost on the way: `0|Vendor|Product|Version|Id|Name|Severity|key=value`.
//!
//! Relays that cut the tag `CEF:` as if it were a program's name leave this. Nothing else begins with a version, six bars and
//! words between them; the record is read as CEF.

use event::{Event, Outcome, RawRecord};

use crate::{Parser, Sniff, formats::cef::Cef, text};

pub struct CefHeadless;

impl Parser for CefHeadless {
    fn name(&self) -> &'static str {
        "cef_headless"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(is_header(raw.text().trim_start()))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let line = raw.text().trim_start();
        if !is_header(line) {
            return Outcome::Unreadable("no CEF header");
        }
        let whole = text::concat(event.arena(), ["CEF:", line]);
        Cef.parse(raw.with_text(whole), event)
    }
}

/// `0|` or `1|`, a vendor, and a severity as the sixth word, a number or one of the standard's.
fn is_header(line: &str) -> bool {
    let mut parts = line.splitn(8, '|');
    let version = parts.next().unwrap_or_default();
    if !matches!(version, "0" | "1") {
        return false;
    }
    let (Some(vendor), Some(product), Some(severity)) = (parts.next(), parts.next(), parts.nth(3)) else { return false };
    let is_severity =
        severity.trim().parse::<i8>().is_ok() || matches!(severity.trim(), "Low" | "Medium" | "High" | "Very-High" | "Unknown");
    !vendor.is_empty()
        && !product.is_empty()
        && vendor.len() <= 64
        && is_severity
        && parts.next().is_some_and(|rest| rest.contains('='))
}
