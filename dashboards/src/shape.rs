//! Shapes of JSON, written as one would on a blackboard, and the JSON Schema that they mean.
//!
//! ```text
//! Session = { user: User, csrf: text, version?: text | null }      names are defined in api/shapes.txt
//! Account = { ...User, email: text | null }                        the keys of another shape, and more
//! counts  = { *: integer }                                         any keys
//! ```
//!
//! An object has the keys that are written and no others: that is what makes the document testable against real answers.
//! Words: `text integer number boolean null any time date`, `"literal"`, `[item]`, `one | other`.

use serde_json::{Map, Value, json};

/// The definitions that routes refer to by name.
const DEFINITIONS: &str = include_str!("api/shapes.txt");

/// All named shapes as JSON Schemas, by name.
pub fn definitions() -> Result<Map<String, Value>, String> {
    let mut reader = Reader::new(DEFINITIONS);
    let mut known = Map::new();
    while let Some(name) = reader.token()? {
        reader.expect("=")?;
        let schema = reader.shape(&known).map_err(|error| format!("{name}: {error}"))?;
        if known.insert(name.clone(), schema).is_some() {
            return Err(format!("{name} is defined twice"));
        }
    }
    Ok(known)
}

/// Reads one shape, as a route writes it.
pub fn read(text: &str, known: &Map<String, Value>) -> Result<Value, String> {
    let mut reader = Reader::new(text);
    let schema = reader.shape(known)?;
    match reader.token()? {
        None => Ok(schema),
        Some(rest) => Err(format!("{text}: {rest:?} follows the shape")),
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self { rest: text }
    }

    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.find('\n').map_or("", |end| &comment[end..]),
                None => return,
            }
        }
    }

    /// The next token: a word, a quoted text with its quotes, `...` or one sign.
    fn token(&mut self) -> Result<Option<String>, String> {
        self.skip();
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '@');
        let length = match first {
            '"' => self.rest[1..].find('"').ok_or("a quote is not closed")? + 2,
            '.' if self.rest.starts_with("...") => 3,
            c if is_word(c) => self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len()),
            c => c.len_utf8(),
        };
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(Some(token.to_owned()))
    }

    fn peek(&mut self) -> Result<String, String> {
        let rest = self.rest;
        let token = self.token()?;
        self.rest = rest;
        Ok(token.unwrap_or_default())
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        match self.token()? {
            Some(token) if token == wanted => Ok(()),
            other => Err(format!("expected {wanted:?}, found {other:?}")),
        }
    }

    fn takes(&mut self, wanted: &str) -> Result<bool, String> {
        let is_next = self.peek()? == wanted;
        if is_next {
            self.token()?;
        }
        Ok(is_next)
    }

    fn shape(&mut self, known: &Map<String, Value>) -> Result<Value, String> {
        let mut choices = vec![self.item(known)?];
        while self.takes("|")? {
            choices.push(self.item(known)?);
        }
        let texts: Vec<Value> = choices.iter().filter_map(|choice| choice.get("const").cloned()).collect();
        Ok(match choices.len() {
            1 => choices.remove(0),
            all if texts.len() == all => json!({ "type": "string", "enum": texts }),
            _ => json!({ "anyOf": choices }),
        })
    }

    fn item(&mut self, known: &Map<String, Value>) -> Result<Value, String> {
        let token = self.token()?.ok_or("a shape is missing")?;
        Ok(match token.as_str() {
            "text" => json!({ "type": "string" }),
            "integer" | "number" | "boolean" | "null" => json!({ "type": token }),
            "time" => json!({ "type": "string", "format": "date-time" }),
            "date" => json!({ "type": "string", "format": "date" }),
            "any" => json!({}),
            "[" => {
                let items = self.shape(known)?;
                self.expect("]")?;
                json!({ "type": "array", "items": items })
            }
            "{" => self.object(known)?,
            literal if literal.starts_with('"') => json!({ "const": literal.trim_matches('"') }),
            name if known.contains_key(name) => json!({ "$ref": format!("#/components/schemas/{name}") }),
            name => return Err(format!("there is no shape {name:?}; shapes are defined before they are used")),
        })
    }

    fn object(&mut self, known: &Map<String, Value>) -> Result<Value, String> {
        let (mut properties, mut required, mut more) = (Map::new(), Vec::new(), json!(false));
        while !self.takes("}")? {
            match self.token()?.ok_or("an object is not closed")?.as_str() {
                "..." => {
                    let name = self.token()?.unwrap_or_default();
                    let base = known.get(&name).ok_or_else(|| format!("there is no shape {name:?}"))?;
                    properties.extend(base["properties"].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
                    required.extend(base["required"].as_array().into_iter().flatten().cloned());
                }
                "*" => {
                    self.expect(":")?;
                    more = self.shape(known)?;
                }
                key => {
                    let key = key.trim_matches('"').to_owned();
                    let is_optional = self.takes("?")?;
                    self.expect(":")?;
                    properties.insert(key.clone(), self.shape(known).map_err(|error| format!("{key}: {error}"))?);
                    required.retain(|name| *name != key.as_str());
                    if !is_optional {
                        required.push(json!(key));
                    }
                }
            }
            if !self.takes(",")? && self.peek()? != "}" {
                return Err(format!("expected , or }} before {:?}", self.peek()?));
            }
        }
        let mut object = json!({ "type": "object", "additionalProperties": more });
        if !properties.is_empty() {
            object["properties"] = properties.into();
            object["required"] = required.into();
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_shape_is_a_schema() {
        let known = definitions().unwrap();
        let schema = read(r#"{ a: [text | null], b?: "x" | "y", *: integer }"#, &known).unwrap();
        expect![[r#"{"type":"object","additionalProperties":{"type":"integer"},"properties":{"a":{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"null"}]}},"b":{"type":"string","enum":["x","y"]}},"required":["a"]}"#]]
            .assert_eq(&schema.to_string());
    }

    #[test]
    fn a_broken_shape_says_what_is_wrong() {
        let known = definitions().unwrap();
        for (text, wanted) in [
            ("{ a: }", "a: there is no shape"),
            ("[text", "expected \"]\""),
            ("Nothing", "no shape \"Nothing\""),
            ("text text", "follows"),
        ] {
            let error = read(text, &known).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
