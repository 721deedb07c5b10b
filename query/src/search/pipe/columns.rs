//! The fields that a stage sees: those of events, until a command names its columns; less what was removed, plus what was
//! computed.

use std::collections::BTreeSet;

use event::Kind;

use super::{Named, read::canonical, shape::Type};
use crate::{
    error::nearest,
    search::{Fields, Problem, SearchError},
};

#[derive(Clone)]
pub(super) struct Columns<'f> {
    /// Every field of events is here, unless removed.
    open: Option<&'f dyn Fields>,
    removed: BTreeSet<String>,
    /// Computed or named columns, in order.
    own: Vec<(String, Type)>,
    /// Lists that became a row of each element: several rows are of one event.
    pub expanded: Vec<String>,
}

impl<'f> Columns<'f> {
    pub(super) fn of_events(fields: &'f dyn Fields) -> Self {
        Self { open: Some(fields), removed: BTreeSet::new(), own: vec![], expanded: vec![] }
    }

    pub(super) fn closed(own: Vec<(String, Type)>) -> Self {
        Self { open: None, removed: BTreeSet::new(), own, expanded: vec![] }
    }

    /// True while all fields of events may be there.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn own(&self) -> &[(String, Type)] {
        &self.own
    }

    pub(super) fn get(&self, name: &str) -> Option<Type> {
        if let Some((_, found)) = self.own.iter().find(|(own, _)| own == name) {
            return Some(*found);
        }
        let open = self.open.filter(|_| !self.removed.contains(name))?;
        open.kind(name).map(|(kind, is_list)| Type::of(kind, is_list))
    }

    /// The type of a field, or what was probably meant.
    pub(super) fn find(&self, name: &Named) -> Result<Type, SearchError> {
        self.get(&name.name).ok_or_else(|| self.unknown(name))
    }

    pub(super) fn unknown(&self, name: &Named) -> SearchError {
        let own = self.own.iter().map(|(own, _)| own.as_str());
        let near = nearest(&name.name, own).map(str::to_owned);
        let near = near.or_else(|| self.open.and_then(|open| open.nearest(&name.name)).filter(|near| self.get(near).is_some()));
        match near {
            Some(near) => name.span.error(Problem::NotAField, [&name.name, &near]),
            None => name.span.error(Problem::NotAFieldText, [&name.name]),
        }
    }

    /// Adds a column, or gives one of that name another meaning.
    pub(super) fn set(&mut self, name: &str, holds: Type) {
        self.own.retain(|(own, _)| own != name);
        self.removed.insert(name.to_owned());
        self.own.push((name.to_owned(), holds));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.own.retain(|(own, _)| own != name);
        self.removed.insert(name.to_owned());
    }

    /// Gives a column another name, in its place.
    pub(super) fn rename(&mut self, old: &str, new: &str, holds: Type) {
        self.removed.extend([old.to_owned(), new.to_owned()]);
        match self.own.iter_mut().find(|(own, _)| own == old) {
            Some(column) => column.0 = new.to_owned(),
            None => self.own.push((new.to_owned(), holds)),
        }
    }

    /// Names that completion may offer: all of them.
    pub(super) fn names(&self) -> Vec<(String, Type)> {
        let mut names = self.own.clone();
        if let Some(open) = self.open {
            let rest = open.names().into_iter().filter(|name| !self.removed.contains(name));
            names.extend(rest.filter_map(|name| {
                let (kind, is_list) = open.kind(&name)?;
                Some((name, Type::of(kind, is_list)))
            }));
        }
        names
    }
}

/// The search box over the columns of a stage.
impl Fields for Columns<'_> {
    fn kind(&self, name: &str) -> Option<(Kind, bool)> {
        let name = canonical(name);
        if !self.own.iter().any(|(own, _)| own == name)
            && let Some(open) = self.open.filter(|_| !self.removed.contains(name))
        {
            return open.kind(name);
        }
        self.get(name).map(Type::kind)
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let names = self.own.iter().map(|(own, _)| own.as_str());
        let near = nearest(name, names).map(str::to_owned);
        near.or_else(|| self.open.and_then(|open| open.nearest(name)).filter(|near| self.get(near).is_some()))
    }

    fn names(&self) -> Vec<String> {
        self.names().into_iter().map(|(name, _)| name).collect()
    }
}
