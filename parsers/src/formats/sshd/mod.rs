//! OpenSSH server messages, by syslog or journal.
//!
//! Reference: the log calls of OpenSSH portable, listed in [`messages`]; since 9.8 the program is called `sshd-session`, since
//! 10.0 also `sshd-auth`. A message that is not listed there is kept, with the peer and the account that it names.

mod messages;

use event::{Event, Outcome, RawRecord, field};

use crate::{
    Parser, Sniff, facts,
    linux::{self, act, pam},
};
use messages::MESSAGES;

pub struct Sshd;

impl Parser for Sshd {
    fn name(&self) -> &'static str {
        "sshd"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["sshd", "sshd-session", "sshd-auth", "internal-sftp", "sftp-server"]
    }

    /// Only the heads that no other daemon writes: `Connection closed by …` is said by many.
    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let text = raw.text().trim_start_matches(' ');
        let text = text.strip_prefix("fatal: ").or_else(|| text.strip_prefix("error: ")).unwrap_or(text);
        const HEADS: [&str; 22] = [
            "Accepted ",
            "Failed ",
            "Invalid user ",
            "Connection closed by ",
            "Connection reset by ",
            "Disconnected from ",
            "Disconnecting ",
            "Received disconnect from ",
            "Postponed ",
            "Unable to negotiate with ",
            "Starting session: ",
            "ssh_dispatch_run_fatal: ",
            "Did not receive identification string from ",
            "Bad protocol version identification ",
            "PAM ",
            "main: sshd: ",
            "User ",
            "userauth_finish: ",
            "kex_exchange_identification: ",
            "banner exchange: ",
            "maximum authentication attempts exceeded for ",
            "PAM: ",
        ];
        if pam::is_of(text, "sshd") {
            return Sniff::Yes;
        }
        Sniff::yes_if(HEADS.iter().any(|head| text.starts_with(head)) && MESSAGES.knows(strip_phase(text)))
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        if raw.text().is_empty() {
            return Outcome::Unreadable("no message");
        }
        let message = linux::begin(raw, event, "sshd.auth");
        event.set(field::NETWORK_PROTOCOL, "ssh");
        let message = unwrap_repeated(message, event);
        linux::software(event, "OpenBSD Project", "OpenSSH", "sshd");
        let message = strip_phase(message);
        let (is_error, message) = match message.strip_prefix("error: ").or_else(|| message.strip_prefix("fatal: ")) {
            Some(rest) => (true, rest),
            None => (false, message),
        };
        if !pam::read(event, message) && !MESSAGES.read(event, message) {
            act(event, "ssh_message", &[], &[if is_error { "error" } else { "info" }], None);
            facts::read(event, message);
        }
        Outcome::Parsed
    }
}

/// The phase that newer releases write behind a message.
fn strip_phase(message: &str) -> &str {
    message.strip_suffix(" [preauth]").or_else(|| message.strip_suffix(" [postauth]")).unwrap_or(message)
}

/// `message repeated 5 times: [ Failed password for …]` (rsyslog).
fn unwrap_repeated<'r>(message: &'r str, event: &mut Event<'r>) -> &'r str {
    let inner = message.strip_prefix("message repeated ").and_then(|rest| rest.split_once(" times: ["));
    match inner {
        Some((count, inner)) => {
            event.set_extra("sshd.", "repeated", count);
            inner.strip_suffix(']').unwrap_or(inner).trim_start_matches(' ')
        }
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::testing::check;

    #[test]
    fn a_user_name_that_looks_like_a_peer() {
        check(
            &super::Sshd,
            "Failed password for invalid user x from 10.0.0.1 port 22 ssh2 from 198.51.100.9 port 40002 ssh2",
            expect![[
                r#"{"chieng.parser":"sshd","event.action":"ssh_login","event.category":["authentication"],"event.dataset":"sshd.auth","event.kind":"event","event.outcome":"failure","event.reason":"invalid user","event.type":["info"],"message":"Failed password for invalid user x from 10.0.0.1 port 22 ssh2 from 198.51.100.9 port 40002 ssh2","network.protocol":"ssh","observer.product":"OpenSSH","observer.type":"server","observer.vendor":"OpenBSD Project","process.name":"sshd","related.ip":["198.51.100.9"],"related.user":["x from 10.0.0.1 port 22 ssh2"],"source.ip":"198.51.100.9","source.port":40002,"sshd.method":"password","user.name":"x from 10.0.0.1 port 22 ssh2"}"#
            ]],
        );
    }

    #[test]
    fn a_message_of_a_later_release() {
        check(
            &super::Sshd,
            "penalty: something new about 198.51.100.9 port 40002",
            expect![[
                r#"{"chieng.parser":"sshd","event.action":"ssh_message","event.dataset":"sshd.auth","event.kind":"event","event.type":["info"],"message":"penalty: something new about 198.51.100.9 port 40002","network.protocol":"ssh","observer.product":"OpenSSH","observer.type":"server","observer.vendor":"OpenBSD Project","process.name":"sshd","related.ip":["198.51.100.9"],"source.ip":"198.51.100.9","source.port":40002}"#
            ]],
        );
    }
}
