//! Reads just enough MIME to see what a mailbox would show: encoded words, quoted-printable, base64.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A header, unfolded and decoded.
pub fn header(message: &str, name: &str) -> Option<String> {
    let head = message.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
    let line = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })?;
    // White space between two encoded words is not part of the text (RFC 2047 §6.2).
    Some(encoded_words(&line.replace("?= =?", "?==?")))
}

/// The first part of this type, decoded.
pub fn part(message: &str, content_type: &str) -> Option<String> {
    let mut pieces = message.split("\r\n--");
    let piece = pieces.find(|piece| {
        let head = piece.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase();
        head.contains(&format!("content-type: {content_type}"))
    })?;
    let (head, body) = piece.split_once("\r\n\r\n")?;
    let encoding = head
        .lines()
        .find_map(|line| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case("content-transfer-encoding")));
    let bytes = match encoding.map(|(_, value)| value.trim().to_ascii_lowercase()).as_deref() {
        Some("base64") => STANDARD.decode(body.replace("\r\n", "")).ok()?,
        Some("quoted-printable") => quoted_printable(body),
        _ => body.as_bytes().to_vec(),
    };
    Some(String::from_utf8(bytes).ok()?.replace("\r\n", "\n"))
}

fn encoded_words(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("=?utf-8?").or_else(|| rest.find("=?UTF-8?")) {
        bytes.extend_from_slice(&rest.as_bytes()[..start]);
        let word = &rest[start + 8..];
        let (kind, word) = word.split_at(2);
        let (word, after) = word.split_once("?=").unwrap();
        match kind.to_ascii_lowercase().as_str() {
            "b?" => bytes.extend(STANDARD.decode(word).unwrap()),
            _ => bytes.extend(quoted_printable(&word.replace('_', " "))),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap()
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (
            first,
            after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok()),
        ) {
            (b'=', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}
