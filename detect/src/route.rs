//! Rows → classes: what each event of a batch is, in the words of log sources.

use std::sync::Arc;

use event::batch::CODE_NULL;
use hashbrown::HashMap;

use crate::{
    column::{Column, Columns},
    mapping::{EventClass, EventEntry, Mapping},
};

/// Returns the class of each row (none when all rows share class 0) and for each class what `plan` makes of it.
pub fn classify<P>(
    mapping: &Mapping,
    dataset: &str,
    columns: &Columns<'_>,
    plan: impl Fn(&EventClass) -> Arc<P>,
) -> (Vec<u32>, Vec<Arc<P>>) {
    let entries: Vec<&EventEntry> = mapping.events.iter().filter(|entry| entry.covers_dataset(dataset)).collect();
    // Only the columns that these entries ask for and that the batch has.
    let mut keys: Vec<(usize, Column<'_>)> = Vec::new();
    for (key, _) in entries.iter().flat_map(|entry| entry.when.iter().chain(&entry.unless)) {
        if keys.iter().all(|(known, _)| known != key)
            && let Some(column) = columns.field(&mapping.keys[*key].0)
        {
            keys.push((*key, column));
        }
    }
    if keys.is_empty() {
        return (Vec::new(), vec![plan(&class_of(&entries, dataset, &|_| None))]);
    }
    let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut plans: Vec<Arc<P>> = Vec::new();
    let mut classes = Vec::with_capacity(columns.rows());
    let mut codes = Vec::with_capacity(keys.len());
    for row in 0..columns.rows() {
        codes.clear();
        codes.extend(keys.iter().map(|(_, column)| column.codes(row).first().copied().unwrap_or(CODE_NULL)));
        let class = match known.get(&codes) {
            Some(class) => *class,
            None => {
                let value = |key: usize| {
                    let at = keys.iter().position(|(known, _)| *known == key)?;
                    (codes[at] != CODE_NULL).then(|| keys[at].1.distinct.text(codes[at]).to_lowercase())
                };
                let plan = plan(&class_of(&entries, dataset, &value));
                let class = plans.iter().position(|known| Arc::ptr_eq(known, &plan)).unwrap_or_else(|| {
                    plans.push(plan);
                    plans.len() - 1
                }) as u32;
                known.insert(codes.clone(), class);
                class
            }
        };
        classes.push(class);
    }
    (classes, plans)
}

fn class_of(entries: &[&EventEntry], dataset: &str, value: &dyn Fn(usize) -> Option<String>) -> EventClass {
    let holds = |(key, wanted): &(usize, Vec<String>)| match value(*key) {
        Some(value) => wanted.iter().any(|wanted| *wanted == value || wanted == "*"),
        None => false,
    };
    let mut class = EventClass::default();
    for entry in entries {
        if entry.when.iter().all(holds) && !entry.unless.iter().any(holds) {
            class.add(&entry.class);
        }
    }
    if class == EventClass::default() { Mapping::fallback(dataset) } else { class }
}
