//! The shape of a row: how its line, and the columns that repeat others, are put together from the rest of the row.
//!
//! As text (one string per distinct shape, so that any Parquet reader can see it):
//!
//! ```text
//! =<38>{timestamp|bsd.0+0000} {host.name} sshd[{process.pid}]: {<}Failed password for {user.name} from {source.ip} port {}{>}
//! ␞log.syslog.hostname~{host.name} ␞vendor.time~{timestamp|epoch.9+0000} ␞related.ip~[{source.ip} ␞chieng.clock_skew~skew
//! ```
//!
//! `=` opens the line (absent: the line is not derived); `{name}` is a column's value, `|json` its JSON-escaped form, `|form` a
//! time in that form; `{}` is a residual variable, `{|form}` a residual time; `{<}` and `{>}` are where `message` begins and
//! ends; `{{` and `}}` are braces. After each U+001E follows a derived column; elements of a list follow `[`, parted by U+001F.
//! Text that holds these control characters is never put into a shape.

use std::fmt::Write as _;

use super::time::TimeForm;

/// Longest shape, in bytes; longer ones are not made and not read.
pub(super) const SHAPE_BYTES_MAX: usize = 64 << 10;
/// Pieces of one line.
pub(super) const PIECES_MAX: usize = 1_024;
/// Columns that hold one residual variable each; the last one holds all further ones, parted by U+001F.
pub(super) const SLOTS_MAX: usize = 8;

pub(super) const RECORD: char = '\u{1e}';
pub(super) const UNIT: char = '\u{1f}';

/// How a column's value stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// As it is; numbers in decimal.
    Verbatim,
    /// With JSON's escapes.
    Json,
    Time(TimeForm),
}

/// A part of a line. Columns are numbers in the caller's list of names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    Text(Box<str>),
    Copy(u32, Form),
    Slot,
    Time(TimeForm),
    Begin,
    End,
}

/// How a column follows from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Derived {
    /// Equal to that column, numbers and text in canonical decimal being equal.
    Same(u32),
    List(Vec<Element>),
    /// `timestamp` in a form.
    Time(TimeForm),
    /// `timestamp` − `event.created`, in milliseconds.
    Skew,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Element {
    Text(Box<str>),
    Copy(u32),
}

/// One shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub line: Option<Vec<Piece>>,
    pub derived: Vec<(u32, Derived)>,
}

/// Column names by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    list: Vec<Box<str>>,
    numbers: std::collections::HashMap<Box<str>, u32>,
}

impl Names {
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.list.len() as u32;
        self.list.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }

    pub fn name(&self, number: u32) -> &str {
        &self.list[number as usize]
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }
}

/// True for names that may stand in a shape; a sender can invent others.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 256 && !name.contains(['{', '}', '|', '<', '>', '~']) && !name.contains(char::is_control)
}

/// True for text that may stand in a shape.
pub(super) fn is_plain_text(text: &str) -> bool {
    !text.contains([RECORD, UNIT])
}

impl Shape {
    pub fn to_text(&self, names: &Names) -> String {
        let mut text = String::new();
        if let Some(line) = &self.line {
            text.push('=');
            line.iter().for_each(|piece| write_piece(piece, names, &mut text));
        }
        for (column, derived) in &self.derived {
            text.push(RECORD);
            text.push_str(names.name(*column));
            text.push('~');
            match derived {
                Derived::Same(other) => drop(write!(text, "{{{}}}", names.name(*other))),
                Derived::Time(form) => drop(write!(text, "{{timestamp|{}}}", form.name())),
                Derived::Skew => text.push_str("skew"),
                Derived::List(elements) => {
                    text.push('[');
                    for (at, element) in elements.iter().enumerate() {
                        if at > 0 {
                            text.push(UNIT);
                        }
                        match element {
                            Element::Text(literal) => push_escaped(&mut text, literal),
                            Element::Copy(other) => drop(write!(text, "{{{}}}", names.name(*other))),
                        }
                    }
                }
            }
        }
        text
    }

    /// Reads a shape; the error says what is wrong, where (byte offset).
    pub fn parse(text: &str, names: &mut Names) -> Result<Self, (usize, &'static str)> {
        if text.len() > SHAPE_BYTES_MAX {
            return Err((SHAPE_BYTES_MAX, "the shape is too long"));
        }
        let mut parts = text.split(RECORD);
        let line = parts.next().unwrap_or_default();
        let mut shape = Self::default();
        if let Some(pieces) = line.strip_prefix('=') {
            shape.line = Some(parse_pieces(pieces, names)?);
        } else if !line.is_empty() {
            return Err((0, "a shape begins with `=`"));
        }
        let mut at = line.len() + 1;
        for part in parts {
            let (name, value) = part.split_once('~').ok_or((at, "a derived column without `~`"))?;
            if !is_plain_name(name) {
                return Err((at, "a derived column without a name"));
            }
            let derived = parse_derived(value, names).map_err(|what| (at + name.len() + 1, what))?;
            shape.derived.push((names.number(name), derived));
            at += part.len() + 1;
        }
        Ok(shape)
    }
}

fn parse_derived(value: &str, names: &mut Names) -> Result<Derived, &'static str> {
    if value == "skew" {
        return Ok(Derived::Skew);
    }
    if let Some(form) = value.strip_prefix("{timestamp|").and_then(|rest| rest.strip_suffix('}')) {
        return TimeForm::parse(form).map(Derived::Time).ok_or("an unknown form of time");
    }
    let Some(list) = value.strip_prefix('[') else {
        return copied(value, names).map(Derived::Same).ok_or("a derived column equals `{name}`");
    };
    let mut elements = Vec::new();
    for element in list.split(UNIT) {
        if elements.len() == PIECES_MAX {
            return Err("a list of too many elements");
        }
        elements.push(match copied(element, names) {
            Some(column) => Element::Copy(column),
            None => Element::Text(element.replace("{{", "{").replace("}}", "}").into()),
        });
    }
    Ok(Derived::List(elements))
}

fn copied(text: &str, names: &mut Names) -> Option<u32> {
    let name = text.strip_prefix('{')?.strip_suffix('}')?;
    is_plain_name(name).then(|| names.number(name))
}

fn write_piece(piece: &Piece, names: &Names, text: &mut String) {
    let written = match piece {
        Piece::Text(literal) => {
            push_escaped(text, literal);
            Ok(())
        }
        Piece::Copy(column, Form::Verbatim) => write!(text, "{{{}}}", names.name(*column)),
        Piece::Copy(column, Form::Json) => write!(text, "{{{}|json}}", names.name(*column)),
        Piece::Copy(column, Form::Time(form)) => write!(text, "{{{}|{}}}", names.name(*column), form.name()),
        Piece::Slot => write!(text, "{{}}"),
        Piece::Time(form) => write!(text, "{{|{}}}", form.name()),
        Piece::Begin => write!(text, "{{<}}"),
        Piece::End => write!(text, "{{>}}"),
    };
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}

fn push_escaped(text: &mut String, literal: &str) {
    for part in literal.split_inclusive(['{', '}']) {
        text.push_str(part);
        if let Some(brace @ ('{' | '}')) = part.chars().next_back() {
            text.push(brace);
        }
    }
}

fn parse_pieces(text: &str, names: &mut Names) -> Result<Vec<Piece>, (usize, &'static str)> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let next = rest.find(['{', '}']).unwrap_or(rest.len());
        literal.push_str(&rest[..next]);
        at += next;
        let rest = &text[at..];
        if rest.is_empty() {
            break;
        }
        if rest.starts_with("{{") || rest.starts_with("}}") {
            literal.push_str(&rest[..1]);
            at += 2;
            continue;
        }
        let end = rest.find('}').filter(|end| *end > 0).ok_or((at + 1, "an open brace"))?;
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal).into()));
        }
        pieces.push(parse_reference(&rest[1..end], names).ok_or((at + 1, "an unknown reference"))?);
        if pieces.len() > PIECES_MAX {
            return Err((at + 1, "too many pieces"));
        }
        at += end + 1;
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal.into()));
    }
    let marks: Vec<bool> =
        pieces.iter().filter(|piece| matches!(piece, Piece::Begin | Piece::End)).map(|piece| *piece == Piece::Begin).collect();
    if !(marks.is_empty() || marks == [true, false]) {
        return Err((0, "`{<}` and `{>}` do not pair"));
    }
    if pieces.iter().filter(|piece| matches!(piece, Piece::Time(_))).count() > 1 {
        return Err((0, "more than one residual time"));
    }
    Ok(pieces)
}

fn parse_reference(text: &str, names: &mut Names) -> Option<Piece> {
    Some(match (text, text.split_once('|')) {
        ("", _) => Piece::Slot,
        ("<", _) => Piece::Begin,
        (">", _) => Piece::End,
        (_, Some(("", form))) => Piece::Time(TimeForm::parse(form)?),
        (_, Some((name, form))) if is_plain_name(name) => {
            let form = if form == "json" { Form::Json } else { Form::Time(TimeForm::parse(form)?) };
            Piece::Copy(names.number(name), form)
        }
        (name, None) if is_plain_name(name) => Piece::Copy(names.number(name), Form::Verbatim),
        _ => return None,
    })
}

/// Calls `emit` with the pieces of `text` in JSON's escapes (RFC 8259 §7, the short ones where they exist).
pub(super) fn json_escaped<'t>(text: &'t str, mut emit: impl FnMut(&[u8]) -> bool) -> bool {
    let bytes: &'t [u8] = text.as_bytes();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let mut long = *b"\\u0000";
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0..=0x1f => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                long[4] = DIGITS[usize::from(byte >> 4)];
                long[5] = DIGITS[usize::from(byte & 15)];
                &long
            }
            _ => continue,
        };
        if !emit(&bytes[start..at]) || !emit(escape) {
            return false;
        }
        start = at + 1;
    }
    emit(&bytes[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_reads_back_as_it_was_written() {
        let mut names = Names::default();
        for text in [
            "=<38>{timestamp|bsd.0+0700} {host.name} a{{b}}c{<}{user.name|json}{}x{|rfc3339.6Z}{>}",
            "\u{1e}a~{b}\u{1e}t~{timestamp|epoch.9+0000}\u{1e}l~[{b}\u{1f}x{{y}}\u{1f}\u{1e}chieng.clock_skew~skew",
            "=",
            "",
        ] {
            let shape = Shape::parse(text, &mut names).unwrap();
            assert_eq!(shape.to_text(&names), text);
        }
    }

    #[test]
    fn a_broken_shape_is_refused_with_its_place() {
        let mut names = Names::default();
        for text in ["x", "={", "={a|nope.0Z}", "={>}{<}", "={<}", "=}", "\u{1e}a", "\u{1e}a~b", "={|date.0Z}{|date.0Z}"] {
            assert!(Shape::parse(text, &mut names).is_err(), "{text}");
        }
        assert_eq!(Shape::parse("=abc{", &mut names), Err((4, "an open brace")));
    }
}
