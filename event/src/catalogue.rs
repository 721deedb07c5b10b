//! The field catalogue: `fields.toml` as constants ([`field`]) and as a table ([`Field::definition`]).
//!
//! Fields outside the catalogue are not here: they live as text under their own dotted name.

use arrow::datatypes::{DataType, TimeUnit};
use hashbrown::HashMap;
use std::{fmt, sync::LazyLock};

/// A catalogue field; a small number, so that scratch and builder index arrays by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field(pub(crate) u16);

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Keyword,
    Text,
    Ip,
    Long,
    Double,
    Boolean,
    Date,
}

/// How a column may be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    Exact,
    Text,
    None,
}

/// Who may see a column unmasked (Law 91/2025).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    None,
    Personal,
    Sensitive,
    Secret,
}

/// One block of `fields.toml`; the meaning of each key is written at the head of that file.
#[derive(Debug)]
pub struct Definition {
    pub name: &'static str,
    pub kind: Kind,
    pub list: bool,
    pub index: Index,
    pub intern: bool,
    pub privacy: Privacy,
    pub sigma: &'static [&'static str],
    pub ocsf: &'static str,
    pub label_vi: &'static str,
    pub label_en: &'static str,
    pub doc: &'static str,
}

/// One constant per field: `field::SOURCE_IP` is `source.ip`.
pub mod field {
    use super::{Definition, Field, Index, Kind, Privacy};
    include!(concat!(env!("OUT_DIR"), "/fields.rs"));
}

static BY_NAME: LazyLock<HashMap<&'static str, Field>> =
    LazyLock::new(|| Field::all().map(|field| (field.name(), field)).collect());

impl Field {
    /// Number of catalogue fields.
    pub const COUNT: usize = field::DEFINITIONS.len();

    /// Finds a field by its dotted name; names are case-sensitive.
    pub fn by_name(name: &str) -> Option<Self> {
        BY_NAME.get(name).copied()
    }

    /// All fields, in the order of their names.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u16).map(Self)
    }

    pub fn definition(self) -> &'static Definition {
        &field::DEFINITIONS[self.index()]
    }

    pub fn name(self) -> &'static str {
        self.definition().name
    }

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Definition {
    /// The Arrow type of the column, list fields included.
    pub fn data_type(&self) -> DataType {
        let scalar = match self.kind {
            Kind::Keyword | Kind::Text | Kind::Ip => DataType::Utf8View,
            Kind::Long => DataType::Int64,
            Kind::Double => DataType::Float64,
            Kind::Boolean => DataType::Boolean,
            Kind::Date => timestamp_type(),
        };
        if self.list { DataType::new_list(scalar, true) } else { scalar }
    }
}

/// Returns the type of every time column: microseconds, UTC.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_and_found() {
        let names: Vec<_> = Field::all().map(Field::name).collect();
        assert!(names.is_sorted());
        assert_eq!(Field::by_name("source.ip"), Some(field::SOURCE_IP));
        assert_eq!(Field::by_name("Source.ip"), None);
        assert_eq!(field::SOURCE_IP.name(), "source.ip");
    }

    #[test]
    fn lists_hold_text_only() {
        for field in Field::all() {
            let definition = field.definition();
            let is_text = matches!(definition.kind, Kind::Keyword | Kind::Text | Kind::Ip);
            assert!(!definition.list || is_text, "{field:?}: the builder knows lists of text only");
        }
    }
}
