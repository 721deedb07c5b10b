//! What the program says when it cannot go on: one sentence, the chain of causes, a hint.

use std::{error::Error, fmt, process::ExitCode};

use crate::config::Problem;

/// Exit status of a broken configuration (sysexits.h EX_CONFIG; Vector's habit).
pub const CONFIG: u8 = 78;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1 }
    }

    /// What was attempted, and why it failed, down to the last cause.
    pub fn of(attempt: impl fmt::Display, error: &(dyn Error + 'static)) -> Self {
        let mut message = attempt.to_string();
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        let mut hint = None;
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            hint = hint.or_else(|| error.downcast_ref::<std::io::Error>().and_then(io_hint));
            cause = error.source();
        }
        Self { message, hint, code: 1 }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the exit status; without this it is 1.
    pub fn code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    pub fn config(problems: &[Problem]) -> Self {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let count = if problems.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", problems.len()) };
        Self { message: format!("the configuration has {count}\n{}", lines.join("\n")), hint: None, code: CONFIG }
    }

    /// Prints and gives the exit status.
    pub fn report(&self) -> ExitCode {
        eprintln!("chieng: {}", self.message);
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

/// What an operator can do about the usual failures of the system.
fn io_hint(error: &std::io::Error) -> Option<String> {
    use std::io::ErrorKind as Kind;
    let hint = match error.kind() {
        Kind::AddrInUse => "another process has this port; stop it, or choose another one in the configuration",
        Kind::AddrNotAvailable => "this machine has no such address; see `ip address`",
        Kind::PermissionDenied => "check owner and rights of the path; ports below 1024 need CAP_NET_BIND_SERVICE",
        Kind::StorageFull | Kind::QuotaExceeded => "free space on the disk; nothing that was acknowledged is lost",
        Kind::NotFound => "check the path",
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_gives_the_hint() {
        let error = std::io::Error::from(std::io::ErrorKind::AddrInUse);
        let failure = Failure::of("failed to listen on 127.0.0.1:1", &error);
        assert!(failure.message.starts_with("failed to listen on 127.0.0.1:1: "), "{failure:?}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("port")));
    }
}
