//! Tokens → stages. Knows the form of each command, not the fields: those depend on the stages before.

use super::{
    Aggregate, By, COUNT_DEFAULT, COUNT_MAX, Named, Placed, Raw, SEQUENCE_STEPS_MAX, SERIES_DEFAULT, STAGES_MAX, Span, Stage,
    VERBS,
    lexer::{self, Tok, tokens},
    verb,
};
use crate::{
    error::nearest,
    search::{Problem, SearchError, lexer::tokens as search_tokens},
};

/// Reads the commands from the first `|` on.
pub(crate) fn read(text: &str, pipe: usize) -> Result<Vec<Placed>, SearchError> {
    let mut stages = Vec::new();
    let mut at = pipe;
    while at < text.len() {
        let (stage, end) = stage(text, at + 1)?;
        if stages.len() == STAGES_MAX {
            return Err(stage.span.error(Problem::TooManyStages, [&STAGES_MAX]));
        }
        stages.push(stage);
        at = end;
    }
    Ok(stages)
}

/// One command behind its `|`, and where the next `|` or the end is.
fn stage(text: &str, from: usize) -> Result<(Placed, usize), SearchError> {
    let start = text.len() - text[from..].trim_start().len();
    let word = &text[start..start + text[start..].find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len() - start)];
    let Some(found) = verb(word) else { return Err(unknown_verb(text, start, word)) };
    let behind = start + word.len();
    if found.name == "search" {
        // Only the place of the next | matters here; what stands before it is read when the fields are known.
        let (_, pipe) = search_tokens(&text[behind..], |_, _| false).map_err(|error| error.behind(behind))?;
        let end = pipe.map_or(text.len(), |pipe| behind + pipe);
        let raw = Raw { text: text[behind..end].to_owned(), span: Span { offset: behind, len: end - behind } };
        return Ok((Placed { stage: Stage::Search(raw), span: Span { offset: start, len: end - start } }, end));
    }
    let (tokens, end) = tokens(text, behind)?;
    let mut reader = Reader { text, verb: found.name, tokens: &tokens, at: 0, end, depth: 0, nodes: 0 };
    let stage = reader.stage()?;
    reader.done()?;
    let written = text[start..end].trim_end().len();
    Ok((Placed { stage, span: Span { offset: start, len: written } }, end))
}

fn unknown_verb(text: &str, start: usize, word: &str) -> SearchError {
    let names = || VERBS.iter().map(|verb| verb.name);
    if word.is_empty() {
        let len = text[start..].chars().next().filter(|c| *c != '|').map_or(0, char::len_utf8);
        return SearchError::new(start, len, Problem::StageMissing, [&"where, stats, sort"]);
    }
    match nearest(word, names()) {
        Some(near) => SearchError::new(start, word.len(), Problem::UnknownVerbNear, [&word, &near]),
        None => {
            let list = names().collect::<Vec<_>>().join(", ");
            let mut error = SearchError::new(start, word.len(), Problem::UnknownVerb, [&word, &""]);
            error = error.with_arg(1, list);
            error
        }
    }
}

/// Reads one stage's tokens.
pub(super) struct Reader<'a> {
    pub text: &'a str,
    pub verb: &'static str,
    pub tokens: &'a [lexer::Placed],
    pub at: usize,
    pub end: usize,
    pub depth: usize,
    pub nodes: usize,
}

impl Reader<'_> {
    fn stage(&mut self) -> Result<Stage, SearchError> {
        Ok(match self.verb {
            "where" => Stage::Where(self.expr()?),
            "eval" => Stage::Eval(self.list(|reader| {
                let name = reader.name("a field name")?;
                reader.expect_sign("=")?;
                Ok((name, reader.expr()?))
            })?),
            "extract" => {
                let field = if matches!(self.peek(), Some(Tok::Text(_))) { None } else { Some(self.name("a field name")?) };
                Stage::Extract { field, pattern: self.quoted("a pattern in quotation marks")? }
            }
            "stats" => {
                let aggregates = self.list(Self::aggregate)?;
                let by = if self.keyword("by") { self.list(Self::by)? } else { vec![] };
                Stage::Stats { aggregates, by }
            }
            "timechart" => self.timechart()?,
            "top" | "rare" => {
                let count = self.count(COUNT_DEFAULT)?;
                let fields = self.names()?;
                let by = if self.keyword("by") { self.names()? } else { vec![] };
                Stage::Top { count, fields, by, is_rare: self.verb == "rare" }
            }
            "dedup" => Stage::Dedup { count: self.count(1)?, keys: self.names()? },
            "sort" => Stage::Sort(self.list(Self::sort_key)?),
            "head" => Stage::Head(self.count(COUNT_DEFAULT)?),
            "table" => Stage::Keep(self.names()?),
            "fields" => {
                let removes = self.sign("-");
                let _ = !removes && self.sign("+");
                let names = self.names()?;
                if removes { Stage::Remove(names) } else { Stage::Keep(names) }
            }
            "rename" => Stage::Rename(self.list(|reader| {
                let old = reader.name("a field name")?;
                reader.expect_keyword("as")?;
                Ok((old, reader.name("a field name")?))
            })?),
            "expand" => Stage::Expand(self.name("a field name")?),
            "lookup" => self.lookup()?,
            "join" => {
                let keeps_all = self.keyword("left");
                let _ = !keeps_all && self.keyword("inner");
                let _ = self.keyword("by") || self.keyword("on");
                let keys = self.names()?;
                Stage::Join { keeps_all, keys, search: self.bracket()? }
            }
            _ => self.sequence()?,
        })
    }

    fn aggregate(&mut self) -> Result<Aggregate, SearchError> {
        let function = self.name("a count or sum such as count()")?;
        // `count` alone is how people write it.
        let args = if self.sign("(") { self.arguments()? } else { vec![] };
        let written = Span { offset: function.span.offset, len: self.last_end() - function.span.offset };
        let condition = if self.keyword("where") { Some(self.expr()?) } else { None };
        let name = if self.keyword("as") { self.name("a field name")? } else { self.label(&function, args.is_empty(), written) };
        Ok(Aggregate { function, args, condition, name })
    }

    /// `count()` is `count`; anything else is called as it was written.
    fn label(&self, function: &Named, has_no_args: bool, written: Span) -> Named {
        let name = if has_no_args { function.name.to_lowercase() } else { self.written(written) };
        Named { name, span: written }
    }

    fn by(&mut self) -> Result<By, SearchError> {
        let expr = self.expr()?;
        let span = expr.span();
        let name = if self.keyword("as") { self.name("a field name")? } else { Named { name: self.by_name(&expr), span } };
        Ok(By { expr, name })
    }

    fn by_name(&self, expr: &super::Expr) -> String {
        match expr {
            super::Expr::Name(name) => name.name.clone(),
            other => self.written(other.span()),
        }
    }

    fn timechart(&mut self) -> Result<Stage, SearchError> {
        let mut span = None;
        let mut limit = SERIES_DEFAULT;
        loop {
            if self.option("span") {
                span = Some(self.duration()?);
            } else if self.option("limit") {
                limit = self.number(1, 1_000)?;
            } else {
                break;
            }
        }
        let aggregates = self.list(Self::aggregate)?;
        let by = if self.keyword("by") { Some(self.name("a field name")?) } else { None };
        Ok(Stage::Timechart { span, limit, aggregates, by })
    }

    fn sort_key(&mut self) -> Result<(Named, bool), SearchError> {
        let descends = self.sign("-");
        let _ = !descends && self.sign("+");
        let mut name = self.name("a field name")?;
        // `sort -count()` names the column as it was written.
        if self.sign("(") {
            self.arguments()?;
            name.span.len = self.last_end() - name.span.offset;
            name.name = self.written(name.span);
            name.name = name.name.strip_suffix("()").map_or(name.name.clone(), str::to_lowercase);
        }
        let descends = if self.keyword("desc") { true } else { !self.keyword("asc") && descends };
        Ok((name, descends))
    }

    fn lookup(&mut self) -> Result<Stage, SearchError> {
        let table = self.name("a table name")?;
        let _ = self.keyword("on") || self.keyword("by");
        let key = self.name("a field name")?;
        let column = if self.sign("=") || self.sign("==") { Some(self.name("a column name")?) } else { None };
        let output = if self.keyword("output") {
            self.list(|reader| {
                let column = reader.name("a column name")?;
                let name = if reader.keyword("as") { Some(reader.name("a field name")?) } else { None };
                Ok((column, name))
            })?
        } else {
            vec![]
        };
        Ok(Stage::Lookup { table, key, column, output })
    }

    fn sequence(&mut self) -> Result<Stage, SearchError> {
        let mut keys = vec![];
        let mut within = None;
        loop {
            if keys.is_empty() && self.keyword("by") {
                keys = self.names()?;
            } else if within.is_none() && self.keyword("within") {
                within = Some(self.duration()?);
            } else {
                break;
            }
        }
        let Some(within) = within else { return Err(self.expected("within 10m")) };
        let first = self.at;
        let mut steps = Vec::new();
        while matches!(self.peek(), Some(Tok::Bracket(_))) {
            let step = self.bracket()?;
            // `[failed]*5`: five times the same.
            let times = if self.sign("*") { self.number(1, SEQUENCE_STEPS_MAX as u64)? } else { 1 };
            steps.extend((0..times).map(|_| step.clone()));
        }
        if !(2..=SEQUENCE_STEPS_MAX).contains(&steps.len()) {
            let start = self.tokens.get(first).map_or(self.end, |token| token.span.offset);
            let span = Span { offset: start, len: self.last_end().saturating_sub(start) };
            return Err(span.error(Problem::SequenceSteps, [&SEQUENCE_STEPS_MAX]));
        }
        Ok(Stage::Sequence { keys, within, steps })
    }

    // ---- pieces

    pub(super) fn peek(&self) -> Option<&Tok> {
        self.tokens.get(self.at).map(|placed| &placed.tok)
    }

    pub(super) fn here(&self) -> Span {
        self.tokens.get(self.at).map_or(Span { offset: self.end, len: 0 }, |placed| placed.span)
    }

    /// Where the last token that was read ends.
    pub(super) fn last_end(&self) -> usize {
        self.tokens[..self.at].last().map_or(self.end, |placed| placed.span.end())
    }

    /// A piece of the text on one line.
    fn written(&self, span: Span) -> String {
        let text = self.text.get(span.offset..span.end()).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(100).collect()
    }

    pub(super) fn is_keyword(&self, ahead: usize, word: &str) -> bool {
        let token = self.tokens.get(self.at + ahead);
        matches!(token, Some(lexer::Placed { tok: Tok::Name(name), .. }) if name.eq_ignore_ascii_case(word))
    }

    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let found = self.is_keyword(0, word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Tok::Sign(found)) if *found == sign);
        self.at += usize::from(found);
        found
    }

    /// `word=`.
    fn option(&mut self, word: &str) -> bool {
        let found =
            self.is_keyword(0, word) && matches!(self.tokens.get(self.at + 1), Some(lexer::Placed { tok: Tok::Sign("="), .. }));
        self.at += 2 * usize::from(found);
        found
    }

    pub(super) fn expected(&self, what: &str) -> SearchError {
        let here = self.here();
        match self.text.get(here.offset..here.end()).filter(|found| !found.is_empty()) {
            Some(found) => here.error(Problem::ExpectedNot, [&what, &found]),
            None => here.error(Problem::Expected, [&what]),
        }
    }

    pub(super) fn expect_sign(&mut self, sign: &'static str) -> Result<(), SearchError> {
        if self.sign(sign) { Ok(()) } else { Err(self.expected(sign)) }
    }

    fn expect_keyword(&mut self, word: &str) -> Result<(), SearchError> {
        if self.keyword(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    fn name(&mut self, what: &str) -> Result<Named, SearchError> {
        let span = self.here();
        let name = match self.peek() {
            Some(Tok::Name(name)) if !KEYWORDS.iter().any(|word| name.eq_ignore_ascii_case(word)) => canonical(name).to_owned(),
            Some(Tok::Field(name)) if !name.is_empty() => name.clone(),
            _ => return Err(self.expected(what)),
        };
        self.at += 1;
        Ok(Named { name, span })
    }

    fn names(&mut self) -> Result<Vec<Named>, SearchError> {
        let mut names = vec![self.name("a field name")?];
        // Between names a comma or just a space, as in other tools.
        loop {
            let has_comma = self.sign(",");
            let goes_on = matches!(self.peek(), Some(Tok::Name(name)) if !KEYWORDS.iter().any(|word| name.eq_ignore_ascii_case(word)))
                || matches!(self.peek(), Some(Tok::Field(_)));
            if !has_comma && !goes_on {
                break;
            }
            names.push(self.name("a field name")?);
        }
        for (at, name) in names.iter().enumerate() {
            if names[..at].iter().any(|other| other.name == name.name) {
                return Err(name.span.error(Problem::Twice, [&name.name]));
            }
        }
        Ok(names)
    }

    fn quoted(&mut self, what: &str) -> Result<Named, SearchError> {
        let Some(Tok::Text(text)) = self.peek() else { return Err(self.expected(what)) };
        let named = Named { name: text.clone(), span: self.here() };
        self.at += 1;
        Ok(named)
    }

    fn bracket(&mut self) -> Result<Raw, SearchError> {
        let Some(Tok::Bracket(text)) = self.peek() else { return Err(self.expected("a search in [ ]")) };
        let span = self.here();
        let raw = Raw { text: text.clone(), span: Span { offset: span.offset + 1, len: text.len() } };
        self.at += 1;
        Ok(raw)
    }

    fn duration(&mut self) -> Result<i64, SearchError> {
        match self.peek() {
            Some(Tok::Duration(micros)) if *micros > 0 => {
                let micros = *micros;
                self.at += 1;
                Ok(micros)
            }
            _ => Err(self.here().error(Problem::BadSpan, [])),
        }
    }

    /// A leading number, when there is one.
    fn count(&mut self, default: u64) -> Result<u64, SearchError> {
        if !matches!(self.peek(), Some(Tok::Number(_))) { Ok(default) } else { self.number(1, COUNT_MAX) }
    }

    fn number(&mut self, min: u64, max: u64) -> Result<u64, SearchError> {
        let found = match self.peek() {
            Some(Tok::Number(text)) => text.parse().ok().filter(|count| (min..=max).contains(count)),
            _ => None,
        };
        let Some(count) = found else {
            return Err(self.here().error(Problem::OutOfRange, [&self.verb, &min, &max]));
        };
        self.at += 1;
        Ok(count)
    }

    /// One or more, separated by commas.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, SearchError>) -> Result<Vec<T>, SearchError> {
        let mut list = vec![read(self)?];
        loop {
            let has_comma = self.sign(",");
            // Aggregates and sort keys may also just stand side by side.
            let goes_on = matches!(self.peek(), Some(Tok::Name(name)) if !KEYWORDS.iter().any(|word| name.eq_ignore_ascii_case(word)))
                || matches!(self.peek(), Some(Tok::Field(_)))
                || self.verb == "sort" && matches!(self.peek(), Some(Tok::Sign("-" | "+")));
            if !has_comma && !goes_on {
                return Ok(list);
            }
            list.push(read(self)?);
        }
    }

    fn done(&self) -> Result<(), SearchError> {
        match self.tokens.get(self.at) {
            None => Ok(()),
            Some(placed) => match &placed.tok {
                Tok::Sign(")") => Err(placed.span.error(Problem::ParenthesisUnopened, [])),
                _ => Err(placed.span.error(Problem::LeftOver, [&self.verb])),
            },
        }
    }
}

/// Words that are never a field unless between backticks.
pub(super) const KEYWORDS: [&str; 12] = ["by", "as", "and", "or", "not", "in", "like", "is", "where", "within", "output", "on"];

/// `@timestamp` is the column `timestamp`.
pub(super) fn canonical(name: &str) -> &str {
    if name == "@timestamp" { "timestamp" } else { name }
}
