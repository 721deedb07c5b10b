//! Looking for a literal in lines without putting the lines together.
//!
//! A line is constant text and variable parts (`Failed password for {user.name} from {source.ip} port {}`). A literal stands in
//! it wholly in constant text, which is known once per shape, or it touches a variable part: then that part's value holds the literal, or begins with its end,
//! or ends with its beginning, where the constant text beside it has the rest. So most rows are decided by their shape, the
//! others by a test of each distinct value of a column; only rows that are left are decoded.
//!
//! Invariant: [`Search::candidates`] names every row whose line has the literal, and maybe some others; what is called proven has it
//! for certain.

use std::{collections::BTreeSet, ops::Range};

use arrow::{
    array::{Array, ArrayRef},
    buffer::{BooleanBuffer, Buffer},
    record_batch::RecordBatch,
};
use event::{Field, field, tokenise::rarest};
use memchr::memmem::Finder;

use super::{
    cells::Cells,
    decode::{Uses, shapes_of},
    slot_name,
    template::{Derived, Form, Names, Piece, SLOTS_MAX, Shape, UNIT, json_escaped},
    time::{Kind, MONTHS, TimeForm},
};

/// Bytes of a text that a view holds itself.
const INLINE_MAX: usize = 12;

/// The shapes in a batch, and which row has which.
#[derive(Debug)]
pub struct Shapes {
    names: Names,
    shapes: Vec<Shape>,
    codes: Vec<Option<u32>>,
    /// True when a line has from columns of addresses only what is made of [`is_of_address`].
    addresses: bool,
}

/// Where a literal is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// `event.original`.
    Line,
    /// `message`.
    Message,
    /// Either of them.
    Both,
}

impl Texts {
    fn line(self) -> bool {
        self != Self::Message
    }

    fn message(self) -> bool {
        self != Self::Line
    }
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Literal {
    bytes: Vec<u8>,
    finder: Finder<'static>,
    /// ASCII letters in any case; then text beyond ASCII is never ruled out.
    folds: bool,
    /// Place of the byte by which a search in any case goes.
    rare: usize,
}

impl Literal {
    /// `None` for a literal that rules nothing out: the empty one, or one beyond ASCII in any case.
    pub fn new(text: &str, folds: bool) -> Option<Self> {
        if text.is_empty() || folds && !text.is_ascii() {
            return None;
        }
        let mut bytes = text.as_bytes().to_vec();
        if folds {
            bytes.make_ascii_lowercase();
        }
        Some(Self { finder: Finder::new(&bytes).into_owned(), rare: rarest(&bytes)?, bytes, folds })
    }

    fn same(&self, one: &[u8], other: &[u8]) -> bool {
        if self.folds { one.eq_ignore_ascii_case(other) } else { one == other }
    }

    fn begins(&self, text: &[u8], start: &[u8]) -> bool {
        text.get(..start.len()).is_some_and(|text| self.same(text, start))
    }

    fn ends(&self, text: &[u8], end: &[u8]) -> bool {
        text.len() >= end.len() && self.same(&text[text.len() - end.len()..], end)
    }

    fn stands_in(&self, text: &[u8]) -> bool {
        if !self.folds {
            return self.finder.find(text).is_some();
        }
        let (lower, upper) = (self.bytes[self.rare], self.bytes[self.rare].to_ascii_uppercase());
        let fits = |at: usize| {
            let found = at.checked_sub(self.rare).and_then(|from| text.get(from..from + self.bytes.len()));
            found.is_some_and(|found| found.eq_ignore_ascii_case(&self.bytes))
        };
        if lower == upper {
            memchr::memchr_iter(lower, text).any(fits)
        } else {
            memchr::memchr2_iter(lower, upper, text).any(fits)
        }
    }

    /// True when it may stand in the JSON form of a text that does not hold it.
    fn may_be_escaped(&self) -> bool {
        let is_end_of_escape = |byte: &u8| b"bfnrtu".contains(&byte.to_ascii_lowercase()) || byte.is_ascii_hexdigit();
        self.bytes.iter().any(|byte| *byte == b'\\' || *byte == b'"' || *byte < 0x20) || is_end_of_escape(&self.bytes[0])
    }

    /// True when it stands in no value of a column, found without looking at each of them. False says nothing.
    fn is_nowhere_in(&self, cells: &Cells<'_>) -> bool {
        let is_nowhere = |bytes: &[u8]| (!self.folds || bytes.is_ascii()) && !self.stands_in(bytes);
        match cells {
            Cells::Coded { values, .. } => is_nowhere(values.value_data()),
            Cells::Text(array) => {
                let (mut long, mut longest_short, mut letters) = (0, 0, 0);
                for &view in array.views() {
                    let len = view as u32 as usize;
                    let (short, own) = if len <= INLINE_MAX { (len, view) } else { (0, 0) };
                    long += if len > INLINE_MAX { len } else { 0 };
                    longest_short = short.max(longest_short);
                    letters |= own;
                }
                let held: usize = array.data_buffers().iter().map(|buffer| buffer.len()).sum();
                // Short texts lie in the views. Their bytes are searched as one: what the other parts add is only found too much.
                let is_ascii = (letters & (u128::MAX / 0xff * 0x80)) == 0;
                (long == 0 || held <= SLACK * long && array.data_buffers().iter().all(|buffer| is_nowhere(buffer)))
                    && (longest_short < self.bytes.len() && !self.folds
                        || (!self.folds || is_ascii) && !self.stands_in(array.views().inner().as_slice()))
            }
            Cells::List { .. } => false,
            Cells::Long(_) | Cells::Date(_) | Cells::Other => true,
        }
    }

    /// True when nothing can be said about a text.
    fn is_blind_to(&self, text: &[u8]) -> bool {
        self.folds && !text.is_ascii()
    }
}

/// How far the literal may reach out of a variable part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Reach {
    /// Bytes of the literal that may stand before the part.
    before: Vec<u16>,
    /// Bytes of the literal up to where the part may end, the rest standing after it.
    until: Vec<u16>,
}

impl Reach {
    /// True when a part with this value may be touched by the literal.
    fn touches(&self, literal: &Literal, value: &[u8]) -> bool {
        let bytes = &literal.bytes;
        literal.is_blind_to(value)
            || literal.stands_in(value)
            || self.before.iter().any(|&at| {
                let rest = &bytes[usize::from(at)..];
                literal.begins(value, rest) || literal.begins(rest, value) && self.until.contains(&(at + value.len() as u16))
            })
            || self.until.iter().any(|&at| at > 0 && literal.ends(value, &bytes[..usize::from(at)]))
    }

    /// True when some number may be touched.
    fn touches_number(&self, literal: &Literal) -> bool {
        let bytes = &literal.bytes;
        bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
            || self.before.iter().any(|&at| is_number_start(&bytes[usize::from(at)..]))
            || self.until.iter().any(|&at| at > 0 && bytes[usize::from(at) - 1].is_ascii_digit())
    }

    /// True when some address may be touched.
    fn touches_address(&self, literal: &Literal) -> bool {
        let bytes = &literal.bytes;
        bytes.iter().all(is_of_address)
            || self.before.iter().any(|&at| bytes.get(usize::from(at)).is_none_or(is_of_address))
            || self.until.iter().any(|&at| at > 0 && is_of_address(&bytes[usize::from(at) - 1]))
    }

    /// True when some time of a form may be touched.
    fn touches_time(&self, literal: &Literal, form: TimeForm) -> bool {
        let bytes = &literal.bytes;
        let begins = |text: &[u8]| match form.kind {
            Kind::Bsd => MONTHS.iter().any(|month| {
                let month = month.as_bytes();
                literal.begins(text, month) || literal.begins(month, text)
            }),
            _ => is_number_start(text),
        };
        let ends = |byte: u8| byte.is_ascii_digit() || byte.eq_ignore_ascii_case(&b'z');
        bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-+:./ ".contains(byte))
            && !bytes.windows(4).any(|four| four.iter().all(u8::is_ascii_alphabetic))
            || self.before.iter().any(|&at| begins(&bytes[usize::from(at)..]))
            || self.until.iter().any(|&at| at > 0 && ends(bytes[usize::from(at) - 1]))
    }
}

/// True for the bytes of which texts of addresses are made.
pub(super) fn is_of_address(byte: &u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':')
}

/// True when a number may begin with the text, or lie wholly in its beginning.
fn is_number_start(text: &[u8]) -> bool {
    match text {
        [] | [b'-'] => true,
        [b'-', next, ..] => next.is_ascii_digit(),
        [first, ..] => first.is_ascii_digit(),
    }
}

/// A text column whose values must be tested in the rows of a shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Variable {
    /// The column, and the one that stands for it where it is null.
    column: String,
    otherwise: Option<String>,
    is_escaped: bool,
    /// Number of the residual variable in the last such column, which holds all further ones.
    part: Option<usize>,
    reach: Reach,
    /// The constant text before and after it, with their outer edges; `None` beside another variable part.
    around: Option<Around>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Around {
    before: String,
    after: String,
    edges: Edges,
}

/// What a shape says of its rows.
#[derive(Clone, Debug)]
enum Verdict {
    Proven,
    /// Any row may have it.
    Open,
    /// Rows may have it where one of the variables, by number, is touched.
    Tested(Vec<usize>),
}

/// How the rows of a shape are decided in one batch.
enum Way {
    Settled(Found),
    /// By these variables.
    Test(Vec<usize>),
}

/// One literal and the shapes of a batch.
pub struct Search<'p> {
    proves: &'p Proves,
    literal: Literal,
    /// By shape; the last one for rows without a shape.
    verdicts: Vec<Verdict>,
    variables: Vec<Variable>,
    addresses: bool,
}

impl Shapes {
    /// Reads the column [`super::COLUMN_SHAPE`]; the error says what is wrong in which shape.
    pub(super) fn read(array: &ArrayRef, addresses: bool) -> Result<Self, String> {
        let mut names = Names::default();
        let (shapes, codes) = shapes_of(array, &mut names)?;
        Ok(Self { names, shapes, codes, addresses })
    }

    /// For each row the number of its shape, below [`Shapes::count`]; `None`: it has none.
    pub fn codes(&self) -> &[Option<u32>] {
        &self.codes
    }

    pub fn count(&self) -> usize {
        self.shapes.len()
    }

    /// Notes what the chosen shapes are made of.
    pub(super) fn note(&self, of: &dyn Fn(u32) -> bool, uses: &mut Uses) {
        let chosen = self.shapes.iter().enumerate().filter(|(at, _)| of(*at as u32));
        chosen.for_each(|(_, shape)| uses.note(shape, &self.names));
    }

    /// Prepares a search. `proves` says whether a constant text alone shows that the condition holds which the literal stands for;
    /// what is not at an edge of the line or message goes on there with anything.
    pub fn search<'p>(&self, literal: Literal, texts: Texts, proves: &'p Proves) -> Search<'p> {
        let verdicts = Vec::with_capacity(self.shapes.len() + 1);
        let mut search = Search { proves, literal, verdicts, variables: Vec::new(), addresses: self.addresses };
        for shape in self.shapes.iter().map(Some).chain([None]) {
            let verdict = search.judge(&self.names, shape, texts);
            search.verdicts.push(verdict);
        }
        search
    }
}

/// Says whether a piece of the text alone shows that the condition holds which the literal stands for.
pub type Proves = dyn Fn(&str, Edges) -> bool;

/// How a constant text is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edges {
    /// True when the text begins, and ends, where the line or the message does.
    pub begins: bool,
    pub ends: bool,
}

impl Search<'_> {
    /// True when rows of a shape have the literal for certain.
    pub fn is_proven(&self, shape: Option<u32>) -> bool {
        matches!(self.verdict(shape), Verdict::Proven)
    }

    /// True when rows of a shape may have it, whatever their values are.
    pub fn is_open(&self, shape: Option<u32>) -> bool {
        matches!(self.verdict(shape), Verdict::Open)
    }

    fn verdict(&self, shape: Option<u32>) -> &Verdict {
        &self.verdicts[shape.map_or(self.verdicts.len() - 1, |shape| shape as usize)]
    }

    /// Physical columns whose values must be tested; not every file has all of them.
    pub fn columns(&self, of: &dyn Fn(Option<u32>) -> bool) -> BTreeSet<String> {
        let last = self.verdicts.len() - 1;
        let mut columns = BTreeSet::new();
        for (at, verdict) in self.verdicts.iter().enumerate() {
            let Verdict::Tested(variables) = verdict else { continue };
            if !of((at < last).then_some(at as u32)) {
                continue;
            }
            for variable in variables.iter().map(|&at| &self.variables[at]) {
                columns.insert(variable.column.clone());
                columns.extend(variable.otherwise.clone());
            }
        }
        columns
    }

    /// The rows that may have the literal, and those that have it for certain: `batch` has the columns of [`Search::columns`],
    /// `codes` the shapes of its rows.
    pub fn candidates(&self, batch: &RecordBatch, codes: &[Option<u32>]) -> (BooleanBuffer, BooleanBuffer) {
        let mut tests: Vec<Option<Test<'_>>> = self.variables.iter().map(|_| None).collect();
        // What to do with the rows of a shape. Variables whose column the literal does not stand in are left out for all rows.
        let mut ways: Vec<Option<Way>> = self.verdicts.iter().map(|_| None).collect();
        let last = self.verdicts.len() - 1;
        let rows = batch.num_rows();
        let (mut possible, mut proven) = (Vec::with_capacity(rows.div_ceil(64)), Vec::with_capacity(rows.div_ceil(64)));
        for (word, codes) in codes[..rows].chunks(64).enumerate() {
            let (mut may, mut must) = (0_u64, 0_u64);
            for (bit, code) in codes.iter().enumerate() {
                let way = ways[code.map_or(last, |code| code as usize)].get_or_insert_with(|| match self.verdict(*code) {
                    Verdict::Proven => Way::Settled(Found::Proven),
                    Verdict::Open => Way::Settled(Found::Perhaps),
                    Verdict::Tested(variables) => {
                        let mut is_live = |at: usize| {
                            let new = || Test::new(&self.variables[at], self, batch);
                            !tests[at].get_or_insert_with(new).is_out
                        };
                        let live: Vec<usize> = variables.iter().copied().filter(|&at| is_live(at)).collect();
                        if live.is_empty() { Way::Settled(Found::No) } else { Way::Test(live) }
                    }
                });
                let found = match way {
                    Way::Settled(found) => *found,
                    Way::Test(variables) => {
                        let mut found = Found::No;
                        for &at in variables.iter() {
                            if let Some(test) = &mut tests[at] {
                                found = found.max(test.row(word * 64 + bit));
                            }
                            if found == Found::Proven {
                                break;
                            }
                        }
                        found
                    }
                };
                may |= u64::from(found != Found::No) << bit;
                must |= u64::from(found == Found::Proven) << bit;
            }
            possible.push(may);
            proven.push(must);
        }
        let bits = |words: Vec<u64>| BooleanBuffer::new(Buffer::from_vec(words), 0, rows);
        (bits(possible), bits(proven))
    }

    fn judge(&mut self, names: &Names, shape: Option<&Shape>, texts: Texts) -> Verdict {
        let pieces = shape.and_then(|shape| shape.line.as_deref());
        let marks = pieces.and_then(|pieces| {
            let place = |mark: &Piece| pieces.iter().position(|piece| piece == mark);
            place(&Piece::Begin).zip(place(&Piece::End))
        });
        let mut found = Vec::new();
        let mut is_open = false;
        // The part of the line to look at: all of it, or the message inside.
        let parts = match (pieces, marks) {
            (Some(pieces), _) if texts.line() => Some(Parts::new(pieces, 0..pieces.len())),
            (Some(pieces), Some((from, to))) => Some(Parts::new(pieces, from + 1..to)),
            _ => None,
        };
        if let Some(parts) = parts {
            if parts.constants().any(|(text, edges)| (self.proves)(text, edges)) {
                return Verdict::Proven;
            }
            is_open |= self.parts(names, shape, &parts, &mut found);
        }
        let mut whole = |column: &str| {
            let otherwise = shape.and_then(|shape| {
                shape.derived.iter().find_map(|(derived, how)| match how {
                    Derived::Same(other) if names.name(*derived) == column => Some(names.name(*other).to_owned()),
                    _ => None,
                })
            });
            let (column, reach) = (column.to_owned(), Reach::default());
            let around = Some(Around { before: String::new(), after: String::new(), edges: Edges { begins: true, ends: true } });
            self.variable(&mut found, Variable { column, otherwise, is_escaped: false, part: None, reach, around });
        };
        if texts.line() && pieces.is_none() {
            whole(field::EVENT_ORIGINAL.name());
        }
        if texts.message() && (pieces.is_none() || marks.is_none()) {
            whole(field::MESSAGE.name());
        }
        // What is derived in another way is neither line nor message in any file we write.
        if is_open { Verdict::Open } else { Verdict::Tested(found) }
    }

    /// Notes the variables of a line; true when nothing can be said.
    fn parts(&mut self, names: &Names, shape: Option<&Shape>, parts: &Parts<'_>, found: &mut Vec<usize>) -> bool {
        let literal = self.literal.clone();
        if literal.bytes.len() > usize::from(u16::MAX) / 2
            || parts.constants().any(|(text, _)| literal.is_blind_to(text.as_bytes()))
        {
            return true;
        }
        // A literal may also stand across constants that the proof did not accept.
        if parts.constants().any(|(text, _)| literal.stands_in(text.as_bytes())) {
            return true;
        }
        let mut slot = parts.slots_before;
        for (at, piece) in parts.pieces.iter().enumerate() {
            let reach = || parts.reach(at, &literal);
            match piece {
                Piece::Text(_) | Piece::Begin | Piece::End => {}
                Piece::Time(form) | Piece::Copy(_, Form::Time(form)) => {
                    if reach().touches_time(&literal, *form) {
                        return true;
                    }
                }
                // A number or an address that the literal cannot touch need not be read, wherever it is kept.
                Piece::Copy(column, Form::Verbatim) if self.is_untouched(names.name(*column), &reach) => {}
                Piece::Copy(column, form) => {
                    let otherwise = shape.and_then(|shape| {
                        shape.derived.iter().find_map(|(derived, how)| match how {
                            Derived::Same(other) if derived == column => Some(names.name(*other).to_owned()),
                            _ => None,
                        })
                    });
                    let is_escaped = *form == Form::Json;
                    let column = names.name(*column).to_owned();
                    self.variable(
                        found,
                        Variable { column, otherwise, is_escaped, part: None, reach: reach(), around: parts.around(at) },
                    );
                }
                Piece::Slot => {
                    let (column, part) = match slot.checked_sub(SLOTS_MAX - 1) {
                        Some(part) => (slot_name(SLOTS_MAX - 1), Some(part)),
                        None => (slot_name(slot), None),
                    };
                    self.variable(
                        found,
                        Variable { column, otherwise: None, is_escaped: false, part, reach: reach(), around: parts.around(at) },
                    );
                    slot += 1;
                }
            }
        }
        false
    }

    /// True when no value that a column can have in a line is touched.
    fn is_untouched(&self, column: &str, reach: &dyn Fn() -> Reach) -> bool {
        match Field::by_name(column).map(|field| field.definition().kind) {
            Some(event::Kind::Long) => !reach().touches_number(&self.literal),
            Some(event::Kind::Ip) => self.addresses && !reach().touches_address(&self.literal),
            _ => false,
        }
    }

    fn variable(&mut self, found: &mut Vec<usize>, variable: Variable) {
        let at = self.variables.iter().position(|known| *known == variable).unwrap_or_else(|| {
            self.variables.push(variable);
            self.variables.len() - 1
        });
        if !found.contains(&at) {
            found.push(at);
        }
    }
}

/// A line, or the message in it, as its pieces.
struct Parts<'a> {
    pieces: &'a [Piece],
    slots_before: usize,
    /// Texts that only a mark parts are one constant: for each piece of text the number of its constant.
    constants: Vec<String>,
    constant_of: Vec<Option<usize>>,
}

impl<'a> Parts<'a> {
    fn new(line: &'a [Piece], range: Range<usize>) -> Self {
        let slots_before = line[..range.start].iter().filter(|piece| **piece == Piece::Slot).count();
        let pieces = &line[range];
        let mut constants: Vec<String> = Vec::new();
        let mut constant_of = Vec::with_capacity(pieces.len());
        let mut goes_on = false;
        for piece in pieces {
            constant_of.push(match piece {
                Piece::Text(text) => {
                    match constants.last_mut().filter(|_| goes_on) {
                        Some(last) => last.push_str(text),
                        None => constants.push(text.to_string()),
                    }
                    goes_on = true;
                    Some(constants.len() - 1)
                }
                Piece::Begin | Piece::End => None,
                _ => {
                    goes_on = false;
                    None
                }
            });
        }
        Self { pieces, slots_before, constants, constant_of }
    }

    fn constants(&self) -> impl Iterator<Item = (&str, Edges)> {
        let is_mark = |piece: &&Piece| matches!(piece, Piece::Begin | Piece::End);
        let is_text = |piece: Option<&Piece>| matches!(piece, Some(Piece::Text(_)));
        let begins = is_text(self.pieces.iter().find(|piece| !is_mark(piece)));
        let ends = is_text(self.pieces.iter().rev().find(|piece| !is_mark(piece)));
        let last = self.constants.len().wrapping_sub(1);
        let edges = move |at: usize| Edges { begins: begins && at == 0, ends: ends && at == last };
        self.constants.iter().enumerate().map(move |(at, text)| (text.as_str(), edges(at)))
    }

    /// The constant before or after a piece; `Err(true)` at an end of the text, `Err(false)` beside another variable part.
    fn neighbour(&self, at: usize, step: isize) -> Result<&str, bool> {
        let mut place = at as isize + step;
        while let Some(piece) = usize::try_from(place).ok().and_then(|place| self.pieces.get(place)) {
            match (piece, self.constant_of[place as usize]) {
                (Piece::Begin | Piece::End, _) => place += step,
                (_, Some(constant)) => return Ok(&self.constants[constant]),
                _ => return Err(false),
            }
        }
        Err(true)
    }

    fn around(&self, at: usize) -> Option<Around> {
        let side = |step| match self.neighbour(at, step) {
            Ok(constant) => Some((constant.to_owned(), self.neighbour_ends(at, step))),
            Err(true) => Some((String::new(), true)),
            Err(false) => None,
        };
        let ((before, begins), (after, ends)) = (side(-1)?, side(1)?);
        Some(Around { before, after, edges: Edges { begins, ends } })
    }

    /// True when the constant beside a piece lies at the end of the text.
    fn neighbour_ends(&self, at: usize, step: isize) -> bool {
        let mut place = at as isize + step;
        while let Some(piece) = usize::try_from(place).ok().and_then(|place| self.pieces.get(place)) {
            if !matches!(piece, Piece::Text(_) | Piece::Begin | Piece::End) {
                return false;
            }
            place += step;
        }
        true
    }

    fn reach(&self, at: usize, literal: &Literal) -> Reach {
        let bytes = &literal.bytes;
        let len = bytes.len();
        let before = (1..=len).filter(|&at_most| {
            let start = &bytes[..at_most];
            match self.neighbour(at, -1) {
                Ok(constant) => literal.ends(constant.as_bytes(), start) || literal.ends(start, constant.as_bytes()),
                Err(is_end) => !is_end,
            }
        });
        let before = before.filter(|&at_most| at_most < len).map(|at_most| at_most as u16).collect();
        let until = (0..len).filter(|&from| {
            let rest = &bytes[from..];
            match self.neighbour(at, 1) {
                Ok(constant) => literal.begins(constant.as_bytes(), rest) || literal.begins(rest, constant.as_bytes()),
                Err(is_end) => !is_end,
            }
        });
        Reach { before, until: until.map(|from| from as u16).collect() }
    }
}

/// What a value says of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    No,
    Perhaps,
    Proven,
}

/// Places of a [`Test`]'s memory.
const MEMORY: usize = 256;

/// Values are searched all at once when the buffers that hold them are at most so many times their size.
const SLACK: usize = 4;

/// One variable's column in a batch: each distinct value is looked at once, or hardly more often.
struct Test<'a> {
    variable: &'a Variable,
    search: &'a Search<'a>,
    cells: Vec<Cells<'a>>,
    /// True when no row of the batch can be touched.
    is_out: bool,
    /// For each dictionary value of the first column, once it is known.
    known: Vec<Option<Found>>,
    /// What was said of views lately: equal views are equal texts.
    lately: Vec<(u128, Found)>,
    /// What is said of numbers.
    number: Found,
    scratch: String,
}

impl<'a> Test<'a> {
    fn new(variable: &'a Variable, search: &'a Search<'a>, batch: &'a RecordBatch) -> Self {
        let names = std::iter::once(&variable.column).chain(variable.otherwise.as_ref());
        let cells: Vec<Cells<'a>> = names.map(|name| Cells::by_name(batch, name)).collect();
        let number = if variable.reach.touches_number(&search.literal) { Found::Perhaps } else { Found::No };
        let is_within = variable.reach.before.is_empty() && variable.reach.until.iter().all(|&at| at == 0);
        let is_out = is_within
            && number == Found::No
            && !(variable.is_escaped && search.literal.may_be_escaped())
            && cells.iter().all(|cells| search.literal.is_nowhere_in(cells));
        let values = match cells[0] {
            Cells::Coded { values, .. } if !is_out => values.len(),
            _ => 0,
        };
        Self { variable, search, cells, is_out, known: vec![None; values], lately: Vec::new(), number, scratch: String::new() }
    }

    fn row(&mut self, row: usize) -> Found {
        match self.cells[0] {
            Cells::Coded { keys, values } if keys.is_valid(row) => {
                let key = keys.value(row) as usize;
                return match self.known.get(key) {
                    Some(Some(found)) => *found,
                    Some(None) => {
                        let found = self.test(values.value(key));
                        self.known[key] = Some(found);
                        found
                    }
                    None => Found::Perhaps,
                };
            }
            Cells::Text(array) if array.is_valid(row) => {
                // A view of length 0 is 0: the empty memory says what is true of it once that was found.
                let view = array.views()[row];
                if self.lately.is_empty() {
                    let found = self.test("");
                    self.lately = vec![(0, found); MEMORY];
                }
                let place = ((view ^ view >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - MEMORY.trailing_zeros());
                let (known, found) = self.lately[place as usize];
                if known == view {
                    return found;
                }
                let found = self.test(array.value(row));
                self.lately[place as usize] = (view, found);
                return found;
            }
            _ => {}
        }
        let Some(text) = self.cells.iter().find_map(|cells| cells.text(row)) else {
            // A number, perhaps one that follows from others; what is null in fact stands in no line.
            return self.number;
        };
        self.test(text)
    }

    fn test(&mut self, text: &str) -> Found {
        let text = match self.variable.part {
            Some(part) => text.split(UNIT).nth(part).unwrap_or_default(),
            None => text,
        };
        let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
        if !self.variable.is_escaped || !text.as_bytes().iter().any(is_special) {
            return self.test_in_line(text);
        }
        let mut escaped = Vec::with_capacity(text.len() + 8);
        json_escaped(text, |part| {
            escaped.extend_from_slice(part);
            true
        });
        std::str::from_utf8(&escaped).map_or(Found::Perhaps, |text| self.test_in_line(text))
    }

    /// Judges a value as it stands in the line.
    fn test_in_line(&mut self, text: &str) -> Found {
        if !self.variable.reach.touches(&self.search.literal, text.as_bytes()) {
            return Found::No;
        }
        let Some(around) = &self.variable.around else { return Found::Perhaps };
        self.scratch.clear();
        self.scratch.extend([around.before.as_str(), text, around.after.as_str()]);
        if (self.search.proves)(&self.scratch, around.edges) { Found::Proven } else { Found::Perhaps }
    }
}
