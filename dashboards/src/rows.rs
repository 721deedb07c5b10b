//! Names that many answers need beside the rows: systems by code, accounts by id.

use std::collections::HashMap;

use event::Scope;
use serde_json::{Value, json};

use crate::{App, api::incidents::user_names, error::Result};

/// Names by id, loaded once for one answer.
pub struct Names {
    systems: HashMap<String, (String, u8)>,
    pub users: HashMap<i64, String>,
}

impl Names {
    pub async fn load(app: &App) -> Result<Self> {
        let register = app.state.register(&Scope::internal("names")).await?;
        let systems = register
            .systems_at(app.clock.now())
            .into_iter()
            .map(|system| (system.id.clone(), (system.name.clone(), system.level)))
            .collect();
        Ok(Self { systems, users: user_names(&app.state.users().await?) })
    }

    /// A system as answers refer to it; `null` for the unassigned. The level is the one given, else today's.
    pub fn system(&self, id: &str, level: Option<u8>) -> Value {
        match self.systems.get(id) {
            Some((name, today)) => json!({ "id": id, "name": name, "level": level.unwrap_or(*today) }),
            None if id == event::UNASSIGNED || id.is_empty() => Value::Null,
            None => json!({ "id": id, "name": id, "level": level }),
        }
    }
}
