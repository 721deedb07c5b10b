//! Cuts a JSON body into its records without parsing them: the elements of one array, or values one after another.
//!
//! Only the structure is looked at (strings, escapes, brackets): what an element says is the parser's business, and an
//! element that is no JSON is stored and quarantined like any other record. What cannot be divided is an error with its
//! place.

/// Nesting beyond this is refused: no log has it, and recursion elsewhere may not be as careful as we are here.
const DEPTH_MAX: usize = 128;

/// Where and why a body could not be divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Byte in the (decompressed) body, from 0.
    pub offset: usize,
    pub reason: &'static str,
}

/// Calls `emit` with each record: the elements when the body is an array, else each value of a row of values.
pub fn split<'b>(body: &'b [u8], mut emit: impl FnMut(&'b [u8])) -> Result<(), Misfit> {
    let at = skip_space(body, 0);
    if body.get(at) == Some(&b'[') { array(body, at + 1, emit) } else { row(body, at, &mut emit) }
}

/// The value of a key of an object, as it stands; `None` when there is no such key or no object. Of a key that comes twice
/// the first counts.
pub fn member<'b>(body: &'b [u8], key: &str) -> Option<&'b [u8]> {
    let mut at = skip_space(body, 0);
    if body.get(at) != Some(&b'{') {
        return None;
    }
    loop {
        let name = skip_space(body, at + 1);
        if body.get(name) != Some(&b'"') {
            return None;
        }
        let name_end = string(body, name).ok()?;
        let colon = skip_space(body, name_end);
        if body.get(colon) != Some(&b':') {
            return None;
        }
        let start = skip_space(body, colon + 1);
        let stop = value(body, start).ok()?;
        if body[name + 1..name_end - 1] == *key.as_bytes() {
            return Some(&body[start..stop]);
        }
        at = skip_space(body, stop);
        if body.get(at) != Some(&b',') {
            return None;
        }
    }
}

fn array<'b>(body: &'b [u8], mut at: usize, mut emit: impl FnMut(&'b [u8])) -> Result<(), Misfit> {
    at = skip_space(body, at);
    if body.get(at) == Some(&b']') {
        return end(body, at + 1);
    }
    loop {
        let stop = value(body, at)?;
        emit(&body[at..stop]);
        at = skip_space(body, stop);
        match body.get(at) {
            Some(b',') => at = skip_space(body, at + 1),
            Some(b']') => return end(body, at + 1),
            Some(_) => return Err(Misfit { offset: at, reason: "expected `,` or `]` after an element" }),
            None => return Err(Misfit { offset: at, reason: "the array does not end" }),
        }
    }
}

fn row<'b>(body: &'b [u8], mut at: usize, emit: &mut impl FnMut(&'b [u8])) -> Result<(), Misfit> {
    while at < body.len() {
        let stop = value(body, at)?;
        emit(&body[at..stop]);
        at = skip_space(body, stop);
    }
    Ok(())
}

fn end(body: &[u8], at: usize) -> Result<(), Misfit> {
    let at = skip_space(body, at);
    if at == body.len() { Ok(()) } else { Err(Misfit { offset: at, reason: "something follows the array" }) }
}

/// Returns the end of the value that starts at `start`.
fn value(body: &[u8], start: usize) -> Result<usize, Misfit> {
    match body.get(start) {
        None => Err(Misfit { offset: start, reason: "a value is missing" }),
        Some(b'"') => string(body, start),
        Some(b'{' | b'[') => nested(body, start),
        Some(b',' | b']' | b'}' | b':') => Err(Misfit { offset: start, reason: "a value is missing" }),
        Some(_) => {
            let len = body[start..].iter().position(|b| b.is_ascii_whitespace() || matches!(b, b',' | b']' | b'}' | b'{' | b'['));
            Ok(len.map_or(body.len(), |len| start + len))
        }
    }
}

fn nested(body: &[u8], start: usize) -> Result<usize, Misfit> {
    let mut open = Vec::new();
    let mut at = start;
    while let Some(&byte) = body.get(at) {
        match byte {
            b'"' => {
                at = string(body, at)?;
                continue;
            }
            b'{' | b'[' if open.len() == DEPTH_MAX => return Err(Misfit { offset: at, reason: "nested too deep" }),
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' => {
                if open.pop() != Some(byte) {
                    return Err(Misfit { offset: at, reason: "a bracket closes what it did not open" });
                }
                if open.is_empty() {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(Misfit { offset: start, reason: "the value that starts here does not end" })
}

fn string(body: &[u8], start: usize) -> Result<usize, Misfit> {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &body[at.min(body.len())..]) {
        at += found;
        if body[at] == b'"' {
            return Ok(at + 1);
        }
        at += 2;
    }
    Err(Misfit { offset: start, reason: "the text that starts here does not end" })
}

fn skip_space(body: &[u8], at: usize) -> usize {
    let rest = &body[at.min(body.len())..];
    at + rest.iter().take_while(|b| b.is_ascii_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(body: &str) -> Result<Vec<&str>, (usize, &'static str)> {
        let mut found = Vec::new();
        split(body.as_bytes(), |part| found.push(std::str::from_utf8(part).unwrap())).map_err(|m| (m.offset, m.reason))?;
        Ok(found)
    }

    #[test]
    fn arrays_and_rows() {
        assert_eq!(parts(r#" [ {"a":"]}"}, [1,2] ,"x\"y", 7 ] "#), Ok(vec![r#"{"a":"]}"}"#, "[1,2]", r#""x\"y""#, "7"]));
        assert_eq!(parts("{\"a\":1}\n{\"b\":\n2}\n"), Ok(vec!["{\"a\":1}", "{\"b\":\n2}"]));
        assert_eq!(parts("[]"), Ok(vec![]));
        assert_eq!(parts(" "), Ok(vec![]));
    }

    #[test]
    fn a_member_is_found_by_its_key() {
        let find = |text: &'static str, key| member(text.as_bytes(), key).map(|found| std::str::from_utf8(found).unwrap());
        let text = r#" { "a" : {"doc":1} , "doc" :{"b":[1,"}"]}, "n":7}"#;
        assert_eq!(find(text, "doc"), Some(r#"{"b":[1,"}"]}"#));
        assert_eq!(find(text, "n"), Some("7"));
        assert_eq!(find(text, "b"), None);
        for broken in ["", "[]", "{", r#"{"doc""#, r#"{"doc":"#, r#"{"doc":{"#, r#"{"a":1 "doc":2}"#, r#"{"a":1,}"#, "{1:2}"] {
            assert_eq!(find(broken, "doc"), None, "{broken}");
        }
    }

    #[test]
    fn misfits_name_their_place() {
        assert_eq!(parts(r#"[{"a":1},]"#), Err((9, "a value is missing")));
        assert_eq!(parts(r#"[{"a":1} {"b":2}]"#), Err((9, "expected `,` or `]` after an element")));
        assert_eq!(parts(r#"[{"a":1}"#), Err((8, "the array does not end")));
        assert_eq!(parts(r#"[{"a":1]"#), Err((7, "a bracket closes what it did not open")));
        assert_eq!(parts(r#"[{"a":"x}]"#), Err((6, "the text that starts here does not end")));
        assert_eq!(parts("[1] 2"), Err((4, "something follows the array")));
        assert_eq!(parts(r#""x\"#), Err((0, "the text that starts here does not end")));
        assert_eq!(parts(&"[".repeat(200)), Err((129, "nested too deep")));
    }
}
