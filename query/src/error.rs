//! What goes wrong with a question, worded for the analyst who asked it: what, where, and what to try.
//!
//! Not here: problems with data. A value that cannot be read is a null, never an error.

use std::fmt;

use datafusion::error::DataFusionError;

/// Tells the caller what to do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not SQL, or not of the search language: fix the text.
    Syntax,
    /// A table, column or function of that name does not exist: fix the name.
    Unknown,
    /// The statement is understood but not allowed here.
    Denied,
    /// A limit (time, memory, rows, size) was reached: ask for less.
    Limit,
    /// Too many questions at once: try again.
    Busy,
    /// The question was withdrawn, or the server needed its memory.
    Cancelled,
    /// The statement is valid but cannot be answered (types, an expression that failed).
    Invalid,
    /// The engine or the store failed: call us.
    Failed,
}

/// Where in the question: line and column count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: u64,
    pub column: u64,
}

/// A question that could not be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    pub kind: ErrorKind,
    pub message: String,
    pub place: Option<Place>,
    pub hint: Option<String>,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: None, hint: None }
    }

    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Denied, message)
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    pub fn at(mut self, line: u64, column: u64) -> Self {
        // The parser gives 0:0 to tokens that it made up.
        if line > 0 {
            self.place = Some(Place { line, column });
        }
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = self.place {
            write!(f, " (line {}, column {})", place.line, place.column)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; hint: {hint}")?;
        }
        Ok(())
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        let root = error.find_root();
        match root {
            DataFusionError::External(inner) => match inner.downcast_ref::<Self>() {
                Some(own) => own.clone(),
                None => Self::failed(inner.to_string()),
            },
            DataFusionError::ResourcesExhausted(_) => {
                Self::new(ErrorKind::Limit, "the question needs more memory than one question may use")
                    .hint("narrow the time range, select fewer columns, or group by a field with fewer values")
            }
            DataFusionError::SchemaError(inner, _) => Self::new(ErrorKind::Unknown, first_line(&inner.to_string())),
            DataFusionError::Plan(message) => Self::new(ErrorKind::Invalid, first_line(message)),
            DataFusionError::SQL(inner, _) => syntax(&inner.to_string()),
            DataFusionError::NotImplemented(message) => Self::denied(format!("not supported: {}", first_line(message))),
            DataFusionError::ArrowError(inner, _) => Self::new(ErrorKind::Invalid, first_line(&inner.to_string())),
            DataFusionError::Execution(message) => Self::new(ErrorKind::Invalid, first_line(message)),
            DataFusionError::ExecutionJoin(_) => Self::new(ErrorKind::Failed, "the question ended unexpectedly"),
            other => Self::failed(first_line(&other.strip_backtrace())),
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

/// Reads the place out of the parser's message ("… at Line: 1, Column: 8").
pub(crate) fn syntax(message: &str) -> Error {
    let message = message.trim_start_matches("sql parser error: ").trim_start_matches("ParserError(").trim_end_matches(')');
    let Some((text, place)) = message.rsplit_once(" at Line: ") else {
        return Error::new(ErrorKind::Syntax, sentence(message));
    };
    let mut numbers = place.split(", Column: ").map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    });
    let (line, column) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Error::new(ErrorKind::Syntax, sentence(text)).at(line, column)
}

fn sentence(text: &str) -> String {
    let text = text.trim().trim_end_matches([',', '.']);
    match text.strip_prefix("Expected: ") {
        Some(rest) => format!("expected {rest}"),
        None => text.to_owned(),
    }
}

/// The engine's messages may carry its own plans after the first line: they would be noise, and could name columns.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// Returns the known name nearest to `name`, when one is near enough to be a slip.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase(), limit), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

/// Edit distance; anything beyond `limit` comes back as `limit + 1`.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    if a.len().abs_diff(b.len()) > limit * 4 {
        return limit + 1;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = before + usize::from(ca != *cb);
            before = row[j + 1];
            row[j + 1] = cost.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()].min(limit + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let known = ["source.ip", "source.port", "user.name"];
        assert_eq!(nearest("sourc.ip", known), Some("source.ip"));
        assert_eq!(nearest("User.Name", known), Some("user.name"));
        assert_eq!(nearest("completely.else", known), None);
    }

    #[test]
    fn places_are_read() {
        let error = syntax("sql parser error: Expected: an expression, found: FROM at Line: 2, Column: 8");
        assert_eq!(error.to_string(), "expected an expression, found: FROM (line 2, column 8)");
    }
}
