//! `cargo xtask reference`: writes docs/reference/fields.md from event/fields.toml; with `--check` only compares.

use std::{collections::BTreeMap, fmt::Write, fs};

use crate::run::{Result, root};

pub fn run(check: bool) -> Result {
    let root = root();
    let toml_path = root.join("event/fields.toml");
    let text = fs::read_to_string(&toml_path).map_err(|error| format!("failed to read {}: {error}", toml_path.display()))?;
    let page = fields_page(&text)?;
    let page_path = root.join("docs/reference/fields.md");
    let current = fs::read_to_string(&page_path).unwrap_or_default();
    if current == page {
        println!("reference: ok");
        return Ok(());
    }
    if check {
        return Err("docs/reference/fields.md is not what event/fields.toml says; run `cargo xtask reference`".into());
    }
    fs::create_dir_all(root.join("docs/reference")).map_err(|error| format!("failed to create docs/reference: {error}"))?;
    fs::write(&page_path, page).map_err(|error| format!("failed to write {}: {error}", page_path.display()))
}

fn fields_page(text: &str) -> Result<String> {
    let fields: BTreeMap<String, toml::Table> = toml::from_str(text).map_err(|error| format!("event/fields.toml: {error}"))?;
    let mut page = String::from(
        "# Fields\n\nWritten by `cargo xtask reference` from `event/fields.toml`; edit that file instead.\n\n\
         | Field | Type | Privacy | Label | Meaning |\n|---|---|---|---|---|\n",
    );
    for (name, block) in &fields {
        if let Some(key) = ["type", "vi", "en", "doc"].iter().find(|key| !block.contains_key(**key)) {
            return Err(format!("event/fields.toml: {name}: `{key}` is missing"));
        }
        let word = |key: &str| block.get(key).and_then(toml::Value::as_str).unwrap_or_default();
        let is_list = block.get("list").and_then(toml::Value::as_bool).unwrap_or_default();
        let (kind, list) = (word("type"), if is_list { ", list" } else { "" });
        let privacy = if word("privacy").is_empty() { "none" } else { word("privacy") };
        let line = format!("| `{name}` | {kind}{list} | {privacy} | {} · {} | {} |", word("vi"), word("en"), word("doc"));
        writeln!(page, "{line}").map_err(|error| error.to_string())?;
    }
    Ok(page)
}
