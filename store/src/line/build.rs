//! The slow path: makes the shape of a line from one row.
//!
//! At each token the longest value of the row that stands there becomes a reference (a value announced by its own name, as in
//! `srcip=…` or `"User": …`, before others); times are recognised in every known form; what is left becomes a residual
//! variable where it holds a digit, else constant text. A coarse shape takes the whole message as one variable.

use event::field;

use super::{
    derive::Learned,
    encode::Row,
    template::{Form, Names, PIECES_MAX, Piece, is_plain_name, is_plain_text, json_escaped},
    time::{TimeForm, push_number},
};

/// Values shorter than this are only references where their name announces them.
const UNNAMED_MIN: usize = 3;
/// Residual variables of a fine shape.
const VARIABLES_MAX: usize = 48;

/// A value that may stand in the line.
struct Candidate<'a> {
    column: u32,
    form: Form,
    text: Vec<u8>,
    names: Vec<&'a str>,
    uses: usize,
}

struct Builder<'a, 'c> {
    line: &'a str,
    row: &'c Row<'a, 'c>,
    candidates: Vec<Candidate<'c>>,
    times: Vec<(u32, i64)>,
    pieces: Vec<Piece>,
    literal: String,
    has_time: bool,
    variables: usize,
}

/// Makes a shape of the row's line; `None` when the line cannot have one.
pub(super) fn line(row: &Row<'_, '_>, names: &Names, numbers: &[u32], learned: &Learned, coarse: bool) -> Option<Vec<Piece>> {
    if !is_plain_text(row.line) {
        return None;
    }
    let mut builder = Builder {
        line: row.line,
        row,
        candidates: candidates(row, names, numbers, learned),
        times: times(row, names, numbers),
        pieces: Vec::new(),
        literal: String::new(),
        has_time: false,
        variables: 0,
    };
    let message = row.message.filter(|message| !message.is_empty());
    let place = message.and_then(|message| {
        let from = if row.line.ends_with(message) {
            Some(row.line.len() - message.len())
        } else {
            memchr::memmem::find(row.line.as_bytes(), message.as_bytes())
        };
        from.map(|from| (from, from + message.len()))
    });
    match place {
        Some((from, to)) => {
            builder.scan(0, from);
            builder.push(Piece::Begin);
            if coarse {
                builder.push(Piece::Slot)
            } else {
                builder.scan(from, to)
            }
            builder.push(Piece::End);
            builder.scan(to, row.line.len());
        }
        None if coarse => builder.push(Piece::Slot),
        None => builder.scan(0, row.line.len()),
    }
    builder.finish()
}

fn candidates<'n>(row: &Row<'_, '_>, names: &'n Names, numbers: &[u32], learned: &Learned) -> Vec<Candidate<'n>> {
    let mut found = Vec::new();
    for number in numbers {
        let name = names.name(*number);
        if learned.is_derived(*number) || !is_plain_name(name) || !may_stand_in_line(name) {
            continue;
        }
        let cell = &row.cells[*number as usize];
        let mut text = Vec::new();
        let mut json = Vec::new();
        if let Some(value) = cell.text(row.row) {
            text.extend_from_slice(value.as_bytes());
            json_escaped(value, |part| {
                json.extend_from_slice(part);
                true
            });
        } else if let Some(value) = cell.long(row.row) {
            push_number(&mut text, value);
        }
        if text.is_empty() {
            continue;
        }
        let aliases = learned.aliases(*number).iter().map(|alias| names.name(*alias));
        let hints: Vec<&str> = std::iter::once(name).chain(aliases).map(last_part).collect();
        if !json.is_empty() && json != text {
            found.push(Candidate { column: *number, form: Form::Json, text: json, names: hints.clone(), uses: 0 });
        }
        found.push(Candidate { column: *number, form: Form::Verbatim, text, names: hints, uses: 0 });
    }
    found.sort_by_key(|candidate| std::cmp::Reverse(candidate.text.len()));
    found
}

/// Pipeline columns are about the line, not in it.
fn may_stand_in_line(name: &str) -> bool {
    let whole = [field::EVENT_ORIGINAL, field::EVENT_ORIGINAL_BYTES, field::EVENT_ID, field::MESSAGE, field::RESIDUAL];
    !(whole.iter().any(|field| field.name() == name) || name.starts_with("chieng.") || name.starts_with("system."))
}

fn times(row: &Row<'_, '_>, names: &Names, numbers: &[u32]) -> Vec<(u32, i64)> {
    let is_own = |name: &str| name != field::EVENT_CREATED.name() && name != field::EVENT_INGESTED.name();
    let all = numbers.iter().filter(|number| is_own(names.name(**number)));
    let mut found: Vec<(u32, i64)> =
        all.filter_map(|number| Some((*number, row.cells[*number as usize].date(row.row)?))).collect();
    // The claimed time first: it is never null.
    found.sort_by_key(|(number, _)| names.name(*number) != field::TIMESTAMP.name());
    found
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

impl Builder<'_, '_> {
    /// Reads a part of the line that no reference may leave.
    fn scan(&mut self, from: usize, to: usize) {
        let bytes = &self.line.as_bytes()[..to];
        let mut at = from;
        while at < to {
            if !(at == from || is_border(bytes[at - 1]) || is_border(bytes[at])) || !self.line.is_char_boundary(at) {
                self.literal_byte(&mut at);
                continue;
            }
            if let Some((piece, len)) = self.time(&bytes[at..]) {
                self.push(piece);
                at += len;
            } else if let Some(index) = self.reference(bytes, from, at) {
                let candidate = &mut self.candidates[index];
                candidate.uses += 1;
                let (piece, len) = (Piece::Copy(candidate.column, candidate.form), candidate.text.len());
                self.push(piece);
                at += len;
            } else if let Some(len) = variable(&bytes[at..]) {
                self.push(Piece::Slot);
                self.variables += 1;
                at += len;
            } else {
                self.literal_byte(&mut at);
                // The rest of a word without a digit.
                while at < to && !is_border(bytes[at]) && !is_border(bytes[at - 1]) {
                    self.literal_byte(&mut at);
                }
            }
        }
    }

    fn literal_byte(&mut self, at: &mut usize) {
        let Some(next) = self.line[*at..].chars().next() else { return };
        self.literal.push(next);
        *at += next.len_utf8();
    }

    fn time(&mut self, text: &[u8]) -> Option<(Piece, usize)> {
        if !text.first().is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        for (column, micros) in &self.times {
            if let Some((form, len)) = TimeForm::find(text, *micros)
                && text.get(len).is_none_or(|next| !next.is_ascii_alphanumeric())
            {
                return Some((Piece::Copy(*column, Form::Time(form)), len));
            }
        }
        if !self.has_time
            && let Some((form, micros, len)) = TimeForm::read(text)
            && form.digits <= 6
            && micros.checked_sub(self.row.timestamp.unwrap_or(0)).is_some()
        {
            self.has_time = true;
            return Some((Piece::Time(form), len));
        }
        None
    }

    /// The candidate that stands at this place.
    fn reference(&self, bytes: &[u8], from: usize, at: usize) -> Option<usize> {
        let rest = &bytes[at..];
        let key = announced(&bytes[from..at]);
        let mut best: Option<(bool, usize, usize, usize)> = None;
        for (index, candidate) in self.candidates.iter().enumerate() {
            let len = candidate.text.len();
            let ends =
                rest.get(len).is_none_or(|next| is_border(*next)) || candidate.text.last().is_some_and(|last| is_border(*last));
            if !ends || !rest.starts_with(&candidate.text) {
                continue;
            }
            let is_named = key.is_some_and(|key| candidate.names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(key)));
            if !is_named && len < UNNAMED_MIN {
                continue;
            }
            // Named first, then the longest, then the one that was used least.
            let score = (is_named, len, usize::MAX - candidate.uses, usize::MAX - index);
            if best.is_none_or(|best| score > best) {
                best = Some(score);
            }
        }
        best.map(|best| usize::MAX - best.3)
    }

    fn push(&mut self, piece: Piece) {
        if !self.literal.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.literal).into()));
        }
        self.pieces.push(piece);
    }

    fn finish(mut self) -> Option<Vec<Piece>> {
        if !self.literal.is_empty() {
            self.pieces.push(Piece::Text(self.literal.into()));
        }
        (self.pieces.len() <= PIECES_MAX && self.variables <= VARIABLES_MAX).then_some(self.pieces)
    }
}

/// The name before a value: `key=`, `key="`, `"key":`, `"key": "`; a `<` that opens the line announces the priority.
fn announced(before: &[u8]) -> Option<&[u8]> {
    if before == b"<" {
        return Some(b"priority");
    }
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    let before = before.strip_suffix(b" ").unwrap_or(before);
    let name = match before.strip_suffix(b"=") {
        Some(name) => name,
        None => before.strip_suffix(b":")?.strip_suffix(b"\"")?,
    };
    let start = name.iter().rposition(|byte| is_border(*byte) && *byte != b'_' && *byte != b'-').map_or(0, |at| at + 1);
    (start < name.len()).then(|| &name[start..])
}

/// True for bytes between tokens.
fn is_border(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric()
}

/// Length of the token at the start of the text when it holds a digit.
fn variable(text: &[u8]) -> Option<usize> {
    let is_inner =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'%' | b'+') || !byte.is_ascii();
    if !text.first()?.is_ascii_alphanumeric() {
        return None;
    }
    let len = text.iter().position(|byte| !is_inner(byte)).unwrap_or(text.len());
    let digits = text[..len].iter().filter(|byte| byte.is_ascii_digit()).count();
    // `ssh2` is a word.
    let is_word = digits == 1 && text[0].is_ascii_alphabetic() && len <= 8;
    (digits > 0 && !is_word).then_some(len)
}
