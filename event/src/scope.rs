//! Who asks, and what they may see. A required argument of every reader: there is no default scope.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Privacy, UNASSIGNED};

/// What a person is here to do; rights follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Keeps the server running: everything, users and sources included.
    Admin,
    /// Hunts and handles alerts over all systems.
    Analyst,
    /// Receives pages and handles incidents; may also hunt.
    Oncall,
    /// Reads evidence of the systems in scope; personal data masked; changes nothing.
    Auditor,
    /// Sees the systems in scope only.
    Owner,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Admin, Self::Analyst, Self::Oncall, Self::Auditor, Self::Owner];

    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Analyst => "analyst",
            Self::Oncall => "oncall",
            Self::Auditor => "auditor",
            Self::Owner => "owner",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Writing SQL is a right; reading a saved view is not.
    pub fn may_write_sql(self) -> bool {
        matches!(self, Self::Admin | Self::Analyst)
    }

    pub fn may_administer(self) -> bool {
        self == Self::Admin
    }

    /// Placing a legal hold only adds to what is kept; releasing one is for administrators.
    pub fn may_place_holds(self) -> bool {
        matches!(self, Self::Admin | Self::Analyst)
    }

    pub fn may_handle_incidents(self) -> bool {
        matches!(self, Self::Admin | Self::Analyst | Self::Oncall)
    }
}

/// Which information systems a person sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Systems {
    /// Every system, and events of unknown senders.
    All,
    /// These systems and nothing else.
    Only(BTreeSet<String>),
}

/// Who asks. Readers filter by [`Scope::sees`] and mask by [`Scope::sees_plain`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Account name, for audit events and limits.
    pub actor: String,
    pub role: Role,
    pub systems: Systems,
}

impl Scope {
    /// The scope of the program's own work (rules, checks, audit): everything, unmasked. Never for a person's request.
    pub fn internal(what: &str) -> Self {
        Self { actor: format!("chieng:{what}"), role: Role::Admin, systems: Systems::All }
    }

    pub fn sees(&self, system: &str) -> bool {
        match &self.systems {
            Systems::All => true,
            Systems::Only(ids) => system != UNASSIGNED && ids.contains(system),
        }
    }

    pub fn sees_all(&self) -> bool {
        self.systems == Systems::All
    }

    /// True when this asker may see whatever the other may: every system of theirs, every kind of value as plainly.
    /// For answers that were kept: they were made in the scope of then, and are read in the scope of now.
    pub fn covers(&self, other: &Self) -> bool {
        let systems = match (&self.systems, &other.systems) {
            (Systems::All, _) => true,
            (Systems::Only(_), Systems::All) => false,
            (Systems::Only(own), Systems::Only(theirs)) => theirs.is_subset(own),
        };
        let classes = [Privacy::None, Privacy::Personal, Privacy::Sensitive, Privacy::Secret];
        systems && classes.into_iter().all(|class| self.sees_plain(class) || !other.sees_plain(class))
    }

    /// True when a column of this privacy class is shown as it is; false means a keyed token stands in its place.
    pub fn sees_plain(&self, privacy: Privacy) -> bool {
        match privacy {
            Privacy::None => true,
            Privacy::Personal => !matches!(self.role, Role::Auditor),
            Privacy::Sensitive => matches!(self.role, Role::Admin | Role::Analyst | Role::Oncall),
            Privacy::Secret => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(role: Role, systems: Option<&[&str]>) -> Scope {
        let systems = systems.map_or(Systems::All, |ids| Systems::Only(ids.iter().map(|id| (*id).to_owned()).collect()));
        Scope { actor: "lan".to_owned(), role, systems }
    }

    #[test]
    fn a_scope_covers_what_sees_no_more() {
        let both = scope(Role::Analyst, Some(&["mot", "hai"]));
        assert!(both.covers(&both) && both.covers(&scope(Role::Owner, Some(&["hai"]))));
        assert!(scope(Role::Admin, None).covers(&both));
        assert!(!both.covers(&scope(Role::Analyst, None)), "everything holds systems that are on no list");
        assert!(!both.covers(&scope(Role::Analyst, Some(&["hai", "ba"]))));
        assert!(!scope(Role::Auditor, None).covers(&both), "who reads masked may not read what was kept plain");
        assert!(!scope(Role::Owner, None).covers(&scope(Role::Analyst, None)));
    }
}
