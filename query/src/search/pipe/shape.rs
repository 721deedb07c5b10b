//! Types of values between stages.

use std::fmt;

use event::Kind;

/// What a column or expression holds. Its name is the same word in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    Ip,
    Long,
    Double,
    Boolean,
    Date,
    /// A length of time.
    Span,
    /// A list field of events: comparisons mean any element.
    List,
    /// A list that was computed, by `values`.
    Array,
    /// `null`.
    Nothing,
}

impl Type {
    pub(crate) fn of(kind: Kind, is_list: bool) -> Self {
        match kind {
            _ if is_list => Self::List,
            Kind::Keyword | Kind::Text => Self::Text,
            Kind::Ip => Self::Ip,
            Kind::Long => Self::Long,
            Kind::Double => Self::Double,
            Kind::Boolean => Self::Boolean,
            Kind::Date => Self::Date,
        }
    }

    /// The type as the search box knows it.
    pub(crate) fn kind(self) -> (Kind, bool) {
        match self {
            Self::Text | Self::Nothing | Self::Span => (Kind::Keyword, false),
            Self::Ip => (Kind::Ip, false),
            Self::Long => (Kind::Long, false),
            Self::Double => (Kind::Double, false),
            Self::Boolean => (Kind::Boolean, false),
            Self::Date => (Kind::Date, false),
            Self::List | Self::Array => (Kind::Keyword, true),
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Long | Self::Double)
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Ip)
    }

    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::List | Self::Array)
    }

    /// The one type that holds values of both, when there is one.
    pub(crate) fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Nothing, one) | (one, Self::Nothing) => Some(one),
            (one, same) if one == same => Some(one),
            (one, other) if one.is_text() && other.is_text() => Some(Self::Text),
            (one, other) if one.is_number() && other.is_number() => Some(Self::Double),
            _ => None,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Ip => "ip",
            Self::Long | Self::Double => "number",
            Self::Boolean => "true/false",
            Self::Date => "time",
            Self::Span => "span",
            Self::List | Self::Array => "list",
            Self::Nothing => "null",
        })
    }
}
