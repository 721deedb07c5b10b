//! From a byte stream to records: octet counting, LF or NUL, told apart per connection (RFC 6587).
//!
//! A pure state machine: bytes in, frames out, no clock and no socket. Invariants:
//! 1. However the stream is split into pieces, the frames are the same.
//! 2. Memory is bounded by the limit, whatever comes: a longer message is cut there, the rest is skipped and counted.
//! 3. A sender that skips more than [`SKIP_BYTES_MAX`] behind one message, or breaks its own octet counting beyond repair,
//!    leaves the framer [broken](Framer::is_broken): the connection has nothing more to say.

use memchr::{memchr, memchr2};

/// What may follow a cut message before the connection counts as never-ending.
pub const SKIP_BYTES_MAX: u64 = 4 << 20;

/// Digits of an octet count; more is no count.
const COUNT_DIGITS_MAX: usize = 8;

/// One record as it came, without its delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub bytes: &'a [u8],
    /// Position in the stream just behind the record and its delimiter.
    pub end: u64,
    /// Bytes of the message that were thrown away behind the limit; 0 for a whole message.
    pub cut: u64,
}

/// How a stream is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Not known yet: nothing has come that tells.
    Unknown,
    /// `<length> SP <message>`.
    Octets,
    /// Messages end in LF or CR LF.
    Lines,
    /// Messages end in NUL.
    Nuls,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Before a message: digits may begin an octet count. Digits seen so far sit in `held`.
    Count,
    /// Inside a counted message: so many bytes to come.
    Counted(u64),
    /// Inside a delimited message.
    Delimited,
    Broken,
}

/// Divides one connection's stream (or one file) into records.
pub struct Framer {
    framing: Framing,
    state: State,
    limit: usize,
    skip_max: u64,
    /// The unfinished message, at most `limit` bytes.
    held: Vec<u8>,
    /// Bytes of the unfinished message thrown away.
    skipped: u64,
    /// Bytes consumed so far.
    position: u64,
    errors: u64,
}

impl Framer {
    /// A framer that finds out how the connection divides its messages.
    pub fn detect(limit: usize) -> Self {
        Self {
            framing: Framing::Unknown,
            state: State::Count,
            limit: limit.max(1),
            skip_max: SKIP_BYTES_MAX,
            held: Vec::new(),
            skipped: 0,
            position: 0,
            errors: 0,
        }
    }

    /// A framer for lines of a file, whose reading starts at `position`. A file may skip as much as it holds.
    pub fn lines(limit: usize, position: u64) -> Self {
        Self { framing: Framing::Lines, state: State::Delimited, skip_max: u64::MAX, position, ..Self::detect(limit) }
    }

    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// True when a message has begun and not ended.
    pub fn is_partial(&self) -> bool {
        !self.held.is_empty() || self.skipped > 0 || matches!(self.state, State::Counted(_))
    }

    /// True when no further byte of this stream can be read with sense.
    pub fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// Octet counts so far that were followed by something else.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Takes the next piece of the stream and calls `emit` for every record that ends in it.
    pub fn feed(&mut self, mut input: &[u8], mut emit: impl FnMut(Frame<'_>)) {
        while !input.is_empty() {
            let taken = match self.state {
                State::Count => self.count(input),
                State::Counted(left) => self.counted(input, left, &mut emit),
                State::Delimited => self.delimited(input, &mut emit),
                State::Broken => return,
            };
            input = &input[taken..];
        }
    }

    /// Ends the stream: what was begun becomes a last record, so that no byte is lost.
    pub fn finish(&mut self, mut emit: impl FnMut(Frame<'_>)) {
        if let State::Counted(left) = self.state
            && left > 0
        {
            self.errors += 1;
        }
        let held = std::mem::take(&mut self.held);
        self.send(&held, &mut emit);
        self.state = State::Broken;
    }

    /// Reads digits towards an octet count; returns how many bytes were taken.
    fn count(&mut self, input: &[u8]) -> usize {
        let byte = input[0];
        if self.held.is_empty() {
            // Between counted messages some senders put a line end that they did not count.
            if self.framing == Framing::Octets && matches!(byte, b'\n' | b'\r' | 0) {
                self.position += 1;
                return 1;
            }
            return match byte {
                b'1'..=b'9' => self.hold_one(byte),
                _ => self.not_counted(),
            };
        }
        let digits_end = self.held.last() == Some(&b' ');
        match byte {
            b'0'..=b'9' if !digits_end && self.held.len() < COUNT_DIGITS_MAX => self.hold_one(byte),
            b' ' if !digits_end => self.hold_one(byte),
            // `<digits> SP <` tells octet counting from a line that begins with a number. Once a connection is known to
            // count, the message may begin with anything.
            b'<' if digits_end => self.start_counted(),
            _ if digits_end && self.framing == Framing::Octets => self.start_counted(),
            _ => self.not_counted(),
        }
    }

    fn hold_one(&mut self, byte: u8) -> usize {
        self.held.push(byte);
        self.position += 1;
        1
    }

    fn start_counted(&mut self) -> usize {
        let digits = &self.held[..self.held.len() - 1];
        let count = digits.iter().fold(0u64, |n, digit| n * 10 + u64::from(digit - b'0'));
        self.held.clear();
        self.framing = Framing::Octets;
        self.state = State::Counted(count);
        0
    }

    /// What was held is no octet count: it begins a delimited message.
    fn not_counted(&mut self) -> usize {
        if self.framing == Framing::Octets {
            self.errors += 1;
        }
        self.state = State::Delimited;
        0
    }

    fn counted(&mut self, input: &[u8], left: u64, emit: &mut impl FnMut(Frame<'_>)) -> usize {
        let (window, is_last) = self.window(input.len(), self.skip_max);
        let taken = window.min(usize::try_from(left).unwrap_or(usize::MAX));
        self.position += taken as u64;
        let left = left - taken as u64;
        if left == 0 {
            self.state = State::Count;
            self.complete(&input[..taken], emit);
        } else {
            self.state = State::Counted(left);
            self.hold(&input[..taken]);
            if is_last {
                self.errors += 1;
                self.break_off(emit);
            }
        }
        taken
    }

    fn delimited(&mut self, input: &[u8], emit: &mut impl FnMut(Frame<'_>)) -> usize {
        // After a lying count nothing is skipped: one endless line means that a new connection had better start clean.
        let skip_max = if self.framing == Framing::Octets { 0 } else { self.skip_max };
        let (window, is_last) = self.window(input.len(), skip_max);
        let found = match self.framing {
            Framing::Unknown => memchr2(b'\n', 0, &input[..window]),
            Framing::Nuls => memchr(0, &input[..window]),
            Framing::Lines | Framing::Octets => memchr(b'\n', &input[..window]),
        };
        let Some(end) = found else {
            self.position += window as u64;
            self.hold(&input[..window]);
            if is_last {
                self.break_off(emit);
            }
            return window;
        };
        if self.framing == Framing::Unknown {
            self.framing = if input[end] == 0 { Framing::Nuls } else { Framing::Lines };
        }
        self.position += end as u64 + 1;
        if self.framing == Framing::Octets {
            self.state = State::Count;
        }
        self.complete(&input[..end], emit);
        end + 1
    }

    /// How much of the input may belong to the message begun, and whether that exhausts what a message may take. It counts
    /// bytes of the message, not pieces, so that splitting changes nothing.
    fn window(&self, input: usize, skip_max: u64) -> (usize, bool) {
        let begun = self.held.len() as u64 + self.skipped;
        let room = (self.limit as u64).saturating_add(skip_max).saturating_sub(begun).saturating_add(1);
        let is_last = input as u64 >= room;
        (if is_last { room as usize } else { input }, is_last)
    }

    /// Keeps a part of an unfinished message, up to the limit.
    fn hold(&mut self, part: &[u8]) {
        let room = self.limit - self.held.len().min(self.limit);
        let kept = part.len().min(room);
        self.held.extend_from_slice(&part[..kept]);
        self.skipped += (part.len() - kept) as u64;
    }

    /// Sends a message whose last part is at hand; without a copy when nothing was held.
    fn complete(&mut self, part: &[u8], emit: &mut impl FnMut(Frame<'_>)) {
        if self.held.is_empty() && self.skipped == 0 && part.len() <= self.limit {
            return self.send(part, emit);
        }
        self.hold(part);
        let mut held = std::mem::take(&mut self.held);
        self.send(&held, emit);
        // A long message must not leave its buffer behind on every idle connection.
        if held.capacity() <= 4096 {
            held.clear();
            self.held = held;
        }
    }

    fn send(&mut self, message: &[u8], emit: &mut impl FnMut(Frame<'_>)) {
        let cut = std::mem::take(&mut self.skipped);
        let bytes = if cut == 0 { trim(message) } else { trim_start(message) };
        if !bytes.is_empty() {
            emit(Frame { bytes, end: self.position, cut });
        }
    }

    fn break_off(&mut self, emit: &mut impl FnMut(Frame<'_>)) {
        let held = std::mem::take(&mut self.held);
        self.send(&held, emit);
        self.state = State::Broken;
    }
}

/// Takes line ends and NULs off both ends: they are delimiters, whichever the connection uses.
pub(crate) fn trim(mut message: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r' | 0] = message {
        message = rest;
    }
    trim_start(message)
}

fn trim_start(mut message: &[u8]) -> &[u8] {
    while let [b'\n' | b'\r' | 0, rest @ ..] = message {
        message = rest;
    }
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 32;

    /// Frames of a stream fed in pieces of the given sizes (the last size repeats), and whether it broke.
    fn frames(stream: &[u8], sizes: &[usize]) -> (Vec<(String, u64, u64)>, bool) {
        let mut framer = Framer::detect(LIMIT);
        let mut found = Vec::new();
        let mut emit = |f: Frame<'_>| found.push((String::from_utf8_lossy(f.bytes).into_owned(), f.end, f.cut));
        let (mut rest, mut sizes) = (stream, sizes.iter().copied().chain(std::iter::repeat(*sizes.last().unwrap())));
        while !rest.is_empty() {
            let n = sizes.next().unwrap().clamp(1, rest.len());
            framer.feed(&rest[..n], &mut emit);
            assert!(framer.held.len() <= LIMIT);
            rest = &rest[n..];
        }
        let broken = framer.is_broken();
        framer.finish(&mut emit);
        (found, broken)
    }

    fn texts(stream: &[u8]) -> Vec<String> {
        frames(stream, &[usize::MAX]).0.into_iter().map(|(text, _, _)| text).collect()
    }

    #[test]
    fn three_framings_are_told_apart() {
        assert_eq!(texts(b"<13>one\n<13>two\r\n\n<13>three"), ["<13>one", "<13>two", "<13>three"]);
        assert_eq!(texts(b"<13>one\0<13>two\nlines\0"), ["<13>one", "<13>two\nlines"]);
        assert_eq!(texts(b"7 <13>one7 <13>two"), ["<13>one", "<13>two"]);
        assert_eq!(texts(b"8 <13>one\n7 <13>two"), ["<13>one", "<13>two"]);
        assert_eq!(texts(b"7 <13>one\n7 <13>two\n"), ["<13>one", "<13>two"]);
    }

    #[test]
    fn numbers_at_the_start_of_a_line_are_no_count() {
        assert_eq!(texts(b"2026 was a year\n7 dwarfs\n"), ["2026 was a year", "7 dwarfs"]);
        assert_eq!(texts(b"123456789 <13>x\n"), ["123456789 <13>x"]);
        assert_eq!(texts(b"7"), ["7"]);
    }

    #[test]
    fn oversize_is_cut_and_the_rest_skipped() {
        let long = "x".repeat(100);
        let (found, _) = frames(format!("<1>a\n{long}\n<1>b\n").as_bytes(), &[7]);
        assert_eq!(found, [("<1>a".into(), 5, 0), ("x".repeat(32), 106, 68), ("<1>b".into(), 111, 0)]);
        let (found, _) = frames(format!("100 <{}4 <1>b", "x".repeat(99)).as_bytes(), &[9]);
        assert_eq!(found[0], (format!("<{}", "x".repeat(31)), 104, 68));
        assert_eq!(found[1].0, "<1>b");
    }

    #[test]
    fn a_message_of_exactly_the_limit_is_whole() {
        let exact = "y".repeat(LIMIT);
        assert_eq!(frames(format!("{exact}\n").as_bytes(), &[5]).0, [(exact, 33, 0)]);
    }

    #[test]
    fn a_never_ending_line_breaks_off() {
        let mut framer = Framer::detect(LIMIT);
        let mut records = 0;
        let piece = vec![b'x'; 1 << 16];
        let mut sent = 0u64;
        while !framer.is_broken() {
            framer.feed(&piece, |frame| {
                records += 1;
                assert_eq!(frame.bytes.len(), LIMIT);
            });
            sent += piece.len() as u64;
            assert!(sent <= SKIP_BYTES_MAX + (1 << 17), "still not broken after {sent} bytes");
        }
        assert_eq!(records, 1);
    }

    #[test]
    fn lying_counts_are_survived() {
        // Too short: the rest reads as a line, the next count is found again.
        let (found, broken) = frames(b"7 <13>one and more\n7 <13>two", &[4]);
        assert_eq!(found.iter().map(|f| f.0.as_str()).collect::<Vec<_>>(), ["<13>one", " and more", "<13>two"]);
        assert!(!broken);
        // Too long: it swallows its neighbour, and the stream without line ends then breaks off.
        let stream = format!("9 <13>one{}", "7 <13>two".repeat(20));
        let (_, broken) = frames(stream.as_bytes(), &[11]);
        assert!(broken);
        // Never delivered: what came is kept.
        assert_eq!(texts(b"99999999 <13>one"), ["<13>one"]);
    }

    #[test]
    fn a_hole_of_nuls_in_a_file_is_no_record() {
        let mut framer = Framer::lines(LIMIT, 100);
        let mut found = Vec::new();
        framer.feed(b"\0\0\0\0next\nlast", |f| found.push((f.bytes.to_vec(), f.end)));
        assert_eq!(found, [(b"next".to_vec(), 109)]);
        assert!(framer.is_partial());
    }

    proptest! {
        #[test]
        fn splitting_changes_nothing(
            stream in proptest::collection::vec(
                prop_oneof![
                    Just(b"\n".to_vec()), Just(b"\0".to_vec()), Just(b"\r\n".to_vec()), Just(b"7 <13>one".to_vec()),
                    Just(b"5 <13>".to_vec()), Just(b"40 <13>".to_vec()), Just(b"12".to_vec()), Just(b" ".to_vec()),
                    proptest::collection::vec(any::<u8>(), 0..50),
                ], 0..20),
            sizes in proptest::collection::vec(1usize..40, 1..20),
        ) {
            let stream = stream.concat();
            let whole = frames(&stream, &[usize::MAX]);
            prop_assert_eq!(&whole, &frames(&stream, &[1]));
            prop_assert_eq!(&whole, &frames(&stream, &sizes));
            for at in 1..stream.len() {
                prop_assert_eq!(&whole, &frames(&stream, &[at, usize::MAX]));
            }
        }
    }
}
