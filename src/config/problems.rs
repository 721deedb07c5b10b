//! Reads a TOML document into settings and reports *all* problems at once, each with its line.
//!
//! serde stops at the first problem. Here the offending line is blanked out and the document read again, until it reads
//! or nothing more can be learned: an operator fixes a file once, not ten times.

use std::{fmt, path::Path};

use serde::de::DeserializeOwned;

/// More problems than anyone fixes in one go.
const PROBLEMS_MAX: usize = 40;

/// One thing wrong in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// Counted from 1; 0 when the problem belongs to no line.
    pub line: usize,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// Reads settings from the text of a file.
pub fn read<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Vec<Problem>> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    loop {
        let current = lines.join("\n");
        let error = match toml::from_str::<T>(&current) {
            Ok(settings) if problems.is_empty() => return Ok(settings),
            Ok(_) => return Err(problems),
            Err(error) => error,
        };
        // A key that is missing now may be on the line that was blanked out.
        if error.message().starts_with("missing field") && !problems.is_empty() {
            return Err(problems);
        }
        let line = error.span().map_or(0, |span| current[..span.start.min(current.len())].matches('\n').count() + 1);
        let problem = worded(path, line, error.message());
        let is_new = !problems.contains(&problem);
        if is_new {
            problems.push(problem);
        }
        // A whole table or a missing key cannot be blanked out line by line: what follows would only repeat it.
        let can_go_on = is_new && line > 0 && lines.get(line - 1).is_some_and(|line| line.contains('=') && balanced(line));
        if !can_go_on || problems.len() >= PROBLEMS_MAX {
            return Err(problems);
        }
        lines[line - 1].clear();
    }
}

fn balanced(line: &str) -> bool {
    let count = |c: char| line.matches(c).count();
    count('[') == count(']') && count('{') == count('}') && !line.contains("\"\"\"") && !line.trim_start().starts_with('[')
}

fn worded(path: &Path, line: usize, message: &str) -> Problem {
    let file = path.display().to_string();
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return Problem { file, line, message: message.trim().to_owned(), hint: None };
    };
    let (key, expected) = rest.split_once('`').unwrap_or((rest, ""));
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let hint = match nearest(key, &known) {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None if known.is_empty() => None,
        None => Some(format!("known keys: {}", known.join(", "))),
    };
    Problem { file, line, message: format!("unknown key `{key}`"), hint }
}

/// The known word that a misspelt one probably means.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (distance(word, name), *name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == *y { diagonal } else { 1 + diagonal.min(above).min(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Settings {
        listen: String,
        #[serde(default)]
        port: u16,
        #[serde(default)]
        table: Inner,
    }

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        #[serde(default)]
        depth: u8,
    }

    fn problems(text: &str) -> Vec<String> {
        read::<Settings>(Path::new("c.toml"), text).expect_err("has problems").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_problems_are_reported_with_line_and_suggestion() {
        let found = problems("listen = \"a\"\nprot = 1\nport = \"x\"\n\n[table]\ndepht = 1\n");
        assert_eq!(found.len(), 3, "{found:#?}");
        assert_eq!(found.iter().filter(|p| p.contains("did you mean")).count(), 2, "{found:#?}");
        assert!(found.iter().any(|p| p.starts_with("c.toml:2: unknown key `prot`")), "{found:#?}");
        assert!(found.iter().any(|p| p.starts_with("c.toml:3: invalid type: string \"x\", expected u16")), "{found:#?}");
        assert!(found.iter().any(|p| p.starts_with("c.toml:6: unknown key `depht`")), "{found:#?}");
    }

    #[test]
    fn a_good_file_reads() {
        assert!(read::<Settings>(Path::new("c.toml"), "listen = \"a\"\n").is_ok());
    }

    #[test]
    fn a_broken_file_ends() {
        assert_eq!(problems("listen = \n").len(), 1);
        assert!(problems("x = {\n").len() <= 2);
    }
}
