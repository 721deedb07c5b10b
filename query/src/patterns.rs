//! Patterns: lines of one make, counted together, so that a million rows read as a page.
//!
//! ```text
//! "Failed password for an from 10.0.0.9 port 4022"  ─mask─▶  "Failed password for an from * port *"
//! … for an …, … for binh …, … for chi …, …          ─join─▶  "Failed password for * from * port *"
//! ```
//!
//! A word with a digit is a variable; so is a word in a place where many lines that are otherwise equal differ. Counts are
//! exact and the same whatever the order in which rows come, as long as there are no more than [`SHAPES_MAX`] masks; what is
//! beyond is counted as other. One bounded pass; nothing is kept.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use datafusion::arrow::{
    array::{Array, AsArray},
    compute::cast,
    datatypes::{DataType, TimestampMicrosecondType},
    record_batch::RecordBatch,
};
use event::{Micros, Scope, tokenise::is_word};
use futures::StreamExt;

use crate::{
    engine::Engine,
    error::{Error, ErrorKind, Result},
    hunt::HuntError,
    rows::Stats,
    search::{Window, conditions},
};

/// Masks that are held while counting.
const SHAPES_MAX: usize = 20_000;
/// Characters of a line that count, and of a sample that is shown.
const LINE_CHARS_MAX: usize = 400;
/// Words that must differ in one place of otherwise equal lines before the place is a variable.
const JOIN_MIN: usize = 6;
/// Places that may become variables one after the other.
const JOIN_ROUNDS: usize = 4;

#[derive(Clone, Debug)]
pub struct PatternsRequest {
    pub q: String,
    pub from: Micros,
    pub to: Micros,
    /// Patterns wanted.
    pub limit: usize,
    /// The rarest instead of the most frequent.
    pub rarest: bool,
}

#[derive(Clone, Debug)]
pub struct Patterns {
    pub patterns: Vec<Pattern>,
    /// Patterns in all.
    pub distinct: usize,
    /// Events that were looked at, and those of patterns that are not listed.
    pub rows: u64,
    pub other: u64,
    pub complete: bool,
    pub reason: Option<String>,
    pub stats: Stats,
}

/// Lines of one make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The line with `*` in the place of each variable.
    pub text: String,
    pub count: u64,
    pub first: Micros,
    pub last: Micros,
    /// The newest of them.
    pub id: String,
    pub sample: String,
}

impl Engine {
    /// Groups the events of a search by the make of their lines.
    pub async fn patterns(self: &Arc<Self>, scope: &Scope, request: PatternsRequest) -> std::result::Result<Patterns, HuntError> {
        let window = Window { from: Some(request.from), to: Some(request.to), limit: None };
        let compiled = self.compile(scope, &request.q, &window)?;
        let filter = conditions(&compiled.where_sql, &window);
        let sql = format!("SELECT timestamp, event.id, coalesce(message, event.original) AS line FROM events WHERE {filter}");
        let (engine, scope) = (self.clone(), scope.clone());
        let work = async move {
            let mut rows = engine.sql(&scope, &sql, None).await?;
            let mut shapes = Shapes::default();
            let mut reason = None;
            while let Some(batch) = rows.next().await {
                match batch {
                    Ok(batch) => shapes.add(&batch)?,
                    // What was counted is right; it is not all.
                    Err(error) if error.kind == ErrorKind::Limit && shapes.rows > 0 => reason = Some(error.message),
                    Err(error) => return Err(error),
                }
                if reason.is_some() {
                    break;
                }
            }
            Ok(shapes.finish(&request, reason, rows.stats()))
        };
        Ok(self.work(work).await?)
    }
}

/// Lines counted by their masks.
#[derive(Default)]
struct Shapes {
    by_mask: HashMap<String, Pattern>,
    rows: u64,
    uncounted: u64,
}

impl Shapes {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let text = |at: usize| cast(batch.column(at), &DataType::Utf8View).map_err(|error| Error::failed(error.to_string()));
        let (ids, lines) = (text(1)?, text(2)?);
        let (ids, lines) = (ids.as_string_view(), lines.as_string_view());
        let times = batch.column(0).as_primitive_opt::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let line = if lines.is_valid(row) { lines.value(row) } else { "" };
            let time = times.filter(|times| times.is_valid(row)).map_or(0, |times| times.value(row));
            self.add_line(line, time, if ids.is_valid(row) { ids.value(row) } else { "" });
        }
        Ok(())
    }

    fn add_line(&mut self, line: &str, time: Micros, id: &str) {
        self.rows += 1;
        let line = first_chars(line);
        let mask = mask(line);
        if let Some(pattern) = self.by_mask.get_mut(&mask) {
            pattern.count += 1;
            pattern.first = pattern.first.min(time);
            if (time, id) > (pattern.last, &pattern.id) {
                pattern.id = id.to_owned();
                pattern.sample = line.to_owned();
            }
            pattern.last = pattern.last.max(time);
        } else if self.by_mask.len() < SHAPES_MAX {
            let pattern =
                Pattern { text: mask.clone(), count: 1, first: time, last: time, id: id.to_owned(), sample: line.to_owned() };
            self.by_mask.insert(mask, pattern);
        } else {
            self.uncounted += 1;
        }
    }

    fn finish(self, request: &PatternsRequest, reason: Option<String>, stats: Stats) -> Patterns {
        let rows = self.rows;
        let mut patterns = joined(self.by_mask.into_values().collect());
        patterns.sort_by(|one, other| {
            let by_count = one.count.cmp(&other.count);
            (if request.rarest { by_count } else { by_count.reverse() }).then_with(|| one.text.cmp(&other.text))
        });
        let distinct = patterns.len();
        patterns.truncate(request.limit);
        let listed: u64 = patterns.iter().map(|pattern| pattern.count).sum();
        Patterns { patterns, distinct, rows, other: rows - listed, complete: reason.is_none(), reason, stats }
    }
}

fn first_chars(line: &str) -> &str {
    line.char_indices().nth(LINE_CHARS_MAX).map_or(line, |(end, _)| &line[..end])
}

/// The line with `*` for every compound word that has a digit; neighbours that are variables become one.
fn mask(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let len = if is_word(c) { compound(rest) } else { c.len_utf8() };
        let (piece, after) = rest.split_at(len);
        rest = after;
        if piece.bytes().any(|byte| byte.is_ascii_digit()) {
            // "*, *", "*:*": one variable that was cut by punctuation.
            let kept = out.trim_end_matches(|c: char| !is_word(c) && !matches!(c, '*' | '=' | '[' | '(' | '"'));
            if kept.ends_with('*') && out.len() - kept.len() <= 2 {
                out.truncate(kept.len());
            } else {
                out.push('*');
            }
        } else if c.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.push_str(piece);
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Length of the word that begins a text, with what is joined to it by single marks.
fn compound(text: &str) -> usize {
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if is_word(c) {
            end = at + c.len_utf8();
        } else if !(matches!(c, '.' | ':' | '-' | '@' | '/' | '\\' | '%' | '+')
            && chars.peek().is_some_and(|(_, next)| is_word(*next)))
        {
            break;
        }
    }
    end
}

/// Joins patterns that differ in one place, where many do.
fn joined(mut patterns: Vec<Pattern>) -> Vec<Pattern> {
    for _ in 0..JOIN_ROUNDS {
        let alike = alike(&patterns);
        let mut by_text: HashMap<String, Pattern> = HashMap::with_capacity(patterns.len());
        let before = patterns.len();
        for mut pattern in patterns {
            if let Some(text) = widened(&pattern.text, &alike) {
                pattern.text = text;
            }
            match by_text.get_mut(&pattern.text) {
                Some(same) => same.join(pattern),
                None => drop(by_text.insert(pattern.text.clone(), pattern)),
            }
        }
        patterns = by_text.into_values().collect();
        if patterns.len() == before {
            break;
        }
    }
    patterns
}

impl Pattern {
    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        if (other.last, &other.id) > (self.last, &self.id) {
            self.id = other.id;
            self.sample = other.sample;
        }
        self.last = self.last.max(other.last);
    }
}

/// How many patterns are equal but for one word, by the hash of the rest and the place.
fn alike(patterns: &[Pattern]) -> HashMap<u64, usize> {
    let mut counts = HashMap::new();
    for pattern in patterns {
        let words: Vec<&str> = pattern.text.split(' ').collect();
        (0..words.len())
            .filter(|place| words[*place] != "*")
            .for_each(|place| *counts.entry(but_for(&words, place)).or_default() += 1);
    }
    counts
}

/// The pattern with a variable in the place where most others differ from it, if enough do.
fn widened(text: &str, alike: &HashMap<u64, usize>) -> Option<String> {
    let mut words: Vec<&str> = text.split(' ').collect();
    let count = |place: usize| alike.get(&but_for(&words, place)).copied().unwrap_or(0);
    let places = (0..words.len()).filter(|place| words[*place] != "*").map(|place| (count(place), std::cmp::Reverse(place)));
    let (count, std::cmp::Reverse(place)) = places.max()?;
    if count < JOIN_MIN {
        return None;
    }
    words[place] = "*";
    Some(words.join(" "))
}

fn but_for(words: &[&str], place: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    (place, words.len()).hash(&mut hasher);
    words.iter().enumerate().filter(|(at, _)| *at != place).for_each(|(_, word)| word.hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::world::{DAY, START, World, admin, only, rows, run};

    #[test]
    fn words_with_digits_are_variables() {
        for (line, wanted) in [
            ("Failed password for an from 10.0.0.9 port 4022 ssh2", "Failed password for an from * port *"),
            ("a=1 b=22 c=x", "a=* b=* c=x"),
            ("[2026-01-01T00:00:00.123Z] GET /a/b/17?x=9", "[*] GET /*?x=*"),
            ("pid 12,  13:  14   x", "pid * x"),
            ("no variable here", "no variable here"),
            ("đăng nhập tài-khoản an7 lúc 08:00", "đăng nhập tài-khoản * lúc *"),
            ("", ""),
        ] {
            assert_eq!(mask(line), wanted, "{line}");
        }
    }

    fn request(rarest: bool) -> PatternsRequest {
        PatternsRequest { q: String::new(), from: START, to: START + 4 * DAY, limit: 1_000, rarest }
    }

    fn counted(lines: &[String]) -> Vec<(String, u64)> {
        let mut shapes = Shapes::default();
        lines.iter().enumerate().for_each(|(at, line)| shapes.add_line(line, at as Micros, &at.to_string()));
        let found = shapes.finish(&request(false), None, Stats::default());
        found.patterns.into_iter().map(|pattern| (pattern.text, pattern.count)).collect()
    }

    #[test]
    fn a_place_where_many_lines_differ_is_a_variable() {
        let names = ["an", "binh", "chi", "dung", "em", "phuc", "giang"];
        let mut lines: Vec<String> = names.iter().map(|name| format!("Failed password for {name} from 10.0.0.1")).collect();
        lines.extend(["deny tcp", "allow tcp", "deny tcp"].map(str::to_owned));
        let wanted = [("Failed password for * from *", 7), ("deny tcp", 2), ("allow tcp", 1)];
        assert_eq!(counted(&lines), wanted.map(|(text, count)| (text.to_owned(), count)));
    }

    proptest! {
        #[test]
        fn the_order_of_rows_does_not_matter(mut lines in prop::collection::vec("(Failed|Accepted) (for|to) [a-h] (10\\.0\\.0\\.[0-9]|x)( [a-c]{1,2})?", 1..60)) {
            let one = counted(&lines);
            lines.reverse();
            prop_assert_eq!(&one, &counted(&lines));
            prop_assert_eq!(one.iter().map(|(_, count)| count).sum::<u64>(), lines.len() as u64);
        }

        #[test]
        fn any_line_has_a_mask(line in "\\PC{0,600}") {
            let masked = mask(first_chars(&line));
            prop_assert!(!masked.bytes().any(|byte| byte.is_ascii_digit()), "{}", masked);
        }
    }

    #[test]
    fn patterns_are_of_what_the_asker_sees() {
        run(async {
            let world = World::new(rows(600, 1));
            let scope = only(event::Role::Owner, &["portal"]);
            let found = world.engine.patterns(&scope, request(false)).await.unwrap();
            let mine = world.rows.iter().filter(|row| row.system == "portal").count() as u64;
            assert_eq!((found.rows, found.complete), (mine, true));
            assert_eq!(found.patterns.iter().map(|pattern| pattern.count).sum::<u64>() + found.other, mine);
            assert!(found.patterns.is_sorted_by(|one, other| one.count >= other.count));
            let rare = world.engine.patterns(&admin(), PatternsRequest { limit: 3, ..request(true) }).await.unwrap();
            assert!(rare.patterns.len() == 3 && rare.patterns[0].count == 1 && rare.other > 0);
            assert!(
                world.rows.iter().any(|row| row.id == rare.patterns[0].id && row.original.contains(&rare.patterns[0].sample))
            );
        });
    }
}
