//! The index against the naive answer: what the scan would find must lie in the blocks that the index names.

use std::sync::Arc;

use bytes::Bytes;
use event::{fold, tokenise::contains_term};
use proptest::prelude::*;
use regex::RegexBuilder;

use super::{Blocks, Error, FileSource, Index, IndexWriter, Question, ReadAt};

/// Few rows a block, so that wrong blocks show.
const ROWS: u32 = 2;

fn bytes_of(rows: &[impl AsRef<str>], values: &[&str]) -> Vec<u8> {
    let mut writer = IndexWriter::with_rows_per_block(ROWS).unwrap();
    for (at, row) in rows.iter().enumerate() {
        writer.text(row.as_ref());
        values.get(at).into_iter().for_each(|value| writer.value(value));
        writer.end_row().unwrap();
    }
    writer.finish().unwrap()
}

fn open(bytes: Vec<u8>) -> Index {
    let index = Index::open(Arc::new(Bytes::from(bytes))).unwrap();
    index.verify().unwrap();
    index
}

fn index(rows: &[impl AsRef<str>]) -> Index {
    open(bytes_of(rows, &[]))
}

fn blocks(index: &Index, question: &Question) -> Vec<u32> {
    index.blocks(question).unwrap().iter().collect()
}

/// Does the question hold for the row, by the words of the manual?
fn holds(question: &Question, text: &str) -> bool {
    match question {
        Question::Term { asked, is_prefix } => {
            let (text, term) = (fold::like(asked, text), fold::like(asked, asked));
            if !is_prefix {
                return contains_term(&text, &term);
            }
            let ends = text.match_indices(&term).map(|(at, _)| at + term.len());
            // Overlapping occurrences, too.
            ends.chain(
                (0..text.len())
                    .filter(|at| text.is_char_boundary(*at) && text[*at..].starts_with(&term))
                    .map(|at| at + term.len()),
            )
            .any(|end| contains_term(&text[..end], &term))
        }
        Question::Contains { literal, case_insensitive: false } => text.contains(literal),
        Question::Contains { literal, case_insensitive: true } => {
            RegexBuilder::new(&regex::escape(literal)).case_insensitive(true).build().unwrap().is_match(text)
        }
        Question::Like { pattern, case_insensitive } => {
            let body: String = pattern
                .chars()
                .map(|c| match c {
                    '%' => ".*".to_owned(),
                    '_' => ".".to_owned(),
                    c => regex::escape(&c.to_string()),
                })
                .collect();
            let mut builder = RegexBuilder::new(&format!("^(?s:{body})$"));
            builder.case_insensitive(*case_insensitive).build().unwrap().is_match(text)
        }
        Question::Regex { pattern, case_insensitive } => {
            RegexBuilder::new(pattern).case_insensitive(*case_insensitive).build().is_ok_and(|regex| regex.is_match(text))
        }
        Question::All(questions) => questions.iter().all(|question| holds(question, text)),
        Question::Any(questions) => questions.iter().any(|question| holds(question, text)),
        Question::Value(_) | Question::Cidr(_) => unreachable!("asked of values"),
    }
}

fn check(rows: &[String], question: &Question) {
    let found = index(rows).blocks(question).unwrap();
    for (row, text) in rows.iter().enumerate().filter(|(_, text)| holds(question, text)) {
        assert!(found.contains(row as u32 / ROWS), "{question:?} holds for {text:?}, but is not in {found:?}");
    }
}

/// A piece of a log line.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "Failed", "failed", "password", "PASSWORD1", "x1powershell", "Powershell.exe", "-nop", "srv016", "web7", "10.0.0.1",
            "203.0.113.77", "10.0.0.1.5", "203.0.113.77:443", "0dd5f83a-ff17-51ee-2a39-00000dcbfc78", "4625", "12345", "123456", "1795305600208604000", "fe80::1",
            "an@x1.vn", "a.dupont", "Nguyễn", "nguye\u{302}\u{303}n", "nguyen", "đăng", "Đăng", "hòa", "hoà", "hoa", "ĐỨC9", "paſſword",
            "\u{212a}elvin", "≮b", "İstanbul", "ΣΊΣΥΦΟΣ", "2026-11-22T00:00:00.090987Z", "/api/v1/users/77/delete", "a_b", "\u{301}x",
            "0x1a63dec8", "face", "9face9", "٣٤", "²x", "1.2.3.999", "01.02.03.04",
        ]).prop_map(str::to_owned),
        2 => prop::sample::select(vec![" ", "=", "/", ".", "-", ":", "@", "..", "\t", "\u{0}", "\n", "\"", "_", ", ", "\u{2003}"])
            .prop_map(str::to_owned),
        1 => "[a-dA-D0-2._ é-]{1,12}",
        1 => "\\PC{1,4}",
        1 => (prop::sample::select(vec!["word", "w1", "ê", "đ", "7"]), 30_usize..70).prop_map(|(part, times)| part.repeat(times)),
    ]
}

fn row() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..9).prop_map(|pieces| pieces.concat())
}

fn rows() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(row(), 1..9)
}

/// A part of some row, so that many questions hold, or a text of its own.
fn asked() -> impl Strategy<Value = (Vec<String>, String)> {
    (rows(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), row(), 0..6).prop_map(
        |(rows, row, from, to, other, kind)| {
            let text = &rows[row.index(rows.len())];
            let place = |at: prop::sample::Index| text.floor_char_boundary(at.index(text.len() + 1));
            let (from, to) = (place(from).min(place(to)), place(from).max(place(to)));
            let asked = match kind {
                0 => other,
                1 => text[from..to].to_uppercase(),
                2 => fold::plain(&text[from..to]),
                _ => text[from..to].to_owned(),
            };
            (rows, asked)
        },
    )
}

/// What a column's value and a text share byte for byte is kept for both of them, whichever comes first.
#[test]
fn a_value_and_a_word_of_a_text_do_not_hide_each_other() {
    for shared in ["привет", "пароль2026", "pass1234", "xin"] {
        let term = |asked: &str, is_prefix| Question::Term { asked: asked.to_owned(), is_prefix };
        let index = open(bytes_of(&["", shared, "", "", shared, ""], &[shared, "", "", "", "", shared]));
        assert_eq!(blocks(&index, &Question::Value(shared.to_owned())), [0, 2], "{shared}");
        assert!(blocks(&index, &term(shared, false)).contains(&2), "{shared}");
        let start: String = shared.chars().take(4).collect();
        assert!(blocks(&index, &term(&start, true)).contains(&0), "{shared}");
    }
}

proptest! {
    #[test]
    fn terms_are_not_missed((rows, asked) in asked(), is_prefix: bool) {
        check(&rows, &Question::Term { asked, is_prefix });
    }

    #[test]
    fn words_of_rows_are_not_missed(rows in rows(), row: prop::sample::Index, word: prop::sample::Index, is_prefix: bool) {
        let text = &rows[row.index(rows.len())];
        let words: Vec<&str> = text.split(' ').collect();
        check(&rows, &Question::Term { asked: words[word.index(words.len())].to_owned(), is_prefix });
    }

    #[test]
    fn literals_are_not_missed((rows, literal) in asked(), case_insensitive: bool) {
        check(&rows, &Question::Contains { literal, case_insensitive });
    }

    #[test]
    fn patterns_of_like_are_not_missed((rows, middle) in asked(), ends in 0..4, case_insensitive: bool) {
        prop_assume!(!middle.contains('\\'));
        let pattern = format!("{}{}{}", if ends & 1 == 1 { "%" } else { "" }, middle.replace('é', "_"), if ends & 2 == 2 { "%" } else { "" });
        check(&rows, &Question::Like { pattern, case_insensitive });
    }

    #[test]
    fn regular_expressions_are_not_missed((rows, literal) in asked(), (mut other, right) in asked(), shape in 0..10, case_insensitive: bool) {
        let (left, right) = (regex::escape(&literal), regex::escape(&right));
        let pattern = match shape {
            0 => left,
            1 => format!("^{left}"),
            2 => format!("{left}$"),
            3 => format!("{left}.*{right}"),
            4 => format!("({left}|{right})"),
            5 => format!("(?:{left})+[a-f0-9]*"),
            6 => format!(r"{left}\s+{right}?"),
            7 => format!(r"\b{left}\b"),
            8 => format!("(?m)^{left}[ ./]"),
            _ => format!("[{}]{left}", "aA"),
        };
        other.extend(rows);
        check(&other, &Question::Regex { pattern, case_insensitive });
    }

    #[test]
    fn combinations_are_not_missed((rows, one) in asked(), (_, two) in asked()) {
        let term = |asked: &str| Question::Term { asked: asked.to_owned(), is_prefix: false };
        check(&rows, &Question::All(vec![term(&one), Question::Any(vec![term(&two), term(&one)])]));
        check(&rows, &Question::Any(vec![term(&two), term(&one)]));
    }

    #[test]
    fn values_are_found(values in prop::collection::vec(row(), 1..9), texts in rows(), at: prop::sample::Index) {
        let all: Vec<&str> = values.iter().map(String::as_str).collect();
        let rows: Vec<&str> = (0..all.len()).map(|at| texts.get(at).map_or("", |text| text)).collect();
        let index = open(bytes_of(&rows, &all));
        let at = at.index(all.len());
        for asked in [all[at].to_owned(), all[at].to_lowercase()] {
            if asked.to_lowercase() == all[at].to_lowercase() {
                prop_assert!(blocks(&index, &Question::Value(asked)).contains(&(at as u32 / ROWS)));
            }
        }
    }

    #[test]
    fn networks_are_found(octets: [u8; 4], wide: [u8; 16], len in 0_u8..=32, is_text: bool) {
        let four = std::net::Ipv4Addr::from(octets);
        let six = std::net::Ipv6Addr::from(wide);
        let mapped = format!("::FFFF:{four}");
        let values = [four.to_string(), six.to_string().to_uppercase(), mapped, "10.0.0.x".to_owned()];
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let rows: Vec<&str> = if is_text { values.clone() } else { vec![""; 4] };
        let index = open(bytes_of(&rows, &values));
        let ask = |net: String| blocks(&index, &Question::Cidr(net.parse().unwrap()));
        prop_assert_eq!(&ask(format!("{four}/{len}"))[..2], [0, 1]);
        let wide = ask(format!("{six}/{}", len * 4));
        prop_assert!(wide.contains(&0));
    }

    #[test]
    fn a_flipped_byte_is_an_error_or_more_blocks(at: prop::sample::Index, bit in 0_u32..8, rows in rows(), row: prop::sample::Index) {
        let bytes = bytes_of(&rows, &[]);
        let question = Question::Contains { literal: rows[row.index(rows.len())].clone(), case_insensitive: false };
        let expected = open(bytes.clone()).blocks(&question).unwrap();
        let mut damaged = bytes;
        let at = at.index(damaged.len());
        damaged[at] ^= 1_u8 << bit;
        let index = match Index::open(Arc::new(Bytes::from(damaged))) {
            Ok(index) => index,
            Err(_) => return Ok(()),
        };
        prop_assert!(index.verify().is_err(), "verify sees the flipped byte {at}");
        if let Ok(mut found) = index.blocks(&question) {
            found.intersect(&expected);
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn needles_are_pruned_to_their_block() {
    let mut rows: Vec<String> =
        (0..200).map(|n| format!("Accepted key for web from 10.1.{n}.9 rid={n:08x}ab10 port {n}")).collect();
    rows[77] = "Failed password for admin01 from 203.0.113.77 port 22 powershell.exe -nop".to_owned();
    let index = index(&rows);
    let term = |asked: &str| Question::Term { asked: asked.to_owned(), is_prefix: asked.ends_with("owershel") };
    let contains = |literal: &str| Question::Contains { literal: literal.to_owned(), case_insensitive: false };
    let regex = |pattern: &str| Question::Regex { pattern: pattern.to_owned(), case_insensitive: true };
    for question in [
        term("203.0.113.77"),
        term("10.1.5.9 203.0.113.77").clone(),
        term("failed"),
        term("powershel"),
        term("admin01"),
        term("203.0.113.77 port"),
        contains("owershell.exe -nop"),
        contains("iled pass"),
        contains("rom 203.0.113.77 port"),
        regex(r"^failed\s+password"),
        regex("(powershell|cmd)[.]exe -nop"),
        Question::Like { pattern: "Failed%".to_owned(), case_insensitive: false },
    ] {
        let found = blocks(&index, &question);
        let is_there = !matches!(&question, Question::Term { asked, .. } if asked.starts_with("10.1.5.9 2"));
        assert_eq!(found, if is_there { vec![38] } else { vec![] }, "{question:?}");
    }
    assert!(blocks(&index, &term("0000004dab10")).is_empty());
    assert_eq!(blocks(&index, &term("0000004eab10")), [39]);
    assert_eq!(blocks(&index, &term("web")).len(), 100);
    // Nothing to go by: the scan decides.
    for question in [term("22"), term(""), contains("ass"), regex("[0-9]+"), regex("("), contains("03.0.113.7")] {
        assert_eq!(index.blocks(&question).unwrap().count(), 100, "{question:?}");
    }
}

#[test]
fn a_flooded_block_always_qualifies() {
    let flood: String = (0..60_000).map(|n| format!("{n:x}z9 ")).collect();
    let rows = ["quiet", "quiet", &flood, "x", "quiet", "needle"];
    let index = index(&rows);
    let term = |asked: &str| Question::Term { asked: asked.to_owned(), is_prefix: false };
    assert_eq!(blocks(&index, &term("needle")), [1, 2]);
    assert_eq!(blocks(&index, &term("ffz9")), [1]);
}

#[test]
fn an_empty_segment_has_an_index() {
    let index = index(&[""; 0]);
    assert_eq!(index.blocks(&Question::Value("x".to_owned())).unwrap(), Blocks::none(0, ROWS));
}

#[test]
fn files_are_read_by_position_and_cut_files_are_named() {
    use std::io::Write;
    let bytes = bytes_of(&["one 123456", "two"], &[]);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let source = FileSource::new(file).unwrap();
    assert!(source.read_at(bytes.len() as u64 - 1, 2).is_err());
    let index = Index::open(Arc::new(source)).unwrap();
    index.verify().unwrap();
    assert_eq!(blocks(&index, &Question::Value("123456".to_owned())), [0]);
    for len in [0, 10, 5_000, bytes.len() - 1] {
        assert!(Index::open(Arc::new(Bytes::copy_from_slice(&bytes[..len]))).is_err(), "{len} bytes");
    }
    let mut newer = bytes;
    newer[8] = 2;
    let error = Index::open(Arc::new(Bytes::from(newer))).err().unwrap();
    assert!(matches!(error, Error::Version { found: 2, known: 1 }), "{error}");
}

#[test]
fn equal_rows_make_equal_postings() {
    let rows: Vec<String> = (0..50).map(|n| format!("id{n}xyz word{n}")).collect();
    let tokens = |index: &Index| (index.tokens(), index.header.pages, index.header.overflow);
    assert_eq!(tokens(&index(&rows)), tokens(&index(&rows)));
}

/// A word of 128 bytes and a longer one that is cut to the same bytes: an accent's mark stands at the end of its folded word.
#[test]
fn a_word_that_is_cut_to_another_is_found() {
    let row = format!("éaéw0{}", "w1".repeat(61));
    check(std::slice::from_ref(&row), &Question::Term { asked: row.clone(), is_prefix: false });
    let (whole, longer) = ("a1".repeat(64), "a1".repeat(70));
    check(&[format!("{whole} {longer}")], &Question::Term { asked: longer, is_prefix: false });
}
