//! Names of mappings, kept for the life of the program: an event borrows them, and a reload of the same file finds them again.

use std::{collections::HashSet, sync::Mutex};

/// Bytes that all mappings' names may take together.
const BYTES_MAX: usize = 4 * 1024 * 1024;

struct Names {
    known: HashSet<&'static str>,
    bytes: usize,
}

static NAMES: Mutex<Option<Names>> = Mutex::new(None);

/// Returns the kept copy of a name; `None` when the room for names is used up.
pub fn intern(name: &str) -> Option<&'static str> {
    let mut names = NAMES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let names = names.get_or_insert_with(|| Names { known: HashSet::new(), bytes: 0 });
    if let Some(known) = names.known.get(name) {
        return Some(known);
    }
    if names.bytes + name.len() > BYTES_MAX {
        return None;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.bytes += kept.len();
    names.known.insert(kept);
    Some(kept)
}

/// Returns a kept list of kept names; lists are few and short.
pub fn list(names: Vec<&'static str>) -> &'static [&'static str] {
    static LISTS: Mutex<Vec<&'static [&'static str]>> = Mutex::new(Vec::new());
    if names.is_empty() {
        return &[];
    }
    let mut lists = LISTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = lists.iter().find(|known| ***known == *names) {
        return known;
    }
    let kept: &'static [&'static str] = Box::leak(names.into_boxed_slice());
    lists.push(kept);
    kept
}
