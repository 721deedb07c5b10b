//! How long events are kept: the register's levels, the configuration's months, the longest rule wins.

use std::sync::{Arc, PoisonError, RwLock};

use event::Micros;
use state::register::{Snapshot, SystemEntry};
use store::RetentionPolicy;

use crate::{config::Retention, pipe::Knowledge};

/// 31 days: a calendar month is never longer, so a legal minimum is never cut short.
const MONTH: Micros = 31 * 86_400_000_000;

/// Months that TCVN 14423:2026 x.8.2.1 a asks of levels 1 to 5; it is silent on level 1.
pub const LEGAL_MONTHS: [Option<u32>; 5] = [None, Some(1), Some(3), Some(6), Some(12)];

/// The policy as the register stands at each question.
pub struct Policy {
    settings: Retention,
    knowledge: Arc<RwLock<Knowledge>>,
}

impl Policy {
    pub fn new(settings: Retention, knowledge: Arc<RwLock<Knowledge>>) -> Self {
        Self { settings, knowledge }
    }

    fn register(&self) -> Arc<Snapshot> {
        self.knowledge.read().unwrap_or_else(PoisonError::into_inner).register.clone()
    }

    fn months(&self, system: &SystemEntry) -> u32 {
        let by_level = self.settings.months_by_level[index(system)];
        by_level.max(system.retention_months.unwrap_or(0))
    }

    /// The longest rule of a log class for this system; 0 where there is none.
    fn months_of_class(&self, system: &str, class: &str) -> u32 {
        let rules = self.settings.classes.iter().filter(|rule| rule.class == class);
        let fits = |rule: &&crate::config::ClassRule| rule.systems.is_empty() || rule.systems.iter().any(|one| one == system);
        rules.filter(fits).map(|rule| rule.months).max().unwrap_or(0)
    }
}

fn index(system: &SystemEntry) -> usize {
    usize::from(system.level.clamp(1, 5)) - 1
}

impl RetentionPolicy for Policy {
    fn keep(&self, system: &str, class: &str) -> Option<Micros> {
        if self.settings.keep_all {
            return None;
        }
        let register = self.register();
        let months = match register.system(system) {
            Some(entry) => self.months(entry).max(self.months_of_class(system, class)),
            // What is unknown is kept for the longest rule of the register: it may be anybody's.
            None => {
                let default = self.settings.months_by_level.iter().max().copied().unwrap_or(12);
                let by_level = register.systems().iter().map(|entry| self.months(entry)).max().unwrap_or(default);
                let rules = self.settings.classes.iter().filter(|rule| rule.class == class);
                rules.map(|rule| rule.months).max().unwrap_or(0).max(by_level)
            }
        };
        Some(i64::from(months) * MONTH)
    }

    /// The law's months for the level, and a class rule where one is written: such a rule is there because some law asks.
    fn minimum(&self, system: &str, class: &str) -> Option<Micros> {
        let register = self.register();
        let by_level = register.system(system).and_then(|entry| LEGAL_MONTHS[index(entry)]);
        let by_class = Some(self.months_of_class(system, class)).filter(|months| *months > 0);
        by_level.max(by_class).map(|months| i64::from(months) * MONTH)
    }

    fn actor(&self) -> String {
        "chieng:retention".into()
    }

    fn reason(&self) -> String {
        let months = self.settings.months_by_level.map(|months| months.to_string()).join(", ");
        format!("outlived the longest rule of its systems (months by level 1–5: {months})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ClassRule;
    use event::UNASSIGNED;

    #[test]
    fn the_unknown_is_kept_for_the_longest_rule() {
        let policy = Policy::new(Retention::default(), Arc::default());
        assert_eq!(policy.keep(UNASSIGNED, "sshd.auth"), Some(12 * MONTH));
        assert_eq!(policy.minimum(UNASSIGNED, "sshd.auth"), None);
        let keep_all = Retention { keep_all: true, ..Retention::default() };
        assert_eq!(Policy::new(keep_all, Arc::default()).keep("dvc", "x"), None);
    }

    #[test]
    fn a_rule_of_a_class_lengthens_and_never_shortens() {
        let rule =
            |months| ClassRule { class: "web.access".into(), months, systems: vec!["dvc".into()], reason: "ND 333".into() };
        let policy = |months| {
            let settings = Retention { classes: vec![rule(months)], ..Retention::default() };
            Policy::new(settings, Arc::default())
        };
        assert_eq!(policy(24).keep(UNASSIGNED, "web.access"), Some(24 * MONTH));
        assert_eq!(policy(1).keep(UNASSIGNED, "web.access"), Some(12 * MONTH));
        assert_eq!(policy(24).keep(UNASSIGNED, "other"), Some(12 * MONTH));
        assert_eq!((policy(24).minimum("dvc", "web.access"), policy(24).minimum("mail", "web.access")), (Some(24 * MONTH), None));
    }
}
