//! How long events are kept: the register's levels, the configuration's months, the longest rule wins.

use std::sync::{Arc, PoisonError, RwLock};

use event::Micros;
use state::register::SystemEntry;
use store::RetentionPolicy;

use crate::{config::Retention, pipe::Knowledge};

/// 31 days: a calendar month is never longer, so a legal minimum is never cut short.
const MONTH: Micros = 31 * 86_400_000_000;

/// The policy as the register stands at each question.
pub struct Policy {
    settings: Retention,
    knowledge: Arc<RwLock<Knowledge>>,
}

impl Policy {
    pub fn new(settings: Retention, knowledge: Arc<RwLock<Knowledge>>) -> Self {
        Self { settings, knowledge }
    }

    fn months(&self, system: &SystemEntry) -> u32 {
        let by_level = self.settings.months_by_level[usize::from(system.level.clamp(1, 5)) - 1];
        by_level.max(system.retention_months.unwrap_or(0))
    }
}

impl RetentionPolicy for Policy {
    fn keep(&self, system: &str, _class: &str) -> Option<Micros> {
        if self.settings.keep_all {
            return None;
        }
        let register = self.knowledge.read().unwrap_or_else(PoisonError::into_inner).register.clone();
        let months = match register.system(system) {
            Some(system) => self.months(system),
            // What is unknown is kept for the longest rule of the register.
            None => {
                let default = self.settings.months_by_level.iter().max().copied().unwrap_or(12);
                register.systems().iter().map(|system| self.months(system)).max().unwrap_or(default)
            }
        };
        Some(i64::from(months) * MONTH)
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
    use event::UNASSIGNED;

    #[test]
    fn the_unknown_is_kept_for_the_longest_rule() {
        let policy = Policy::new(Retention::default(), Arc::default());
        assert_eq!(policy.keep(UNASSIGNED, "sshd.auth"), Some(12 * MONTH));
        let keep_all = Retention { keep_all: true, ..Retention::default() };
        assert_eq!(Policy::new(keep_all, Arc::default()).keep("dvc", "x"), None);
    }
}
