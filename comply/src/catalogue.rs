//! The catalogue: all frameworks and checks, embedded in the program or read from files the operator names.
//!
//! Broken files and rows are listed as [`Problem`]s with file and line; everything else works.

use std::fmt;

use serde::Serialize;

use crate::{Check, Framework, check, framework};

/// A file to load: its name as shown, and its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    pub path: String,
    pub text: String,
}

/// Something in a file that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub file: String,
    pub line: u64,
    pub reason: String,
}

impl Problem {
    pub(crate) fn new(file: &SourceFile, line: u64, reason: impl Into<String>) -> Self {
        Self { file: file.path.clone(), line: line.max(1), reason: reason.into() }
    }

    pub(crate) fn yaml(file: &SourceFile, error: &serde_saphyr::Error) -> Self {
        let line = error.location().map_or(1, |at| at.line());
        let reason = error.without_snippet().to_string();
        Self::new(file, line, reason.lines().next().unwrap_or("not YAML").to_owned())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// All frameworks and checks that can be used.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    frameworks: Vec<Framework>,
    checks: Vec<Check>,
    problems: Vec<Problem>,
}

macro_rules! embedded {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../", $path)))),*]
    };
}

/// One line a file.
const FRAMEWORKS: &[(&str, &str)] = embedded!["frameworks/tcvn_14423_2026.yml", "frameworks/tcvn_11930_2017.yml"];

/// One line a file.
const CHECKS: &[(&str, &str)] = embedded![
    "checks/log_sources_speaking.yml",
    "checks/log_retention_span.yml",
    "checks/clock_drift.yml",
    "checks/required_log_types.yml",
    "checks/antimalware_coverage.yml",
    "checks/signature_age.yml",
    "checks/provider_logs.yml",
    "checks/central_accounts.yml",
    "checks/remote_access_vpn.yml",
    "checks/aaa_logins.yml",
    "checks/network_access_control.yml",
    "checks/software_changes.yml",
    "checks/data_operations.yml",
    "checks/file_integrity.yml",
    "checks/url_filter.yml",
    "checks/mail_server_antimalware.yml",
    "checks/mail_protection.yml",
    "checks/account_activity.yml",
    "checks/host_firewall.yml",
    "checks/patching_monthly.yml",
    "checks/antimalware_console.yml",
    "checks/edr_feed.yml",
    "checks/network_malware.yml",
    "checks/firewall_and_ips.yml",
    "checks/web_application_firewall.yml",
    "checks/dns_filtering.yml",
    "checks/data_log_fields.yml",
    "checks/process_log_fields.yml",
    "checks/alert_log_fields.yml",
    "checks/access_log_fields.yml",
    "checks/dhcp_logging.yml",
];

impl Catalogue {
    /// Loads what the program carries; its problems are a bug of ours and tested to be none.
    pub fn load_embedded() -> Self {
        let files = |list: &[(&str, &str)]| {
            list.iter().map(|(path, text)| SourceFile { path: (*path).to_owned(), text: (*text).to_owned() }).collect::<Vec<_>>()
        };
        Self::load(&files(FRAMEWORKS), &files(CHECKS))
    }

    /// Loads the given files; of two with the same id the later one counts, so that a province may replace ours.
    pub fn load(frameworks: &[SourceFile], checks: &[SourceFile]) -> Self {
        let mut catalogue = Self::default();
        for file in checks {
            if let Some(check) = check::load(file, &mut catalogue.problems) {
                catalogue.checks.retain(|other| other.id != check.id);
                catalogue.checks.push(check);
            }
        }
        for file in frameworks {
            let Some(mut framework) = framework::load(file, &mut catalogue.problems) else { continue };
            for requirement in &mut framework.requirements {
                let unknown: Vec<_> =
                    requirement.checks.iter().filter(|id| !catalogue.checks.iter().any(|c| c.id == **id)).cloned().collect();
                for id in unknown {
                    let line = file.text.lines().position(|line| line.contains(&requirement.key)).map_or(1, |at| at as u64 + 1);
                    let reason = format!("requirement {} names the check {id}, which does not exist", requirement.key);
                    catalogue.problems.push(Problem::new(file, line, reason));
                    requirement.checks.retain(|check| *check != id);
                }
            }
            catalogue.frameworks.retain(|other| other.id != framework.id);
            catalogue.frameworks.push(framework);
        }
        catalogue
    }

    pub fn frameworks(&self) -> &[Framework] {
        &self.frameworks
    }

    pub fn framework(&self, id: &str) -> Option<&Framework> {
        self.frameworks.iter().find(|framework| framework.id == id)
    }

    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }

    /// What could not be used, with file and line.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

#[cfg(test)]
mod tests;
