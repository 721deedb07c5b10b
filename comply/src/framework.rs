//! Frameworks: the law as dated data. A framework maps each line of a standard, level by level, to checks.
//!
//! Titles and evidence words are ours; clause numbers are the standard's. A broken requirement is named with its line and the
//! rest of the file works; a file that is not YAML is refused whole.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{EvidenceKind, Problem, SourceFile};

/// Whether a line counts in the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    Mandatory,
    /// Recommended, or left to need and ability.
    Advised,
    /// Two texts disagree; the source says which.
    Conflicting,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    pub vi: String,
    pub en: String,
}

/// A legal text, by its exact name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalText {
    pub name: String,
    pub what: Bilingual,
}

#[derive(Clone, Debug, Serialize)]
pub struct Framework {
    pub id: String,
    pub name: String,
    pub legal_basis: Vec<LegalText>,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
    pub binds: Binds,
    pub requirements: Vec<Requirement>,
}

/// Which systems a framework binds, by the date of their approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binds {
    /// Approvals from this day on.
    #[serde(default)]
    pub approved_from: Option<NaiveDate>,
    /// Approvals before this day.
    #[serde(default)]
    pub approved_before: Option<NaiveDate>,
    /// The day on which approvals outside the range above are bound too.
    #[serde(default)]
    pub others_from: Option<NaiveDate>,
    /// Systems without an approval decision.
    #[serde(default)]
    pub unapproved: bool,
    pub source: String,
}

/// One line of a standard.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Unique within the framework and stable; part of addresses.
    pub key: String,
    /// Clause with x for the level, as catalogues print it.
    pub clause: String,
    pub group: Bilingual,
    pub title: Bilingual,
    /// Clause number and value, by level; a level without an entry has no such line.
    pub levels: BTreeMap<u8, Line>,
    pub kind: EvidenceKind,
    #[serde(default)]
    pub evidence: Option<String>,
    #[serde(default = "mandatory")]
    pub binding: Binding,
    /// Levels on which another binding holds.
    #[serde(default)]
    pub binding_by_level: BTreeMap<u8, Binding>,
    #[serde(default)]
    pub binding_source: Option<String>,
    #[serde(default = "one")]
    pub weight: u32,
    /// Not owed before this day.
    #[serde(default)]
    pub due: Option<NaiveDate>,
    #[serde(default)]
    pub checks: Vec<String>,
}

/// What a line says on one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub clause: String,
    #[serde(default)]
    pub value: Option<String>,
}

fn mandatory() -> Binding {
    Binding::Mandatory
}

fn one() -> u32 {
    1
}

impl Requirement {
    pub fn binding_on(&self, level: u8) -> Binding {
        self.binding_by_level.get(&level).copied().unwrap_or(self.binding)
    }
}

/// Whether and when a framework binds a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Now,
    From(NaiveDate),
    Never,
}

impl Framework {
    /// Lines on a level.
    pub fn lines(&self, level: u8) -> impl Iterator<Item = (&Requirement, &Line)> {
        self.requirements.iter().filter_map(move |requirement| Some((requirement, requirement.levels.get(&level)?)))
    }

    /// Says whether a system with this approval date is bound on `day`.
    pub fn reach(&self, approved: Option<NaiveDate>, day: NaiveDate) -> Reach {
        if day < self.valid_from || self.valid_to.is_some_and(|end| day >= end) {
            return Reach::Never;
        }
        let binds = match approved {
            None => self.binds.unapproved,
            Some(approved) => {
                self.binds.approved_from.is_none_or(|from| approved >= from)
                    && self.binds.approved_before.is_none_or(|before| approved < before)
            }
        };
        match self.binds.others_from {
            _ if binds => Reach::Now,
            Some(from) if day >= from => Reach::Now,
            Some(from) => Reach::From(from),
            None => Reach::Never,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    name: String,
    legal_basis: Vec<LegalText>,
    valid_from: NaiveDate,
    #[serde(default)]
    valid_to: Option<NaiveDate>,
    binds: Binds,
    requirements: Vec<serde_saphyr::Spanned<serde_json::Value>>,
}

/// Reads a framework file; `None` when nothing of it can be used.
pub fn load(file: &SourceFile, problems: &mut Vec<Problem>) -> Option<Framework> {
    let read: File = match serde_saphyr::from_str(&file.text) {
        Ok(read) => read,
        Err(error) => {
            problems.push(Problem::yaml(file, &error));
            return None;
        }
    };
    let mut requirements: Vec<Requirement> = Vec::with_capacity(read.requirements.len());
    for item in read.requirements {
        let line = item.referenced.line();
        match serde_json::from_value::<Requirement>(item.value) {
            Ok(requirement) => match refuse(&requirement, &requirements) {
                None => requirements.push(requirement),
                Some(reason) => problems.push(Problem::new(file, line, reason)),
            },
            Err(error) => problems.push(Problem::new(file, line, format!("requirement is not usable: {error}"))),
        }
    }
    Some(Framework {
        id: read.id,
        name: read.name,
        legal_basis: read.legal_basis,
        valid_from: read.valid_from,
        valid_to: read.valid_to,
        binds: read.binds,
        requirements,
    })
}

fn refuse(requirement: &Requirement, before: &[Requirement]) -> Option<String> {
    let key = &requirement.key;
    if before.iter().any(|other| other.key == *key) {
        return Some(format!("requirement {key} appears twice"));
    }
    if let Some(level) = requirement.levels.keys().find(|level| !(1..=5).contains(*level)) {
        return Some(format!("requirement {key} names level {level}; there are levels 1 to 5"));
    }
    if requirement.levels.is_empty() {
        return Some(format!("requirement {key} has no level"));
    }
    if requirement.weight == 0 || requirement.weight > 1_000 {
        return Some(format!("requirement {key} has weight {}; 1 to 1000 is allowed", requirement.weight));
    }
    None
}
