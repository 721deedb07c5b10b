//! Columns that repeat others in the same row: found by sampling, then checked row by row.
//!
//! Candidates are columns that equal another one in every sampled row of a dataset. The typed catalogue column keeps the value,
//! the vendor's column follows from it. Lists follow from single columns or from words that stand in the shape. What does not
//! hold in a row keeps its value there.

use arrow::{array::Array, record_batch::RecordBatch};
use event::{Field, field};
use hashbrown::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::{
    cells::Cells,
    template::{Derived, Element, Names, is_plain_name, is_plain_text},
    time::{Memo, TimeForm, push_number},
};

/// Rows looked at to find candidates.
const SAMPLE: usize = 64;
/// Combinations of derived columns per dataset; beyond it a row derives nothing.
const SETS_MAX: usize = 96;
/// Ways in which one list column follows from others.
const RULES_MAX: usize = 24;
/// Elements of a list that is derived, and bytes of an element that stands in the shape.
const ELEMENTS_MAX: usize = 16;
const WORD_MAX: usize = 24;

/// Columns that always stand for themselves: partition, scope, order, retention and proof read them.
const OWN: &[Field] = &[
    field::TIMESTAMP,
    field::EVENT_CREATED,
    field::EVENT_INGESTED,
    field::EVENT_DATASET,
    field::EVENT_ID,
    field::EVENT_ORIGINAL,
    field::EVENT_ORIGINAL_BYTES,
    field::MESSAGE,
    field::SYSTEM_ID,
    field::HOST_NAME,
    field::RESIDUAL,
];

/// Where several columns are equal, the first of these keeps the value.
const PREFERRED: &[&str] = &[
    "host.name",
    "source.ip",
    "destination.ip",
    "source.port",
    "destination.port",
    "user.name",
    "process.pid",
    "process.name",
    "event.code",
    "event.action",
];

/// What is known of one dataset's columns.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// (column, the column that it equals).
    same: Vec<(u32, u32)>,
    /// (column, the form in which it shows `timestamp`).
    times: Vec<(u32, TimeForm)>,
    lists: Vec<ListRules>,
    sets: Vec<Vec<(u32, Derived)>>,
    by_choice: HashMap<Vec<u8>, u32>,
    /// Names of further columns that have a column's value; hints for reading `key=value`.
    aliases: HashMap<u32, Vec<u32>>,
    relearn_at: usize,
}

#[derive(Debug)]
struct ListRules {
    column: u32,
    rules: Vec<Vec<Element>>,
}

/// The derived columns of a batch.
pub(super) struct Sets {
    rows: Vec<u32>,
    sets: Vec<Vec<(u32, Derived)>>,
    masks: HashMap<String, Vec<bool>>,
}

impl Sets {
    pub fn row(&self, row: usize) -> u32 {
        self.rows[row]
    }

    pub fn is_empty(&self, set: u32) -> bool {
        self.sets[set as usize].is_empty()
    }

    pub fn derived(&self, set: u32) -> &[(u32, Derived)] {
        &self.sets[set as usize]
    }

    /// The rows in which the column is derived; `None` when in none.
    pub fn mask(&self, name: &str) -> Option<&[bool]> {
        self.masks.get(name).map(Vec::as_slice)
    }
}

impl Learned {
    /// Names under which a column's value may be announced in a line.
    pub fn aliases(&self, column: u32) -> &[u32] {
        self.aliases.get(&column).map_or(&[], Vec::as_slice)
    }

    /// True when the column usually follows from another.
    pub fn is_derived(&self, column: u32) -> bool {
        self.same.iter().any(|(derived, _)| *derived == column) || self.times.iter().any(|(derived, _)| *derived == column)
    }

    pub fn derive(&mut self, batch: &RecordBatch, cells: &[Cells<'_>], names: &mut Names) -> Sets {
        if self.sets.len() >= self.relearn_at {
            self.learn(batch, cells, names);
        }
        let rows = batch.num_rows();
        let skew = names.number(field::CHIENG_CLOCK_SKEW.name());
        // One byte per candidate and row: 0 = stands for itself.
        let width = self.same.len() + self.lists.len() + self.times.len() + 1;
        let mut choices = vec![0_u8; rows * width];
        for (at, (column, other)) in self.same.iter().enumerate() {
            let (Some(cell), Some(other)) = (cells.get(*column as usize), cells.get(*other as usize)) else { continue };
            let mut scratch = Vec::new();
            let mut memo = SameMemo::new(cell, rows);
            for row in 0..rows {
                choices[row * width + at] = u8::from(memo.is_same(cell, other, row, &mut scratch));
            }
        }
        let texts = text_columns(batch, cells, names, self);
        for at in 0..self.lists.len() {
            let list = &mut self.lists[at];
            let Some(cell) = cells.get(list.column as usize) else { continue };
            for row in 0..rows {
                choices[row * width + self.same.len() + at] = list.rule(cell, cells, &texts, row);
            }
        }
        let timestamps = Cells::by_name(batch, field::TIMESTAMP.name());
        for (at, (column, form)) in self.times.iter().enumerate() {
            let Some(cell) = cells.get(*column as usize) else { continue };
            let (mut shown, mut memo) = (Vec::new(), Memo::default());
            for row in 0..rows {
                let Some((text, micros)) = cell.text(row).zip(timestamps.date(row)) else { continue };
                shown.clear();
                let is_same = form.render(micros, &mut memo, &mut shown) && shown == text.as_bytes();
                choices[row * width + width - 2 - at] = u8::from(is_same);
            }
        }
        if let Some(cell) = cells.get(skew as usize) {
            let (claimed, received) =
                (Cells::by_name(batch, field::TIMESTAMP.name()), Cells::by_name(batch, field::EVENT_CREATED.name()));
            for row in 0..rows {
                let own = cell.long(row).is_some_and(|own| skew_of(claimed.date(row), received.date(row)) == Some(own));
                choices[row * width + width - 1] = u8::from(own);
            }
        }
        self.finish(&choices, width, rows, skew, names)
    }

    fn finish(&mut self, choices: &[u8], width: usize, rows: usize, skew: u32, names: &Names) -> Sets {
        let mut numbers = Vec::with_capacity(rows);
        let mut last: Option<(&[u8], u32)> = None;
        for choice in choices.chunks_exact(width) {
            let number = match last {
                Some((known, number)) if known == choice => number,
                _ => self.set(choice, skew),
            };
            last = Some((choice, number));
            numbers.push(number);
        }
        let mut masks: HashMap<String, Vec<bool>> = HashMap::new();
        let mut start = 0;
        while start < rows {
            let number = numbers[start];
            let end = numbers[start..].iter().position(|other| *other != number).map_or(rows, |len| start + len);
            for (column, _) in &self.sets[number as usize] {
                let mask = masks.entry_ref(names.name(*column)).or_insert_with(|| vec![false; rows]);
                mask[start..end].fill(true);
            }
            start = end;
        }
        Sets { rows: numbers, sets: self.sets.clone(), masks }
    }

    /// The number of a combination.
    fn set(&mut self, choice: &[u8], skew: u32) -> u32 {
        if let Some(number) = self.by_choice.get(choice) {
            return *number;
        }
        if self.sets.len() >= SETS_MAX {
            // Set 0 derives nothing.
            return 0;
        }
        let mut set = Vec::new();
        for ((column, other), chosen) in self.same.iter().zip(choice) {
            if *chosen > 0 {
                set.push((*column, Derived::Same(*other)));
            }
        }
        for (list, chosen) in self.lists.iter().zip(&choice[self.same.len()..]) {
            if *chosen > 0 {
                set.push((list.column, Derived::List(list.rules[usize::from(*chosen) - 1].clone())));
            }
        }
        for (at, (column, form)) in self.times.iter().enumerate() {
            if choice[choice.len() - 2 - at] > 0 {
                set.push((*column, Derived::Time(*form)));
            }
        }
        if choice[choice.len() - 1] > 0 {
            set.push((skew, Derived::Skew));
        }
        let number = self.sets.len() as u32;
        self.sets.push(set);
        self.by_choice.insert(choice.to_vec(), number);
        number
    }

    /// Looks for candidates in a sample.
    fn learn(&mut self, batch: &RecordBatch, cells: &[Cells<'_>], names: &Names) {
        if self.sets.is_empty() {
            self.sets.push(Vec::new());
        }
        // Again when there are many combinations: the first batch may have been too small to tell.
        self.relearn_at = self.sets.len() + 24;
        self.by_choice.clear();
        self.same.clear();
        self.aliases.clear();
        let rows: Vec<usize> = (0..batch.num_rows()).step_by(batch.num_rows().div_ceil(SAMPLE).max(1)).collect();
        let mut groups: HashMap<Vec<u64>, Vec<u32>> = HashMap::new();
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let mut text = Vec::new();
        for (number, cell) in cells.iter().enumerate() {
            let name = names.name(number as u32);
            // What is itself put together from the row must not be what others follow from.
            if !is_plain_name(name)
                || [field::EVENT_ORIGINAL, field::MESSAGE, field::EVENT_ID].iter().any(|own| own.name() == name)
            {
                continue;
            }
            let print: Vec<u64> = rows
                .iter()
                .map(|row| if canonical_text(cell, *row, &mut text) { hasher.hash_one(&text) | 1 } else { 0 })
                .collect();
            if print.iter().any(|hash| *hash != 0) {
                groups.entry(print).or_default().push(number as u32);
            }
        }
        let is_own = |number: u32| OWN.iter().any(|own| own.name() == names.name(number));
        for mut group in groups.into_values().filter(|group| group.len() > 1) {
            group.sort_by_key(|number| rank(names.name(*number)));
            let first = group[0];
            for other in group.into_iter().skip(1) {
                self.aliases.entry(first).or_default().push(other);
                if !is_own(other) {
                    self.same.push((other, first));
                }
            }
        }
        self.same.sort_unstable();
        self.times.clear();
        let timestamps = Cells::by_name(batch, field::TIMESTAMP.name());
        for (number, cell) in cells.iter().enumerate() {
            let number = number as u32;
            let name = names.name(number);
            if is_plain_name(name) && !is_own(number) && !self.same.iter().any(|(derived, _)| *derived == number) {
                self.times.extend(form_of(cell, &timestamps, &rows).map(|form| (number, form)));
            }
        }
        let times = &self.times;
        self.same.retain(|(_, other)| !times.iter().any(|(derived, _)| derived == other));
        for (number, cell) in cells.iter().enumerate() {
            let number = number as u32;
            let is_new = self.lists.iter().all(|list| list.column != number);
            if is_new && matches!(cell, Cells::List { .. }) && is_plain_name(names.name(number)) {
                self.lists.push(ListRules { column: number, rules: Vec::new() });
            }
        }
    }
}

/// The form in which a text column shows `timestamp` in all these rows.
fn form_of(cell: &Cells<'_>, timestamps: &Cells<'_>, rows: &[usize]) -> Option<TimeForm> {
    let mut found = None;
    for row in rows {
        let Some(text) = cell.text(*row) else { continue };
        let (form, len) = TimeForm::find(text.as_bytes(), timestamps.date(*row)?)?;
        if len != text.len() || found.is_some_and(|found| found != form) {
            return None;
        }
        found = Some(form);
    }
    found
}

/// Smaller = keeps the value.
fn rank(name: &str) -> (usize, bool, &str) {
    let preferred = PREFERRED.iter().position(|preferred| *preferred == name).unwrap_or(PREFERRED.len());
    (if OWN.iter().any(|own| own.name() == name) { 0 } else { 1 + preferred }, Field::by_name(name).is_none(), name)
}

/// Writes a text or number as text; false when null or of another type.
fn canonical_text(cell: &Cells<'_>, row: usize, text: &mut Vec<u8>) -> bool {
    text.clear();
    if let Some(value) = cell.text(row) {
        text.extend_from_slice(value.as_bytes());
        return true;
    }
    match cell.long(row) {
        Some(value) => {
            push_number(text, value);
            true
        }
        None => false,
    }
}

/// Which code of one dictionary was found equal to which of another: batches have few pairs and many rows.
struct SameMemo(Vec<i32>);

impl SameMemo {
    fn new(cell: &Cells<'_>, rows: usize) -> Self {
        match cell {
            Cells::Coded { values, .. } if values.len() <= rows => Self(vec![-1; values.len()]),
            _ => Self(Vec::new()),
        }
    }

    #[inline]
    fn is_same(&mut self, cell: &Cells<'_>, other: &Cells<'_>, row: usize, scratch: &mut Vec<u8>) -> bool {
        let (Cells::Coded { keys, .. }, Cells::Coded { keys: others, .. }) = (cell, other) else {
            return is_same(cell, other, row, scratch);
        };
        if self.0.is_empty() || keys.is_null(row) || others.is_null(row) {
            return is_same(cell, other, row, scratch);
        }
        let (key, other_key) = (keys.value(row), others.value(row));
        if self.0[key as usize] == other_key {
            return true;
        }
        let same = is_same(cell, other, row, scratch);
        if same {
            self.0[key as usize] = other_key;
        }
        same
    }
}

fn is_same(cell: &Cells<'_>, other: &Cells<'_>, row: usize, scratch: &mut Vec<u8>) -> bool {
    match (cell.text(row), other.text(row)) {
        (Some(one), Some(two)) => one == two,
        (Some(text), None) => other.long(row).is_some_and(|number| {
            scratch.clear();
            push_number(scratch, number);
            scratch == text.as_bytes()
        }),
        (None, Some(text)) => cell.long(row).is_some_and(|number| {
            scratch.clear();
            push_number(scratch, number);
            scratch == text.as_bytes()
        }),
        (None, None) => match (cell.long(row), other.long(row)) {
            (Some(one), Some(two)) => one == two,
            // Both without a value: null follows from null.
            (None, None) => true,
            _ => false,
        },
    }
}

/// What `chieng.clock_skew` is when it follows from the times.
pub(super) fn skew_of(claimed: Option<i64>, received: Option<i64>) -> Option<i64> {
    Some(claimed?.saturating_sub(received?) / 1_000)
}

/// Columns whose values lists are made of.
fn text_columns(batch: &RecordBatch, cells: &[Cells<'_>], names: &mut Names, learned: &Learned) -> Vec<u32> {
    let mut found = Vec::new();
    for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let number = names.number(column.name());
        let is_text = cells.get(number as usize).is_some_and(|cell| matches!(cell, Cells::Text(_) | Cells::Coded { .. }));
        let name = column.name().as_str();
        let is_line = name == field::EVENT_ORIGINAL.name() || name == field::MESSAGE.name() || name == field::EVENT_ID.name();
        let is_related = Field::by_name(name).is_some() && !name.starts_with("event.") && !name.starts_with("chieng.");
        if is_text && is_related && !is_line && array.null_count() < array.len() && !learned.is_derived(number) {
            found.push(number);
        }
    }
    found.sort_by(|one, two| rank(names.name(*one)).cmp(&rank(names.name(*two))));
    found
}

impl ListRules {
    /// The rule that the row's list follows, numbered from 1; 0 = none.
    fn rule(&mut self, cell: &Cells<'_>, cells: &[Cells<'_>], texts: &[u32], row: usize) -> u8 {
        let Some(elements) = cell.list(row) else { return 0 };
        if elements.len() == 0 || elements.len() > ELEMENTS_MAX || has_null_item(cell, row) {
            return 0;
        }
        for (at, rule) in self.rules.iter().enumerate() {
            if rule.len() == elements.len() && cell.list(row).is_some_and(|list| follows(list, rule, cells, row)) {
                return at as u8 + 1;
            }
        }
        if self.rules.len() >= RULES_MAX {
            return 0;
        }
        let mut rule = Vec::with_capacity(elements.len());
        for element in elements {
            let column = texts.iter().find(|column| cells[**column as usize].text(row) == Some(element));
            match column {
                Some(column) => rule.push(Element::Copy(*column)),
                None if element.len() <= WORD_MAX && is_word(element) => rule.push(Element::Text(element.into())),
                None => return 0,
            }
        }
        self.rules.push(rule);
        self.rules.len() as u8
    }
}

/// Words go into the shape; numbers and addresses would make too many shapes.
fn is_word(text: &str) -> bool {
    is_plain_text(text) && !text.is_empty() && !text.bytes().any(|byte| byte.is_ascii_digit())
}

fn has_null_item(cell: &Cells<'_>, row: usize) -> bool {
    let Cells::List { rows, items } = cell else { return true };
    let (from, to) = (rows.value_offsets()[row] as usize, rows.value_offsets()[row + 1] as usize);
    items.null_count() > 0 && (from..to).any(|at| items.is_null(at))
}

fn follows<'a>(list: impl Iterator<Item = &'a str>, rule: &[Element], cells: &[Cells<'_>], row: usize) -> bool {
    list.zip(rule).all(|(element, rule)| match rule {
        Element::Text(text) => **text == *element,
        Element::Copy(column) => cells.get(*column as usize).and_then(|cell| cell.text(row)) == Some(element),
    })
}
