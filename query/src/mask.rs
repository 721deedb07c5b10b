//! What a role may not read is shown as a keyed token: `p:3f9a…`, the same for the same value everywhere.
//!
//! So grouping, joining and counting still work, and nobody without the key can test a guess. Masking happens when a
//! column is read, below every filter: `WHERE user.name = 'an'` does not match what the asker cannot see, else a question
//! would be an oracle. Numbers, times and truth values of a hidden class are shown as null.

use std::{collections::HashMap, sync::Arc};

use datafusion::arrow::{
    array::{Array, ArrayRef, AsArray, ListArray, StringViewArray, StringViewBuilder, new_null_array},
    compute::cast,
    datatypes::{DataType, Field as ArrowField},
    error::ArrowError,
};
use event::{Field, Privacy, Scope};

/// Makes tokens with the installation's key.
#[derive(Clone)]
pub(crate) struct Masker {
    key: [u8; 32],
}

impl Masker {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The token of a value; its first letter tells the class.
    pub(crate) fn token(&self, privacy: Privacy, value: &str) -> String {
        let class = match privacy {
            Privacy::None | Privacy::Personal => 'p',
            Privacy::Sensitive => 's',
            Privacy::Secret => 'x',
        };
        let hash = blake3::keyed_hash(&self.key, value.as_bytes());
        let bytes = hash.as_bytes();
        format!(
            "{class}:{:016x}",
            u64::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
        )
    }

    /// Replaces each value of a column; the type stays, text becomes `Utf8View`.
    pub(crate) fn mask(&self, privacy: Privacy, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        match array.data_type() {
            DataType::Utf8View => Ok(Arc::new(self.mask_text(privacy, array.as_string_view()))),
            DataType::Utf8 | DataType::LargeUtf8 => {
                let masked = self.mask_text(privacy, cast(array, &DataType::Utf8View)?.as_string_view());
                cast(&masked, array.data_type())
            }
            DataType::List(item) if item.data_type() == &DataType::Utf8View => {
                let list = array.as_list::<i32>();
                let items = self.mask_text(privacy, list.values().as_string_view());
                let item = Arc::new(ArrowField::new_list_field(DataType::Utf8View, true));
                Ok(Arc::new(ListArray::try_new(item, list.offsets().clone(), Arc::new(items), list.nulls().cloned())?))
            }
            other => Ok(new_null_array(other, array.len())),
        }
    }

    fn mask_text(&self, privacy: Privacy, texts: &StringViewArray) -> StringViewArray {
        let mut known: HashMap<&str, String> = HashMap::new();
        let mut out = StringViewBuilder::with_capacity(texts.len());
        for text in texts {
            match text {
                None => out.append_null(),
                Some(text) => out.append_value(known.entry(text).or_insert_with(|| self.token(privacy, text))),
            }
        }
        out.finish()
    }
}

/// The privacy class of a column of events.
///
/// Outside the catalogue nothing is known, so a field counts as personal; one that Sigma knows under the name of a
/// catalogue field (`winlog.event_data.CommandLine`) is at least as private as that field.
pub(crate) fn privacy_of(name: &str) -> Privacy {
    if let Some(field) = Field::by_name(name) {
        return field.definition().privacy;
    }
    let base = name.trim_end_matches("#str");
    if let Some(field) = Field::by_name(base) {
        return field.definition().privacy;
    }
    let last = base.rsplit('.').next().unwrap_or(base);
    let aliased = Field::all()
        .map(Field::definition)
        .filter(|definition| definition.sigma.contains(&last))
        .map(|definition| definition.privacy)
        .max_by_key(|privacy| rank(*privacy));
    match aliased {
        Some(privacy) if rank(privacy) > rank(Privacy::Personal) => privacy,
        _ => Privacy::Personal,
    }
}

/// The class to mask a column of events by; `None` when the asker may see it.
pub(crate) fn hidden(scope: &Scope, name: &str) -> Option<Privacy> {
    let privacy = privacy_of(name);
    (!scope.sees_plain(privacy)).then_some(privacy)
}

/// Name of the Arrow field metadata by which a [`event::seam::TableSource`] tells the privacy of a column that is no
/// catalogue field: `none`, `personal`, `sensitive` or `secret`.
pub const PRIVACY_METADATA: &str = "privacy";

/// The same for a column of another table.
pub(crate) fn hidden_in_table(scope: &Scope, field: &ArrowField) -> Option<Privacy> {
    let privacy = match field.metadata().get(PRIVACY_METADATA).map(String::as_str) {
        Some("personal") => Privacy::Personal,
        Some("sensitive") => Privacy::Sensitive,
        Some("secret") => Privacy::Secret,
        Some(_) => Privacy::None,
        None => Field::by_name(field.name()).map_or(Privacy::None, |field| field.definition().privacy),
    };
    (!scope.sees_plain(privacy)).then_some(privacy)
}

fn rank(privacy: Privacy) -> u8 {
    match privacy {
        Privacy::None => 0,
        Privacy::Personal => 1,
        Privacy::Sensitive => 2,
        Privacy::Secret => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_stable_and_keyed() {
        let (one, two) = (Masker::new([1; 32]), Masker::new([2; 32]));
        assert_eq!(one.token(Privacy::Personal, "an"), one.token(Privacy::Personal, "an"));
        assert_ne!(one.token(Privacy::Personal, "an"), two.token(Privacy::Personal, "an"));
        assert!(one.token(Privacy::Sensitive, "an").starts_with("s:"));
    }

    #[test]
    fn vendor_names_inherit() {
        assert_eq!(privacy_of("winlog.event_data.CommandLine"), Privacy::Sensitive);
        assert_eq!(privacy_of("fortinet.firewall.srcip"), Privacy::Personal);
        assert_eq!(privacy_of("source.port"), Privacy::None);
        assert_eq!(privacy_of("source.port#str"), Privacy::None);
    }
}
