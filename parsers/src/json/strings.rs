//! JSON strings: borrowed where they have no escapes, unescaped into the arena where they have.

use bumpalo::{Bump, collections::String};

use super::scan::{Malformed, Scanner};

/// Reads a string. A surrogate without its partner becomes U+FFFD; an unknown escape stands for its character.
#[inline]
pub fn read<'r>(scanner: &mut Scanner<'r>, arena: &'r Bump) -> Result<&'r str, Malformed> {
    let (text, has_escapes) = scanner.string()?;
    if has_escapes { Ok(unescape(arena, text)) } else { Ok(text) }
}

fn unescape<'r>(arena: &'r Bump, text: &str) -> &'r str {
    let mut out = String::with_capacity_in(text.len(), arena);
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(escape) = rest.chars().next() else { break };
        rest = &rest[escape.len_utf8()..];
        match escape {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => rest = code_point(rest, &mut out),
            other => out.push(other),
        }
    }
    out.push_str(rest);
    out.into_bump_str()
}

/// Reads what follows `\u`; returns the rest.
fn code_point<'t>(text: &'t str, out: &mut String<'_>) -> &'t str {
    let Some((first, rest)) = hex4(text) else {
        out.push(char::REPLACEMENT_CHARACTER);
        return text;
    };
    if (0xD800..0xDC00).contains(&first)
        && let Some((second, after)) = rest.strip_prefix("\\u").and_then(hex4)
        && (0xDC00..0xE000).contains(&second)
    {
        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        return after;
    }
    out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    rest
}

fn hex4(text: &str) -> Option<(u32, &str)> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u32::from_str_radix(digits, 16).ok()?, &text[4..]))
}
