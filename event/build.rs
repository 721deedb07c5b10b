//! Generates `field::*` constants and the catalogue table from `fields.toml`.

use std::{collections::BTreeMap, env, fmt::Write, fs, path::Path};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    r#type: String,
    #[serde(default)]
    list: bool,
    #[serde(default)]
    index: Option<String>,
    #[serde(default)]
    intern: bool,
    #[serde(default)]
    privacy: Option<String>,
    #[serde(default)]
    sigma: Vec<String>,
    #[serde(default)]
    ocsf: String,
    vi: String,
    en: String,
    doc: String,
}

fn main() {
    println!("cargo::rerun-if-changed=fields.toml");
    let text = fs::read_to_string("fields.toml").expect("event/fields.toml is part of the crate");
    let fields: BTreeMap<String, Block> = toml::from_str(&text).unwrap_or_else(|error| panic!("event/fields.toml: {error}"));
    let mut constants = String::new();
    let mut table = String::from("pub(crate) static DEFINITIONS: &[Definition] = &[\n");
    for (id, (name, block)) in fields.iter().enumerate() {
        let constant = name.to_uppercase().replace('.', "_");
        let kind = choose(name, "type", &block.r#type, &["keyword", "text", "ip", "long", "double", "boolean", "date"]);
        let index = choose(name, "index", block.index.as_deref().unwrap_or("exact"), &["exact", "text", "none"]);
        let privacy =
            choose(name, "privacy", block.privacy.as_deref().unwrap_or("none"), &["none", "personal", "sensitive", "secret"]);
        writeln!(constants, "/// {}\npub const {constant}: Field = Field({id});", block.doc).expect("writing to a string");
        writeln!(
            table,
            "    Definition {{ name: {name:?}, kind: Kind::{kind}, list: {}, index: Index::{index}, intern: {}, privacy: Privacy::{privacy}, sigma: &{:?}, ocsf: {:?}, label_vi: {:?}, label_en: {:?}, doc: {:?} }},",
            block.list, block.intern, block.sigma, block.ocsf, block.vi, block.en, block.doc
        )
        .expect("writing to a string");
    }
    table.push_str("];\n");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("fields.rs"), constants + &table).expect("OUT_DIR is writable");
}

/// Returns the variant name of a word, or stops the build naming field and word.
fn choose(field: &str, key: &str, word: &str, words: &[&str]) -> String {
    assert!(words.contains(&word), "event/fields.toml: {field}: {key} = {word:?} is none of {words:?}");
    word[..1].to_uppercase() + &word[1..]
}
