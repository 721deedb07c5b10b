//! Small helpers that every module shares: JSON columns, scopes as a bound parameter.

use event::{Scope, Systems, UNASSIGNED};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// Writes a value into a JSON column. The types written here have string keys only, so it cannot fail.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with string keys serialises")
}

/// Reads a JSON column back; `what` names it in the error.
pub(crate) fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Invalid(format!("the stored {what} is not readable: {error}")))
}

/// The scope as the parameter of `(? IS NULL OR system_id IN (SELECT value FROM json_each(?)))`: `None` sees everything.
pub(crate) fn scope_parameter(scope: &Scope) -> Option<String> {
    match &scope.systems {
        Systems::All => None,
        Systems::Only(ids) => Some(to_json(&ids.iter().filter(|id| *id != UNASSIGNED).collect::<Vec<_>>())),
    }
}
