//! Base64 of rule values (RFC 4648 §4), also as it looks somewhere inside a longer encoded text.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes with padding.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().enumerate().fold(0_u32, |group, (i, byte)| group | u32::from(*byte) << (16 - 8 * i));
        for i in 0..4 {
            let letter = ALPHABET[(group >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i <= chunk.len() { letter } else { '=' });
        }
    }
    out
}

/// The characters that stay the same wherever the bytes stand in an encoded text: one text for each of the three shifts.
pub fn offsets(bytes: &[u8]) -> [String; 3] {
    let shifted = |shift: usize| {
        let mut padded = vec![b' '; shift];
        padded.extend_from_slice(bytes);
        let encoded = encode(&padded);
        let start = [0, 2, 3][shift];
        let end = encoded.len() - [0, 3, 2][(bytes.len() + shift) % 3];
        encoded.get(start..end).unwrap_or_default().to_owned()
    };
    [shifted(0), shifted(1), shifted(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4648_section_10() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in cases {
            assert_eq!(encode(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn offsets_are_found_wherever_the_text_stands() {
        for len in 3..9 {
            let needle = &"powershell"[..len];
            for before in 0..4 {
                for after in 0..4 {
                    let text = encode(format!("{}{needle}{}", &"wxyz"[..before], &"1234"[..after]).as_bytes());
                    let found = offsets(needle.as_bytes()).iter().any(|part| text.contains(part.as_str()));
                    assert!(found, "{needle} in {text}");
                }
            }
        }
    }
}
