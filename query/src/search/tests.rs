//! Tests of the search language: what it reads, and where it points when it cannot.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: Expect) {
    let out = match compile(text, &Catalogue, &Window::default()) {
        Ok(compiled) => compiled.where_sql,
        Err(error) => format!("{:?} {}", &text[error.offset..error.offset + error.len], error.message),
    };
    expected.assert_eq(&out);
}

#[test]
fn words_and_phrases() {
    check("", expect!["true"]);
    check("failed SSH", expect!["match('failed') AND match('SSH')"]);
    check(r#""failed password" root*"#, expect![[r#"match('"failed password"') AND match('"root"*')"#]]);
    check(r#""it's \"here\"""#, expect![[r#"match('"it''s \"here\""')"#]]);
    check("nguyễn", expect!["match('nguyễn')"]);
}

#[test]
fn fields() {
    check("user.name:root", expect!["user.name = 'root'"]);
    check("user.name:ro*t", expect!["user.name LIKE 'ro%t'"]);
    check("url.path:/a_b*", expect!["prefix(url.path, '/a_b')"]);
    check("user.name:*", expect!["user.name IS NOT NULL"]);
    check("source.ip:10.0.0.0/8", expect!["cidr(source.ip, '10.0.0.0/8')"]);
    check("source.ip:2001:DB8:0::1", expect!["source.ip = '2001:db8::1'"]);
    check("destination.port>=1024 destination.port<2000", expect!["destination.port >= 1024 AND destination.port < 2000"]);
    check("message:\"log in\"", expect![[r#"match(message, '"log in"')"#]]);
    check("@timestamp>2026-01-31", expect!["timestamp > '2026-01-31T00:00:00Z'"]);
    check("user.name!=root", expect!["(user.name = 'root') IS NOT TRUE"]);
    check("user.name:\"o'hara\"", expect!["user.name = 'o''hara'"]);
}

#[test]
fn logic() {
    check("a or b c", expect!["match('a') OR (match('b') AND match('c'))"]);
    check("(a or b) and not c", expect!["(match('a') OR match('b')) AND (match('c')) IS NOT TRUE"]);
    check("-user.name:(root or admin)", expect!["(user.name IN ('root', 'admin')) IS NOT TRUE"]);
    check("user.name:(a b -c)", expect!["(user.name IN ('a', 'b')) AND (user.name = 'c') IS NOT TRUE"]);
    check("NOT NOT a", expect!["match('a')"]);
}

#[test]
fn words_that_look_like_fields() {
    check("https://a.vn/x", expect!["match('https://a.vn/x')"]);
    check("10:30:00", expect!["match('10:30:00')"]);
    check("fe80::1", expect!["match('fe80::1')"]);
    check("aa:bb:cc:00:11:22", expect!["match('aa:bb:cc:00:11:22')"]);
    check(r"C:\Windows", expect![[r#"match('"C:\\Windows"')"#]]);
    check("-5", expect!["match('-5')"]);
}

#[test]
fn errors_point_at_the_place() {
    check("a sourc.ip:1", expect![[r#""sourc.ip" unknown field sourc.ip; did you mean source.ip?"#]]);
    check("source.port:ssh", expect![[r#""ssh" source.port needs a whole number, not "ssh""#]]);
    check("(a or b", expect![[r#""(" this parenthesis is never closed"#]]);
    check("a) b", expect![[r#"")" this parenthesis was never opened"#]]);
    check("a or", expect![[r#""" a condition is missing at the end"#]]);
    check("or a", expect![[r#""or" a condition is missing before this; to search the word itself, put it in quotation marks"#]]);
    check("user.name:", expect![[r#""" a value for user.name is missing"#]]);
    check("x \"abc", expect![[r#""\"abc" the quotation mark is never closed"#]]);
    check(
        "a | stats count()",
        expect![[
            r#""|" commands after | are not available yet; the same question can be asked in SQL, or "|" be searched in quotation marks"#
        ]],
    );
    check("()", expect![[r#""(" the parentheses are empty"#]]);
    check("related.ip>5", expect![[r#""related.ip" related.ip cannot be compared by size; use related.ip:value"#]]);
    check(&"(".repeat(40), expect![[r#""(" too many parentheses inside each other"#]]);
}

#[test]
fn limits_and_windows_are_shown() {
    let window = Window { from: Some(0), to: Some(1_000_000), limit: Some(50) };
    let sql = compile("a or b", &Catalogue, &window).unwrap().sql;
    expect![
        "SELECT * FROM events WHERE timestamp >= '1970-01-01T00:00:00Z' AND timestamp < '1970-01-01T00:00:01Z' AND (match('a') OR match('b')) ORDER BY timestamp DESC LIMIT 50"
    ]
    .assert_eq(&sql);
    assert!(compile(&"a ".repeat(1000), &Catalogue, &Window::default()).is_err());
}

/// The stable stand-in for a fuzzer: a bounded number of texts, made from the language's own pieces and from noise.
#[test]
fn fuzz_driver() {
    let pieces: [&[u8]; 24] = [
        b"a",
        b" ",
        b"(",
        b")",
        b"\"",
        b"\\",
        b"'",
        b":",
        b">",
        b"<=",
        b"!=",
        b"-",
        b"|",
        b"*",
        b"not ",
        b"or ",
        b"and ",
        b"user.name",
        b"source.ip",
        b"10.0.0.0/8",
        b"source.port",
        b"7",
        "ễ".as_bytes(),
        b"\xff",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut bytes = Vec::new();
        for _ in 0..12 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.extend_from_slice(pieces[(seed % 24) as usize]);
        }
        fuzz_search(&bytes);
    }
}

proptest! {
    #[test]
    fn any_text_compiles_or_fails_in_place(text in "\\PC{0,40}") {
        fuzz_search(text.as_bytes());
    }
}
