//! Which documents came before: source, index and `_id` of what was stored in the last minutes, bounded in number.
//!
//! It makes a repetition after a lost answer harmless, not more: documents without an `_id` are never compared, and what
//! falls out of the window is stored again. Across a restart, and between two connections at the same moment, the sink's
//! own keys ([`RawBatch::key`]) recognise a request that is repeated whole.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use event::{Micros, RawBatch};

use super::bulk::{Fate, Item, Verb};

/// A document by source, index and id.
type Mark = u128;

pub(super) struct Known {
    window: Micros,
    marks_max: usize,
    marks: Mutex<Marks>,
}

#[derive(Default)]
struct Marks {
    /// When it was stored, and the hash of what it said.
    map: HashMap<Mark, (Micros, u128)>,
    /// In the order of storing.
    order: VecDeque<(Micros, Mark)>,
}

fn hash(parts: &[&[u8]]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

impl Known {
    pub fn new(window: Micros, marks_max: usize) -> Self {
        Self { window, marks_max, marks: Mutex::default() }
    }

    /// Takes out of a batch what was stored before; names the batch when every record has an id, so that the sink knows it
    /// again. `create` asks for the id alone; `index` and `update` replace, so the same id with other words is news.
    pub fn leave_out(&self, batch: &mut RawBatch, items: &mut [Item], now: Micros) {
        if items.iter().all(|item| item.id.is_none()) {
            return;
        }
        let whole = std::mem::take(batch);
        *batch = RawBatch { refused: whole.refused.clone(), ..RawBatch::new(&whole.source, whole.sender, whole.received) };
        let records: Vec<&[u8]> = whole.records().collect();
        let (mut here, mut name) = (HashSet::new(), blake3::Hasher::new());
        let mut all_named = true;
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.forget(now.saturating_sub(self.window), self.marks_max);
        for item in items.iter_mut() {
            let Some(at) = item.record.take() else { continue };
            let record = records[at as usize];
            if let Some(id) = &item.id {
                let (mark, words) = (hash(&[whole.source.as_bytes(), item.index.as_bytes(), id.as_bytes()]), hash(&[record]));
                let before = marks.map.get(&mark).map(|(_, words)| *words);
                let is_known = match item.verb {
                    Verb::Create => before.is_some() || here.contains(&(mark, None)),
                    _ => before == Some(words) || here.contains(&(mark, Some(words))),
                };
                if is_known {
                    item.fate = Fate::Duplicate;
                    continue;
                }
                here.extend([(mark, None), (mark, Some(words))]);
                item.mark = Some((mark, words));
                name.update(&mark.to_le_bytes());
                name.update(&words.to_le_bytes());
            } else {
                all_named = false;
            }
            item.record = Some(batch.len() as u32);
            batch.push(record);
        }
        if all_named && !batch.ends.is_empty() {
            batch.key = Some(format!("bulk-{}", name.finalize().to_hex()));
        }
    }

    /// Keeps what is durable now.
    pub fn remember(&self, items: &[Item], now: Micros) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        for (mark, words) in items.iter().filter_map(|item| item.mark) {
            marks.map.insert(mark, (now, words));
            marks.order.push_back((now, mark));
        }
        marks.forget(now.saturating_sub(self.window), self.marks_max);
    }
}

impl Marks {
    fn forget(&mut self, before: Micros, marks_max: usize) {
        while let Some(&(at, mark)) = self.order.front()
            && (at < before || self.order.len() > marks_max)
        {
            self.order.pop_front();
            // A mark that was stored again since has a later place in the order.
            if self.map.get(&mark).is_some_and(|(stored, _)| *stored == at) {
                self.map.remove(&mark);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(verb: Verb, id: &str, record: u32) -> Item {
        Item { verb, index: "i".into(), id: Some(id.into()), fate: Fate::Stored, record: Some(record), mark: None }
    }

    /// Sends records with their ids; gives what was left of them.
    fn send(known: &Known, now: Micros, documents: &[(Verb, &str, &str)]) -> Vec<String> {
        let mut batch = RawBatch::new("web", None, now);
        let mut items = Vec::new();
        for (verb, id, text) in documents {
            items.push(item(*verb, id, batch.len() as u32));
            batch.push(text.as_bytes());
        }
        known.leave_out(&mut batch, &mut items, now);
        known.remember(&items, now);
        batch.records().map(|record| String::from_utf8_lossy(record).into_owned()).collect()
    }

    #[test]
    fn what_was_stored_is_left_out_until_the_window_ends() {
        let known = Known::new(100, 3);
        use Verb::{Create, Index};
        assert_eq!(send(&known, 0, &[(Create, "1", "a"), (Create, "1", "b"), (Create, "2", "a")]), ["a", "a"]);
        assert_eq!(send(&known, 50, &[(Create, "1", "other"), (Index, "1", "a"), (Index, "1", "new")]), ["new"]);
        assert_eq!(send(&known, 60, &[(Index, "1", "new"), (Create, "2", "a")]), [""; 0]);
        assert_eq!(send(&known, 120, &[(Create, "1", "c"), (Create, "2", "d")]), ["d"], "1 was renewed at 50, 2 is forgotten");
        assert_eq!(send(&known, 130, &[(Create, "3", "e"), (Create, "4", "f")]), ["e", "f"]);
        assert_eq!(send(&known, 131, &[(Create, "1", "c")]), ["c"], "the oldest went when there were more than three");
    }

    #[test]
    fn a_batch_is_named_by_what_it_says_when_every_record_has_an_id() {
        let known = Known::new(100, 100);
        let named = |documents: &[(Option<&str>, &str)]| {
            let mut batch = RawBatch::new("web", None, 0);
            let mut items = Vec::new();
            for (id, text) in documents {
                items.push(Item { id: id.map(str::to_owned), ..item(Verb::Create, "", batch.len() as u32) });
                batch.push(text.as_bytes());
            }
            known.leave_out(&mut batch, &mut items, 0);
            batch.key
        };
        assert_eq!(named(&[(None, "a"), (Some("1"), "b")]), None);
        let one = named(&[(Some("1"), "a"), (Some("2"), "b")]);
        assert!(one.as_ref().is_some_and(|key| key.len() <= crate::http::KEY_BYTES_MAX));
        assert_eq!(named(&[(Some("1"), "a"), (Some("2"), "b")]), one);
        assert_ne!(named(&[(Some("1"), "a"), (Some("2"), "c")]), one);
    }
}
