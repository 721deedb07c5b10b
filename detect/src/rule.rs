//! A rule as people see it: everything in the file but the logic, which is compiled away into the [`crate::RuleSet`].

use event::severity::Severity;

use crate::mapping::LogSource;

/// How far a rule has come, in Sigma's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Unsupported,
    Deprecated,
    Experimental,
    #[default]
    Test,
    Stable,
}

impl Status {
    pub const ALL: [Self; 5] = [Self::Unsupported, Self::Deprecated, Self::Experimental, Self::Test, Self::Stable];

    pub fn name(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::Deprecated => "deprecated",
            Self::Experimental => "experimental",
            Self::Test => "test",
            Self::Stable => "stable",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A link to another rule (`related:`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    pub id: String,
    /// `derived`, `obsolete`, `merged`, `renamed` or `similar`.
    pub kind: String,
}

/// One compiled rule: its words, where it is from and what it needs.
#[derive(Clone, Debug)]
pub struct Rule {
    /// UUID of the file; the path (and number in the file) where it gives none.
    pub id: String,
    pub title: String,
    pub title_vi: Option<String>,
    pub name: Option<String>,
    pub status: Status,
    pub level: Severity,
    pub tags: Vec<String>,
    pub author: Option<String>,
    pub license: Option<String>,
    pub date: Option<String>,
    pub modified: Option<String>,
    pub description: String,
    pub description_vi: Option<String>,
    pub falsepositives: Vec<String>,
    pub falsepositives_vi: Vec<String>,
    pub references: Vec<String>,
    pub related: Vec<Related>,
    pub fields: Vec<String>,
    pub scope: Vec<String>,
    /// What to do, step by step (`chieng.response_en`, `chieng.response_vi`).
    pub response: Vec<String>,
    pub response_vi: Vec<String>,
    pub logsource: LogSource,
    /// Columns whose values make one alert of many matches (`chieng.group_by`).
    pub group_by: Vec<String>,
    /// Kind of activity the rule belongs to (`chieng.family`), for incident grouping.
    pub family: Option<String>,
    pub path: String,
    /// Line of the document in its file, from 1.
    pub line: u32,
    pub needs: Needs,
    /// Top-level keys that Sigma and we do not know, kept by name.
    pub other_keys: Vec<String>,
}

/// What must arrive before a rule can ever match; without it the rule is *blind*.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// False when no entry of the mapping gives events this log source: the rule is blind here, whatever arrives.
    pub is_log_source_known: bool,
    /// Datasets that carry the log source (`x.*` = all below x); empty when it is known by other columns.
    pub datasets: Vec<String>,
    /// Conditions on columns that make an event part of the log source: any of the lists, all inside a list.
    pub when: Vec<Vec<(String, Vec<String>)>>,
    /// For each field that the rule asks for: the columns, one of which must have values.
    pub columns: Vec<Vec<String>>,
    /// True when the rule also searches the whole event.
    pub has_keywords: bool,
}

/// A document that was not loaded, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub file: String,
    /// From 1; 0 when unknown.
    pub line: u32,
    /// Id or title, as far as they could be read.
    pub rule: String,
    pub reason: String,
}

/// Something that loads but is probably not what its author wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    pub file: String,
    pub line: u32,
    pub rule: String,
    /// Short name of the check, for example `keyword_integer`.
    pub check: &'static str,
    pub message: String,
}
