//! PHP: the log of the FastCGI process manager (FPM), its access log, and the error log of scripts.
//!
//! Reference: PHP manual, "FastCGI Process Manager: configuration" (`error_log`, `log_level`, `slowlog`, `access.format` with its
//! default `%R - %u %t "%m %r" %s`), "Error handling: runtime configuration" and "Predefined constants" (the names of levels).
//!
//! A stamp of the error log names its zone in full (`Asia/Ho_Chi_Minh`); FPM's names none. What a script says in its own words is
//! kept, not read.

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, ecs, stamps, text, time, web, zone};

const PREFIX: &str = "php.";

/// Levels of FPM, as it writes them, and ours.
const LEVELS: [(&str, &str); 5] =
    [("ALERT", "alert"), ("ERROR", "error"), ("WARNING", "warning"), ("NOTICE", "notice"), ("DEBUG", "debug")];

/// Levels of scripts' errors, as they stand behind `PHP `, and ours.
const ERRORS: [(&str, &str); 13] = [
    ("Fatal error", "error"),
    ("Recoverable fatal error", "error"),
    ("Catchable fatal error", "error"),
    ("Parse error", "error"),
    ("Core error", "error"),
    ("Compile error", "error"),
    ("Warning", "warning"),
    ("Core warning", "warning"),
    ("Compile warning", "warning"),
    ("Notice", "notice"),
    ("Strict Standards", "notice"),
    ("Deprecated", "notice"),
    ("Unknown error", "error"),
];

pub struct Php;

impl Parser for Php {
    fn name(&self) -> &'static str {
        "php"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["php", "php-fpm7.4", "php-fpm8.0", "php-fpm8.1", "php-fpm8.2", "php-fpm8.3", "php-fpm8.4"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(read(raw).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some((stamp, said)) = read(raw) else { return Outcome::Unreadable("no line of PHP") };
        if let Some(stamp) = stamp {
            event.set(field::TIMESTAMP, Value::Time(stamp));
        }
        crate::linux::software(event, "PHP", "PHP-FPM", "php-fpm");
        match said {
            Said::Manager { level, message } => manager(event, level, message),
            Said::Script { level, message } => script(event, level, message),
            Said::Access(line) => access(event, &line),
        }
        Outcome::Parsed
    }
}

enum Said<'r> {
    Manager { level: &'static str, message: &'r str },
    Script { level: &'static str, message: &'r str },
    Access(Request<'r>),
}

struct Request<'r> {
    client: &'r str,
    user: &'r str,
    request: &'r str,
    status: &'r str,
}

fn read(raw: RawRecord<'_>) -> Option<(Option<i64>, Said<'_>)> {
    let line = raw.text();
    let Some(inside) = line.strip_prefix('[') else {
        return script_text(line).map(|said| (None, said)).or_else(|| access_line(raw, line));
    };
    if line.starts_with("[pool ") {
        return None;
    }
    let (head, rest) = inside.split_once("] ").filter(|(head, _)| (20..=64).contains(&head.len()))?;
    if head.as_bytes().get(2) != Some(&b'-') {
        return None;
    }
    let (stamp, zone) = stamps::day_first(head, raw)?;
    let moment = match zone.trim_start() {
        "" => stamp.resolve(raw),
        name => zone::to_utc(stamp.civil, name.parse().ok()?, raw.received()),
    };
    // With `log_level = debug` the process and the function stand before the message: `DEBUG: pid 12, fpm_x(), line 9: text`.
    let said = manager_text(rest).or_else(|| script_text(rest))?;
    Some((Some(moment), said))
}

fn manager_text(text: &str) -> Option<Said<'_>> {
    let (word, message) = text.split_once(": ").filter(|(word, _)| word.len() <= 8)?;
    let (_, level) = LEVELS.iter().find(|(name, _)| *name == word)?;
    Some(Said::Manager { level, message })
}

fn script_text(text: &str) -> Option<Said<'_>> {
    let (name, message) = text.strip_prefix("PHP ")?.split_once(':').filter(|(name, _)| name.len() <= 24)?;
    let (_, level) = ERRORS.iter().find(|(known, _)| *known == name)?;
    Some(Said::Script { level, message: message.trim_start() })
}

/// `127.0.0.1 - an 23/Nov/2026:10:00:00 +0700 "GET /index.php" 200`: the common format without brackets and version.
fn access_line<'r>(raw: RawRecord<'r>, line: &'r str) -> Option<(Option<i64>, Said<'r>)> {
    let (head, rest) = line.split_once(" \"")?;
    let (client, rest_of_head) = head.split_once(" - ").filter(|(client, _)| *client == "-" || ecs::ip(client).is_some())?;
    let (user, stamp) = rest_of_head.split_once(' ')?;
    let (stamp, after) = time::clf(stamp)?;
    let (request, status) = rest.rsplit_once("\" ")?;
    let status = text::word(status).0;
    let is_access =
        after.is_empty() && status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit()) && !request.contains(" HTTP/");
    is_access.then(|| (Some(stamp.resolve(raw)), Said::Access(Request { client, user, request, status })))
}

fn manager<'r>(event: &mut Event<'r>, level: &'static str, message: &'r str) {
    event.set_dataset("php.fpm");
    let is_error = matches!(level, "alert" | "error" | "warning");
    ecs::classify(event, &["web", "process"], if is_error { &["error"] } else { &["info"] });
    event.set(field::LOG_LEVEL, level);
    let mut rest = message;
    if let Some((pool, after)) = rest.strip_prefix("[pool ").and_then(|rest| rest.split_once("] ")) {
        event.set_extra(PREFIX, "pool", pool);
        rest = after;
    }
    event.set(field::MESSAGE, rest);
    if let Some(number) = rest.strip_prefix("child ").or_else(|| rest.split_once(", pid ").map(|(_, number)| number)) {
        event.set_int(field::PROCESS_PID, text::digits(number).0);
    }
    // `child 12, script '/var/www/x.php' (request: "GET /x.php?a=1") executing too slow (5.1 sec), logging`
    if let Some((path, after)) = rest.split_once("script '").and_then(|(_, rest)| rest.split_once('\'')) {
        event.set(field::FILE_PATH, path);
        event.set(field::FILE_NAME, text::file_name(path));
        if let Some((asked, what)) = after.strip_prefix(" (request: \"").and_then(|rest| rest.split_once("\") ")) {
            web::request(event, asked.trim_end_matches('?'));
            event.set(field::EVENT_REASON, what);
            if let Some(nanos) = what.split_once('(').and_then(|(_, rest)| text::seconds_to_nanos(text::word(rest).0)) {
                event.set(field::EVENT_DURATION, nanos);
            }
        }
    }
    if let Some((_, how)) = rest.split_once(" exited ").filter(|_| rest.starts_with("child ")) {
        event.set(field::EVENT_ACTION, "exited");
        event.set(field::EVENT_TYPE, "end");
        event.set(field::EVENT_REASON, how);
    }
}

fn script<'r>(event: &mut Event<'r>, level: &'static str, message: &'r str) {
    event.set_dataset("php.error");
    ecs::classify(event, &["web"], if level == "notice" { &["info"] } else { &["error"] });
    event.set(field::LOG_LEVEL, level);
    event.set_present(field::MESSAGE, message);
    // `… in /var/www/x.php on line 12`, `… in /var/www/x.php:12`
    let first = message.lines().next().unwrap_or_default();
    let Some((why, place)) = first.rsplit_once(" in /") else { return };
    event.set_present(field::EVENT_REASON, why);
    let place = &first[first.len() - place.len() - 1..];
    let (path, number) = place.split_once(" on line ").or_else(|| place.rsplit_once(':')).unwrap_or((place, ""));
    event.set(field::FILE_PATH, path);
    event.set(field::FILE_NAME, text::file_name(path));
    if let Some(number) = text::integer(text::digits(number).0) {
        event.set_named("log.origin.file.line", number);
    }
}

fn access<'r>(event: &mut Event<'r>, line: &Request<'r>) {
    event.set_dataset("php.access");
    ecs::classify(event, &["web"], &["access"]);
    if line.client != "-" {
        ecs::source(event, line.client);
    }
    if !matches!(line.user, "" | "-") {
        ecs::user(event, field::USER_NAME, line.user);
    }
    web::request(event, line.request);
    event.set_int(field::HTTP_RESPONSE_STATUS_CODE, line.status);
    if line.status.as_bytes()[0] >= b'4' { ecs::failure(event) } else { ecs::success(event) }
}
