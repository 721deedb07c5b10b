//! Text from records that are not UTF-8: UTF-16, and the Vietnamese single-byte encodings that older machines still write.
//!
//! | Name | What it is | How a letter with a tone is written |
//! |---|---|---|
//! | `utf-16le`, `utf-16be` | with or without a byte-order mark | as one unit |
//! | `windows-1258` | Microsoft's code page | vowel, then a combining tone: joined to one letter here |
//! | `tcvn3` | TCVN 5712:1993 VN3, the `.Vn…` fonts ("ABC") | one byte; capitals with a tone are lower case, since only the font makes them capitals |
//! | `vni` | VNI Windows | ASCII vowel, then a byte for the tone |
//!
//! Only UTF-16 is recognised by itself: the single-byte encodings cannot be told apart safely on a line, so a source names its own. The
//! record's bytes are never changed by this: what is decoded here is the text that fields are read from. Total: whatever the bytes
//! are, the result is valid UTF-8 and at most three times as long.

use bumpalo::{Bump, collections::String};

/// How the bytes of a source's records are to be read when they are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf16Le,
    Utf16Be,
    Windows1258,
    Tcvn3,
    Vni,
}

/// Names in configuration.
pub const NAMES: [(&str, Encoding); 5] = [
    ("utf-16le", Encoding::Utf16Le),
    ("utf-16be", Encoding::Utf16Be),
    ("windows-1258", Encoding::Windows1258),
    ("tcvn3", Encoding::Tcvn3),
    ("vni", Encoding::Vni),
];

/// Finds an encoding by the name that configuration gives it, in any case.
pub fn by_name(name: &str) -> Option<Encoding> {
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, encoding)| *encoding)
}

/// A record's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'r> {
    pub text: &'r str,
    /// What it was decoded from; `None` where the bytes are UTF-8, or were read as such with U+FFFD in the place of what is not.
    pub from: Option<Encoding>,
    /// True when bytes had no meaning in the encoding.
    pub has_lost: bool,
}

/// Reads a record's bytes: UTF-16 where they obviously are that, else UTF-8, else the source's encoding.
pub fn decode<'r>(arena: &'r Bump, bytes: &'r [u8], of_source: Option<Encoding>) -> Decoded<'r> {
    let utf_16 = utf_16(bytes).or(of_source.filter(|encoding| matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be)));
    if let Some(encoding) = utf_16 {
        return from(arena, bytes, encoding);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Decoded { text, from: None, has_lost: false };
    }
    match of_source {
        Some(encoding) => from(arena, bytes, encoding),
        None => {
            let mut text = String::with_capacity_in(bytes.len() + bytes.len() / 2, arena);
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                if !chunk.invalid().is_empty() {
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
            Decoded { text: text.into_bump_str(), from: None, has_lost: true }
        }
    }
}

/// Decodes from one encoding.
pub fn from<'r>(arena: &'r Bump, bytes: &[u8], encoding: Encoding) -> Decoded<'r> {
    let mut text = String::with_capacity_in(bytes.len() + bytes.len() / 2, arena);
    let has_lost = match encoding {
        Encoding::Utf16Le => push_utf_16(&mut text, bytes, u16::from_le_bytes),
        Encoding::Utf16Be => push_utf_16(&mut text, bytes, u16::from_be_bytes),
        Encoding::Windows1258 => push_windows_1258(&mut text, bytes),
        Encoding::Tcvn3 => push_single(&mut text, bytes, &TCVN3),
        Encoding::Vni => push_vni(&mut text, bytes),
    };
    Decoded { text: text.into_bump_str(), from: Some(encoding), has_lost }
}

/// Says which UTF-16 the bytes are, where they begin with its mark or every other byte of their first letters is a zero.
///
/// A file of lines is cut behind the byte 0x0A. In little-endian text the zero of the line end then opens the next record, in
/// big-endian text the zero before it ends the record; the letters outside of Latin-1 show which of them it is.
pub fn utf_16(bytes: &[u8]) -> Option<Encoding> {
    match bytes {
        [0xFF, 0xFE, ..] => return Some(Encoding::Utf16Le),
        [0xFE, 0xFF, ..] => return Some(Encoding::Utf16Be),
        [first, second, ..] if (*first == 0) != (*second == 0) && bytes.len() >= 8 => {}
        _ => return None,
    }
    let head = &bytes[..bytes.len().min(512)];
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|b| **b == 0).count();
    let half = head.len() / 2;
    let (even, odd) = (zeros(0), zeros(1));
    if odd * 4 >= half * 3 && even * 8 <= half {
        return Some(Encoding::Utf16Le);
    }
    if even * 2 < half || odd * 8 > half {
        return None;
    }
    // Zeros at even places: big-endian, or little-endian behind the zero of a line end.
    let blocks = |from: usize| head.iter().skip(from).step_by(2).filter(|b| matches!(b, 0 | 1 | 3 | 0x1E | 0x20)).count();
    let is_cut = bytes.len() % 2 == 1 && blocks(2) > blocks(0).saturating_sub(1) || is_shifted(head);
    Some(if is_cut { Encoding::Utf16Le } else { Encoding::Utf16Be })
}

/// True when a letter of the Vietnamese block (U+1E00…) stands in the text as a little-endian reader behind one zero sees it,
/// and none as a big-endian reader does.
fn is_shifted(head: &[u8]) -> bool {
    if head[0] != 0 {
        return false;
    }
    let pairs = |from: usize, high: usize| {
        head[from..].chunks_exact(2).filter(|pair| pair[high] == 0x1E && pair[1 - high] >= 0xA0).count()
    };
    pairs(1, 1) > pairs(0, 0)
}

fn push_utf_16(text: &mut String<'_>, bytes: &[u8], unit: fn([u8; 2]) -> u16) -> bool {
    // The zero of a line end that was cut before it.
    let is_little = unit([1, 0]) == 1;
    let bytes = match bytes {
        [0, rest @ ..] if is_little && bytes.len() % 2 == 1 => rest,
        [0, rest @ .., _] if is_little && rest.first() != Some(&0) => rest,
        _ => bytes,
    };
    let (pairs, left) = bytes.as_chunks::<2>();
    let mut has_lost = !matches!(left, [] | [0]);
    for letter in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match letter {
            Ok('\u{FEFF}') if text.is_empty() => {}
            Ok('\0') => {}
            Ok(letter) => text.push(letter),
            Err(_) => {
                has_lost = true;
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
    has_lost
}

fn push_single(text: &mut String<'_>, bytes: &[u8], high: &[char; 128]) -> bool {
    let mut has_lost = false;
    for b in bytes {
        let letter = if b.is_ascii() { char::from(*b) } else { high[usize::from(b - 0x80)] };
        has_lost |= letter == char::REPLACEMENT_CHARACTER;
        text.push(letter);
    }
    has_lost
}

fn push_windows_1258(text: &mut String<'_>, bytes: &[u8]) -> bool {
    let mut has_lost = false;
    for b in bytes {
        let letter = if b.is_ascii() { char::from(*b) } else { WINDOWS_1258[usize::from(b - 0x80)] };
        has_lost |= letter == char::REPLACEMENT_CHARACTER;
        let tone = TONES.iter().position(|tone| *tone == letter);
        match tone.and_then(|tone| with_tone(text.chars().next_back()?, tone + 1)) {
            Some(joined) => {
                text.pop();
                text.push(joined);
            }
            None => text.push(letter),
        }
    }
    has_lost
}

fn push_vni(text: &mut String<'_>, bytes: &[u8]) -> bool {
    let mut has_lost = false;
    let mut rest = bytes;
    while let Some((b, after)) = rest.split_first() {
        rest = after;
        let base = if b.is_ascii() { char::from(*b) } else { vni_letter(*b) };
        let marked = after.first().and_then(|mark| vni_marked(base, *mark));
        if marked.is_some() {
            rest = &after[1..];
        }
        let letter = marked.unwrap_or(base);
        has_lost |= letter == char::REPLACEMENT_CHARACTER;
        text.push(letter);
    }
    has_lost
}

/// A letter that VNI writes as one byte. Capitals lie 0x20 below small letters.
fn vni_letter(b: u8) -> char {
    let small = match b | 0x20 {
        0xED => 'í',
        0xEC => 'ì',
        0xE6 => 'ỉ',
        0xF3 => 'ĩ',
        0xF2 => 'ị',
        0xF4 => 'ơ',
        0xF6 => 'ư',
        0xEE => 'ỵ',
        0xF1 => 'đ',
        _ => return char::REPLACEMENT_CHARACTER,
    };
    match b {
        0xE0.. => small,
        0xC0..=0xDF => small.to_uppercase().next().unwrap_or(small),
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// The letter that VNI writes as a vowel and a byte of marks.
fn vni_marked(base: char, mark: u8) -> Option<char> {
    if mark < 0xC0 {
        return None;
    }
    let mark = mark | 0x20;
    // A tone, or a breve or circumflex with or without a tone.
    let plain = [0xF8, 0xFB, 0xF5, 0xF9, 0xEF].iter().position(|known| *known == mark);
    let breve = [0xEA, 0xE8, 0xFA, 0xFC, 0xE9, 0xEB].iter().position(|known| *known == mark);
    let circumflex = [0xE2, 0xE0, 0xE5, 0xE3, 0xE1, 0xE4].iter().position(|known| *known == mark);
    let (vowel, tone) = match (base, plain, breve, circumflex) {
        (_, Some(tone), _, _) => (base, tone + 1),
        ('a', _, Some(tone), _) => ('ă', tone),
        ('A', _, Some(tone), _) => ('Ă', tone),
        ('a', _, _, Some(tone)) => ('â', tone),
        ('A', _, _, Some(tone)) => ('Â', tone),
        ('e', _, _, Some(tone)) => ('ê', tone),
        ('E', _, _, Some(tone)) => ('Ê', tone),
        ('o', _, _, Some(tone)) => ('ô', tone),
        ('O', _, _, Some(tone)) => ('Ô', tone),
        _ => return None,
    };
    with_tone(vowel, tone)
}

/// Combining grave, hook, tilde, acute, dot below: the order of [`VOWELS`].
const TONES: [char; 5] = ['\u{300}', '\u{309}', '\u{303}', '\u{301}', '\u{323}'];

/// Each vowel without a tone, then with the five.
const VOWELS: [[char; 6]; 24] = [
    ['a', 'à', 'ả', 'ã', 'á', 'ạ'],
    ['ă', 'ằ', 'ẳ', 'ẵ', 'ắ', 'ặ'],
    ['â', 'ầ', 'ẩ', 'ẫ', 'ấ', 'ậ'],
    ['e', 'è', 'ẻ', 'ẽ', 'é', 'ẹ'],
    ['ê', 'ề', 'ể', 'ễ', 'ế', 'ệ'],
    ['i', 'ì', 'ỉ', 'ĩ', 'í', 'ị'],
    ['o', 'ò', 'ỏ', 'õ', 'ó', 'ọ'],
    ['ô', 'ồ', 'ổ', 'ỗ', 'ố', 'ộ'],
    ['ơ', 'ờ', 'ở', 'ỡ', 'ớ', 'ợ'],
    ['u', 'ù', 'ủ', 'ũ', 'ú', 'ụ'],
    ['ư', 'ừ', 'ử', 'ữ', 'ứ', 'ự'],
    ['y', 'ỳ', 'ỷ', 'ỹ', 'ý', 'ỵ'],
    ['A', 'À', 'Ả', 'Ã', 'Á', 'Ạ'],
    ['Ă', 'Ằ', 'Ẳ', 'Ẵ', 'Ắ', 'Ặ'],
    ['Â', 'Ầ', 'Ẩ', 'Ẫ', 'Ấ', 'Ậ'],
    ['E', 'È', 'Ẻ', 'Ẽ', 'É', 'Ẹ'],
    ['Ê', 'Ề', 'Ể', 'Ễ', 'Ế', 'Ệ'],
    ['I', 'Ì', 'Ỉ', 'Ĩ', 'Í', 'Ị'],
    ['O', 'Ò', 'Ỏ', 'Õ', 'Ó', 'Ọ'],
    ['Ô', 'Ồ', 'Ổ', 'Ỗ', 'Ố', 'Ộ'],
    ['Ơ', 'Ờ', 'Ở', 'Ỡ', 'Ớ', 'Ợ'],
    ['U', 'Ù', 'Ủ', 'Ũ', 'Ú', 'Ụ'],
    ['Ư', 'Ừ', 'Ử', 'Ữ', 'Ứ', 'Ự'],
    ['Y', 'Ỳ', 'Ỷ', 'Ỹ', 'Ý', 'Ỵ'],
];

fn with_tone(vowel: char, tone: usize) -> Option<char> {
    VOWELS.iter().find(|row| row[0] == vowel).map(|row| row[tone])
}

/// 0x80 to 0xFF of a table in sixteens; `?` stands for a byte without a meaning.
const fn high(rows: [&[char; 16]; 8]) -> [char; 128] {
    let mut table = [char::REPLACEMENT_CHARACTER; 128];
    let mut at = 0;
    while at < 128 {
        let letter = rows[at / 16][at % 16];
        if letter != '?' {
            table[at] = letter;
        }
        at += 1;
    }
    table
}

static WINDOWS_1258: [char; 128] = high([
    &['€', '?', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', '?', '‹', 'Œ', '?', '?', '?'],
    &['?', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', '?', '›', 'œ', '?', '?', 'Ÿ'],
    &['\u{A0}', '¡', '¢', '£', '¤', '¥', '¦', '§', '¨', '©', 'ª', '«', '¬', '\u{AD}', '®', '¯'],
    &['°', '±', '²', '³', '´', 'µ', '¶', '·', '¸', '¹', 'º', '»', '¼', '½', '¾', '¿'],
    &['À', 'Á', 'Â', 'Ă', 'Ä', 'Å', 'Æ', 'Ç', 'È', 'É', 'Ê', 'Ë', '\u{300}', 'Í', 'Î', 'Ï'],
    &['Đ', 'Ñ', '\u{309}', 'Ó', 'Ô', 'Ơ', 'Ö', '×', 'Ø', 'Ù', 'Ú', 'Û', 'Ü', 'Ư', '\u{303}', 'ß'],
    &['à', 'á', 'â', 'ă', 'ä', 'å', 'æ', 'ç', 'è', 'é', 'ê', 'ë', '\u{301}', 'í', 'î', 'ï'],
    &['đ', 'ñ', '\u{323}', 'ó', 'ô', 'ơ', 'ö', '÷', 'ø', 'ù', 'ú', 'û', 'ü', 'ư', '₫', 'ÿ'],
]);

static TCVN3: [char; 128] = high([
    &['?'; 16],
    &['?'; 16],
    &['\u{A0}', 'Ă', 'Â', 'Ê', 'Ô', 'Ơ', 'Ư', 'Đ', 'ă', 'â', 'ê', 'ô', 'ơ', 'ư', 'đ', '?'],
    &['?', '?', '?', '?', '?', 'à', 'ả', 'ã', 'á', 'ạ', '?', 'ằ', 'ẳ', 'ẵ', 'ắ', '?'],
    &['?', '?', '?', '?', '?', '?', 'ặ', 'ầ', 'ẩ', 'ẫ', 'ấ', 'ậ', 'è', '?', 'ẻ', 'ẽ'],
    &['é', 'ẹ', 'ề', 'ể', 'ễ', 'ế', 'ệ', 'ì', 'ỉ', '?', '?', '?', 'ĩ', 'í', 'ị', 'ò'],
    &['?', 'ỏ', 'õ', 'ó', 'ọ', 'ồ', 'ổ', 'ỗ', 'ố', 'ộ', 'ờ', 'ở', 'ỡ', 'ớ', 'ợ', 'ù'],
    &['?', 'ủ', 'ũ', 'ú', 'ụ', 'ừ', 'ử', 'ữ', 'ứ', 'ự', 'ỳ', 'ỷ', 'ỹ', 'ý', 'ỵ', '?'],
]);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(bytes: &[u8], of_source: Option<Encoding>) -> (std::string::String, Option<Encoding>, bool) {
        let arena = Bump::new();
        let decoded = decode(&arena, arena.alloc_slice_copy(bytes), of_source);
        (decoded.text.to_owned(), decoded.from, decoded.has_lost)
    }

    fn reads(bytes: &[u8], encoding: Encoding, expected: &str) {
        assert_eq!(text(bytes, Some(encoding)), (expected.to_owned(), Some(encoding), false));
    }

    #[test]
    fn windows_1258() {
        // "Trung tâm dữ liệu tỉnh, lỗi đăng nhập": Windows writes a vowel and then its tone.
        let bytes = b"Trung t\xE2m d\xFD\xDE li\xEA\xF2u ti\xD2nh, l\xF4\xDEi \xF0\xE3ng nh\xE2\xF2p";
        reads(bytes, Encoding::Windows1258, "Trung tâm dữ liệu tỉnh, lỗi đăng nhập");
        reads(b"\xD0\xC3\xD2 \xFE \xEC", Encoding::Windows1258, "ĐẲ ₫ \u{301}");
    }

    #[test]
    fn tcvn3() {
        let bytes = b"Trung t\xA9m d\xF7 li\xD6u t\xD8nh, l\xE7i \xAE\xA8ng nh\xCBp: \xA7\xE0ng";
        assert_eq!(text(bytes, Some(Encoding::Tcvn3)).0, "Trung tâm dữ liệu tỉnh, lỗi đăng nhập: Đ\u{FFFD}ng");
        reads(b"C\xF4c An to\xB5n th\xABng tin, \xA7\xE5ng Th\xB8p", Encoding::Tcvn3, "Cục An toàn thông tin, Đồng Tháp");
    }

    #[test]
    fn vni() {
        let bytes = b"Trung ta\xE2m d\xF6\xF5 lie\xE4u t\xE6nh, lo\xE3i \xF1a\xEAng nha\xE4p";
        reads(bytes, Encoding::Vni, "Trung tâm dữ liệu tỉnh, lỗi đăng nhập");
        reads(b"\xD1O\xC0NG THA\xD9P, U\xDBY BAN, \xD6\xD9NG", Encoding::Vni, "ĐỒNG THÁP, ỦY BAN, ỨNG");
    }

    #[test]
    fn utf_16_with_and_without_its_mark() {
        let words = "Đăng nhập thất bại: user=an ip=192.0.2.1";
        for with_mark in [true, false] {
            let marked = format!("{}{words}", if with_mark { "\u{FEFF}" } else { "user an: " });
            let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let expected = marked.trim_start_matches('\u{FEFF}').to_owned();
            assert_eq!(text(&little, None), (expected.clone(), Some(Encoding::Utf16Le), false));
            assert_eq!(text(&big, None), (expected, Some(Encoding::Utf16Be), false));
        }
    }

    #[test]
    fn lines_cut_out_of_utf_16() {
        let words = "user an: Đăng nhập thất bại\nuser minh: mật khẩu sai\nplain ASCII line\n";
        let expected: Vec<&str> = words.lines().collect();
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes: Vec<u8> = words.encode_utf16().flat_map(unit).collect();
            let found: Vec<_> = bytes.split(|b| *b == b'\n').map(|line| text(line, None).0).collect();
            assert_eq!(found[..3], expected);
        }
    }

    #[test]
    fn what_is_utf_8_stays() {
        for line in ["", "a", "\0", "\0\0\0\0\0\0\0\0", "Đăng nhập", "a\0b c d e f g h", "<13>Nov 23 10:00:00 h p: x"] {
            assert_eq!(text(line.as_bytes(), Some(Encoding::Tcvn3)), (line.to_owned(), None, false), "{line:?}");
        }
        assert_eq!(text(b"t\xE2m", None), ("t\u{FFFD}m".to_owned(), None, true));
        assert_eq!((by_name("Windows-1258"), by_name("koi8")), (Some(Encoding::Windows1258), None));
    }

    proptest! {
        #[test]
        fn is_total_and_bounded(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..6usize) {
            let (text, _, _) = text(&bytes, NAMES.get(at).map(|(_, encoding)| *encoding));
            prop_assert!(text.len() <= bytes.len() * 3);
        }

        #[test]
        fn utf_16_comes_back(words in "[a-z]{4,8} [ -~àảãáạđĐƯơệ]{0,60}") {
            for (unit, is) in [(u16::to_le_bytes as fn(u16) -> [u8; 2], Encoding::Utf16Le), (u16::to_be_bytes, Encoding::Utf16Be)] {
                let bytes: Vec<u8> = words.encode_utf16().flat_map(unit).collect();
                let arena = Bump::new();
                prop_assert_eq!(from(&arena, &bytes, is).text, &words);
            }
        }
    }
}
