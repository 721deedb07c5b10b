//! Apache httpd error log of 2.2 (`[time] [level] [client a] message`) and 2.4 (`[time] [module:level] [pid n:tid m] …`).
//!
//! Reference: Apache HTTP Server documentation, core directive ErrorLogFormat, and "Log Files: Error Log".

use event::{Event, Outcome, RawRecord, Value, field};
use nom::{
    IResult, Parser as _,
    bytes::complete::{tag, take_till1},
    character::complete::char,
    sequence::delimited,
};

use crate::{Parser, Sniff, ecs, formats::modsecurity, text, time};

const PREFIX: &str = "apache.error.";

const LEVELS: [&str; 16] = [
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1", "trace2", "trace3", "trace4", "trace5",
    "trace6", "trace7", "trace8",
];

pub struct ApacheError;

impl Parser for ApacheError {
    fn name(&self) -> &'static str {
        "apache_error"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["apache", "apache2", "httpd", "apache_error", "apache-error"]
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::yes_if(head(raw).is_some_and(|head| head.stamp.is_some()))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(head) = head(raw) else {
            return Outcome::Unreadable("no Apache error line");
        };
        event.set_dataset("apache.error");
        let is_error = matches!(head.level, "emerg" | "alert" | "crit" | "error" | "warn");
        ecs::classify(event, &["web"], if is_error { &["error"] } else { &["info"] });
        crate::linux::software(event, "Apache", "HTTP Server", "apache2");
        if let Some(stamp) = head.stamp {
            event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw)));
        }
        event.set(field::LOG_LEVEL, head.level);
        if !head.module.is_empty() {
            event.set_extra(PREFIX, "module", head.module);
        }
        let has_port = !head.module.is_empty();
        let message = brackets(event, head.rest, has_port);
        message_fields(event, message, has_port);
        Outcome::Parsed
    }
}

struct Head<'r> {
    stamp: Option<time::Stamp>,
    module: &'r str,
    level: &'r str,
    rest: &'r str,
}

/// `[stamp] [level] ` or `[stamp] [module:level] `; through syslog Apache leaves the stamp out.
fn head(raw: RawRecord<'_>) -> Option<Head<'_>> {
    let (rest, first) = bracket(raw.text()).ok()?;
    let stamp = time::ctime(first).map(|(stamp, _)| stamp);
    let (rest, word) = match stamp {
        Some(_) => bracket(rest.trim_start_matches(' ')).ok()?,
        None => (rest, first),
    };
    let (module, level) = word.rsplit_once(':').unwrap_or(("", word));
    LEVELS.contains(&level).then_some(Head { stamp, module, level, rest })
}

fn bracket(input: &str) -> IResult<&str, &str> {
    delimited(char('['), take_till1(|c| c == ']'), char(']')).parse(input)
}

fn pid(input: &str) -> IResult<&str, &str> {
    let (rest, _) = tag("pid ")(input)?;
    Ok(("", rest))
}

/// Reads `[pid 812:tid 140…]`, `[client 203.0.113.7:51234]`, `[remote …]` and unknown brackets before the message.
fn brackets<'r>(event: &mut Event<'r>, text: &'r str, has_port: bool) -> &'r str {
    let mut rest = text.trim_start_matches(' ');
    while let Ok((after, inside)) = bracket(rest) {
        if let Ok((_, ids)) = pid(inside) {
            let (process, thread) = ids.split_once(":tid ").unwrap_or((ids, ""));
            event.set_int(field::PROCESS_PID, process);
            event.set_int(field::PROCESS_THREAD_ID, thread);
        } else if let Some(client) = inside.strip_prefix("client ").or_else(|| inside.strip_prefix("remote ")) {
            peer(event, client, has_port);
        } else {
            return rest;
        }
        rest = after.trim_start_matches(' ');
    }
    rest
}

/// 2.4 always writes a port, even behind an IPv6 address without brackets; 2.2 never does.
fn peer<'r>(event: &mut Event<'r>, client: &'r str, has_port: bool) {
    if ecs::ip(client).is_some() && !(has_port && client.contains(':')) {
        return ecs::source(event, client);
    }
    match client.rsplit_once(':') {
        Some((address, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            ecs::source(event, address);
            event.set_int(field::SOURCE_PORT, port);
        }
        _ => ecs::source(event, client),
    }
}

/// `AH01234: text, referer: http://…`, `File does not exist: /var/www/x`, `script '/var/www/x.php' not found`.
fn message_fields<'r>(event: &mut Event<'r>, text: &'r str, has_port: bool) {
    // 2.4 may write the system error before the client: `(13)Permission denied: [client …] AH00035: …`.
    let text = match text.split_once(": [client ") {
        Some((error, rest)) if error.starts_with('(') => {
            let (client, rest) = text::split(rest, b']').unwrap_or((rest, ""));
            peer(event, client, has_port);
            event.set(field::EVENT_REASON, error);
            rest.trim_start_matches(' ')
        }
        _ => text,
    };
    let (message, referrer) = match text.rsplit_once(", referer: ") {
        Some((message, referrer)) => (message, Some(referrer)),
        None => (text, None),
    };
    event.set_present(field::MESSAGE, message);
    if message.starts_with("ModSecurity: ") {
        modsecurity::detail(event, message);
        return;
    }
    if let Some(referrer) = referrer {
        event.set_present(field::HTTP_REQUEST_REFERRER, referrer);
    }
    let body = match message.split_once(": ") {
        Some((code, body)) if code.len() == 7 && code.starts_with("AH") => {
            event.set(field::EVENT_CODE, code);
            body
        }
        _ => message,
    };
    let path = body
        .strip_prefix("File does not exist: ")
        .or_else(|| body.strip_prefix("script not found or unable to stat: "))
        .or_else(|| body.strip_prefix("script '").and_then(|rest| rest.split_once('\'')).map(|(path, _)| path));
    if let Some(path) = path {
        event.set(field::FILE_PATH, path);
    }
    if body.contains(" denied by server configuration") {
        event.set(field::EVENT_TYPE, "denied");
        ecs::failure(event);
    }
    if let Some(rest) = body.strip_prefix("user ") {
        let (user, rest) = rest.split_once([':', ' ']).unwrap_or((rest, ""));
        if rest.contains("authentication failure") || rest.contains("not found") {
            ecs::user(event, field::USER_NAME, user);
            event.set(field::EVENT_CATEGORY, "authentication");
            if let Some((_, path)) = rest.rsplit_once(": ").filter(|(_, path)| path.starts_with('/')) {
                crate::web::url(event, path);
            }
            if let Some(path) = rest.strip_prefix(" not found: ").filter(|path| path.starts_with('/')) {
                crate::web::url(event, path);
            }
            ecs::failure(event);
        }
    }
}
