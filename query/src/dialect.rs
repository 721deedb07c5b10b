//! SQL text → syntax tree, under limits of size, and with names an analyst may write unquoted.
//!
//! The generic dialect reads `user` as a function and `group` as a keyword, so `user.name` and `group.name` would be
//! errors. Here a word that a dot follows is a name, whatever else it could be, and `@` may begin one (`@timestamp`).
//! What the tree may contain is not decided here but in [`crate::rewrite`].

use datafusion::sql::sqlparser::{
    ast::Statement,
    dialect::{Dialect, Precedence},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Token, TokenWithSpan, Tokenizer},
};

use crate::error::{Error, ErrorKind, Result, syntax};

/// Longest statement in bytes; room for a paste of 10,000 indicators.
pub const SQL_BYTES_MAX: usize = 512 * 1024;

/// Operators (`AND`, `+`, `UNION` …) in one statement: each may be one level of the tree, and the tree is walked
/// recursively. A list after `IN` costs none.
pub const SQL_OPERATORS_MAX: usize = 500;

/// Nested parentheses and subqueries.
pub const SQL_DEPTH_MAX: usize = 40;

/// Our SQL: PostgreSQL's operators, plain identifiers, nothing that writes.
#[derive(Debug)]
pub struct ChiengDialect;

impl Dialect for ChiengDialect {
    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('"')
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"' || ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_' || ch == '@'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || matches!(ch, '_' | '@' | '$' | '#')
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    // `a ~ 'x' = true` binds as in PostgreSQL: pattern operators before comparison.
    fn get_next_precedence(&self, parser: &Parser) -> Option<std::result::Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::Tilde | Token::TildeAsterisk | Token::ExclamationMarkTilde | Token::ExclamationMarkTildeAsterisk => {
                Some(Ok(self.prec_value(Precedence::Like)))
            }
            _ => None,
        }
    }
}

/// Reads exactly one statement.
pub fn parse(sql: &str) -> Result<Statement> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(Error::new(ErrorKind::Limit, format!("the statement is longer than {} KiB", SQL_BYTES_MAX / 1024)));
    }
    let dialect = ChiengDialect;
    let mut tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|error| Error::new(ErrorKind::Syntax, error.message.clone()).at(error.location.line, error.location.column))?;
    check_size(&tokens)?;
    quote_names(&mut tokens);
    let mut parser = Parser::new(&dialect).with_recursion_limit(SQL_DEPTH_MAX * 4).with_tokens_with_locations(tokens);
    let mut statements = parser.parse_statements().map_err(|error| match error {
        ParserError::RecursionLimitExceeded => too_deep(),
        other => syntax(&other.to_string()),
    })?;
    match statements.len() {
        1 => Ok(statements.remove(0)),
        0 => Err(Error::new(ErrorKind::Syntax, "the statement is empty").hint("SELECT * FROM events LIMIT 10")),
        _ => Err(Error::denied("one statement at a time").hint("remove everything after the first semicolon")),
    }
}

fn too_deep() -> Error {
    Error::new(ErrorKind::Limit, "the statement is nested too deeply")
}

/// Bounds operators and nesting before a recursive parser sees them.
fn check_size(tokens: &[TokenWithSpan]) -> Result<()> {
    let (mut operators, mut depth) = (0, 0_usize);
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => {
                depth += 1;
                if depth > SQL_DEPTH_MAX {
                    return Err(too_deep().at(token.span.start.line, token.span.start.column));
                }
            }
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Word(word) => operators += usize::from(is_operator_word(word.keyword)),
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Comma
            | Token::Period
            | Token::Whitespace(_)
            | Token::SemiColon
            | Token::EOF => {}
            _ => operators += 1,
        }
    }
    if operators > SQL_OPERATORS_MAX {
        return Err(Error::new(ErrorKind::Limit, format!("the statement has more than {SQL_OPERATORS_MAX} operators"))
            .hint("write many values as one list: field IN ('a', 'b', …)"));
    }
    Ok(())
}

fn is_operator_word(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::AND
            | Keyword::OR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::BETWEEN
            | Keyword::UNION
            | Keyword::EXCEPT
            | Keyword::INTERSECT
            | Keyword::JOIN
            | Keyword::CASE
            | Keyword::WHEN
            | Keyword::SELECT
            | Keyword::COLLATE
            | Keyword::INTERVAL
            | Keyword::AT
    )
}

/// Turns each word that a dot follows directly into a quoted name, so that no keyword hides a field.
fn quote_names(tokens: &mut [TokenWithSpan]) {
    for at in 1..tokens.len() {
        if tokens[at].token == Token::Period
            && let Token::Word(word) = &mut tokens[at - 1].token
            && word.quote_style.is_none()
        {
            word.quote_style = Some('"');
            word.keyword = Keyword::NoKeyword;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_catalogue_name_parses_unquoted() {
        for field in event::Field::all() {
            let name = field.name();
            for sql in [
                format!("SELECT {name} FROM events"),
                format!("SELECT e.{name} AS x FROM events AS e WHERE {name} IS NOT NULL"),
                format!("SELECT count(*) FROM events GROUP BY {name} ORDER BY {name}"),
            ] {
                parse(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        }
    }

    #[test]
    fn size_is_bounded() {
        let ors = vec!["a = 1"; 300].join(" OR ");
        assert_eq!(parse(&format!("SELECT 1 WHERE {ors}")).unwrap_err().kind, ErrorKind::Limit);
        let deep = format!("SELECT {}1{}", "(".repeat(60), ")".repeat(60));
        assert_eq!(parse(&deep).unwrap_err().kind, ErrorKind::Limit);
        let minus = format!("SELECT {}1", "- ".repeat(10_000));
        assert_eq!(parse(&minus).unwrap_err().kind, ErrorKind::Limit);
        let list = vec!["'10.0.0.1'"; 10_000].join(", ");
        assert!(parse(&format!("SELECT 1 FROM events WHERE source.ip IN ({list})")).is_ok());
    }

    #[test]
    fn one_statement_only() {
        assert!(parse("").is_err());
        assert!(parse("SELECT 1; SELECT 2").is_err());
        assert!(parse("SELECT 1;").is_ok());
    }
}
