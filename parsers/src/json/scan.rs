//! The cursor under the flattener: blanks, literals, numbers, and skipping over whole values.

/// The text is no JSON from here on; `offset` counts bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed JSON at byte {offset}")]
pub struct Malformed {
    pub offset: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Scanner<'r> {
    text: &'r str,
    at: usize,
}

impl<'r> Scanner<'r> {
    pub fn new(text: &'r str) -> Self {
        Self { text, at: 0 }
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    pub fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    pub fn take(&mut self, b: u8) -> bool {
        let is = self.peek() == Some(b);
        self.at += usize::from(is);
        is
    }

    #[inline]
    pub fn expect(&mut self, b: u8) -> Result<(), Malformed> {
        if self.take(b) { Ok(()) } else { Err(self.malformed()) }
    }

    pub fn malformed(&self) -> Malformed {
        Malformed { offset: self.at }
    }

    pub fn literal(&mut self, word: &str) -> Result<(), Malformed> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads a number's text; lenient in its grammar (leading zeros and a plus are let through), strict in its letters.
    pub fn number(&mut self) -> Result<&'r str, Malformed> {
        let b = &self.text.as_bytes()[self.at..];
        let len = b.iter().take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E')).count();
        if len == 0 || !b[..len].iter().any(u8::is_ascii_digit) {
            return Err(self.malformed());
        }
        let text = &self.text[self.at..self.at + len];
        self.at += len;
        Ok(text)
    }

    /// Takes the text between quotes, escapes left in; says whether there are any.
    #[inline]
    pub fn string(&mut self) -> Result<(&'r str, bool), Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        let b = self.text.as_bytes();
        let mut has_escapes = false;
        loop {
            let Some(found) = memchr::memchr2(b'"', b'\\', &b[self.at..]) else { return Err(self.malformed()) };
            self.at += found;
            if b[self.at] == b'"' {
                let text = &self.text[start..self.at];
                self.at += 1;
                return Ok((text, has_escapes));
            }
            has_escapes = true;
            if self.at + 2 > b.len() {
                return Err(self.malformed());
            }
            self.at += 2;
        }
    }

    /// Goes through the items of a container whose opening bracket was read, and reads its closing one.
    pub fn items(&mut self, close: u8, mut item: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.skip_blanks();
        if self.take(close) {
            return Ok(());
        }
        loop {
            self.skip_blanks();
            item(self)?;
            self.skip_blanks();
            if !self.take(b',') {
                return self.expect(close);
            }
        }
    }

    /// Skips a value of any kind and returns its text. Recursion is bounded: beyond 200 levels the text is refused.
    pub fn skip_value(&mut self, depth: usize) -> Result<&'r str, Malformed> {
        let start = self.at;
        if depth > SKIP_DEPTH_MAX {
            return self.skip_deep(start);
        }
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                self.items(b'}', |scanner| {
                    scanner.string()?;
                    scanner.skip_blanks();
                    scanner.expect(b':')?;
                    scanner.skip_blanks();
                    scanner.skip_value(depth + 1).map(drop)
                })?;
            }
            Some(b'[') => {
                self.at += 1;
                self.items(b']', |scanner| scanner.skip_value(depth + 1).map(drop))?;
            }
            Some(b'"') => drop(self.string()?),
            Some(b't') => self.literal("true")?,
            Some(b'f') => self.literal("false")?,
            Some(b'n') => self.literal("null")?,
            _ => drop(self.number()?),
        }
        Ok(&self.text[start..self.at])
    }

    /// Skips a very deep value without recursion: brackets are counted, strings respected.
    fn skip_deep(&mut self, start: usize) -> Result<&'r str, Malformed> {
        let mut open = 0usize;
        loop {
            match self.peek() {
                Some(b'{' | b'[') => open += 1,
                Some(b'}' | b']') => {
                    let Some(left) = open.checked_sub(1) else { return Ok(&self.text[start..self.at]) };
                    open = left;
                }
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b',') if open == 0 => return Ok(&self.text[start..self.at]),
                Some(_) => {}
                None => return Err(self.malformed()),
            }
            self.at += 1;
        }
    }
}

const SKIP_DEPTH_MAX: usize = 100;
