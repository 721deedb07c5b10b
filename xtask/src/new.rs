//! `cargo xtask new`: writes the skeleton of a new thing and the case that fails until it is filled in.

use std::{fs, path::Path};

use crate::run::{Result, root};

pub fn run(kind: &str, name: &str) -> Result {
    let root = root();
    match kind {
        "parser" => {
            check_name(name)?;
            write(&root.join(format!("parsers/src/formats/{name}.rs")), &parser(name))?;
            write(
                &root.join(format!("parsers/corpus/{name}/basic.log")),
                "replace this line by one that the device really sends\n",
            )?;
            println!(
                "next: add `mod {name};` and a line in PARSERS (parsers/src/formats/mod.rs), fill in the parser, run `cargo xtask bless`, read the diff"
            );
        }
        "rule" => {
            let (source, rule) =
                name.split_once('/').ok_or("a rule is named <logsource>/<name>, for example linux/sshd_root_login")?;
            check_name(source)?;
            check_name(rule)?;
            write(&root.join(format!("detect/rules/{source}/{rule}.yml")), &RULE.replace("NAME", rule))?;
            write(&root.join(format!("detect/rules/{source}/{rule}.test.yml")), RULE_TEST)?;
            println!("next: fill in both files, run `cargo test -p detect`");
        }
        "check" => {
            check_name(name)?;
            write(&root.join(format!("comply/checks/{name}.yml")), &CHECK.replace("NAME", name))?;
            println!(
                "next: fill in question, SQL and cases; name the check in a framework under comply/frameworks; run `cargo test -p comply`"
            );
        }
        _ => return Err(format!("unknown kind {kind:?}: parser, rule or check")),
    }
    Ok(())
}

fn check_name(name: &str) -> Result {
    let is_plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { Ok(()) } else { Err(format!("{name:?}: names are lower-case letters, digits and _")) }
}

fn write(path: &Path, text: &str) -> Result {
    if path.exists() {
        return Err(format!("{} is there already", path.display()));
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|error| format!("failed to create {}: {error}", dir.display()))?;
    }
    fs::write(path, text).map_err(|error| format!("failed to write {}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

fn parser(name: &str) -> String {
    let camel: String = name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    format!(
        "//! {camel} messages, as sent by …\n//!\n//! Reference: the vendor's documentation, by title and chapter.\n\n\
         use event::{{Event, Outcome, RawRecord, field}};\n\nuse crate::{{Parser, Sniff}};\n\npub struct {camel};\n\n\
         impl Parser for {camel} {{\n    fn name(&self) -> &'static str {{\n        \"{name}\"\n    }}\n\n\
         \x20   fn sniff(&self, raw: RawRecord<'_>) -> Sniff {{\n        Sniff::yes_if(raw.text().starts_with(\"{name}\"))\n    }}\n\n\
         \x20   fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {{\n        event.set_dataset(\"{name}\");\n\
         \x20       event.set(field::MESSAGE, raw.text());\n        Outcome::Parsed\n    }}\n}}\n"
    )
}

const RULE: &str = "\
title: What was seen, in English
id: 00000000-0000-4000-8000-000000000000   # a new UUID; never changes afterwards
status: experimental
description: Why it matters.
author: your name
date: 2026-01-01
tags: []
logsource:
  product: linux
  service: sshd
detection:
  selection:
    event.action: NAME
  condition: selection
falsepositives:
  - when this is harmless
level: medium
chieng:
  title_vi: Điều đã thấy, bằng tiếng Việt
  description_vi: Vì sao đáng chú ý.
  group_by: [source.ip]
  response_vi: [Việc đầu tiên cần làm]
  response_en: [The first thing to do]
";

const RULE_TEST: &str = "\
match:
  - {event.dataset: sshd.auth, event.action: fill_in}
no_match:
  - {event.dataset: sshd.auth, event.action: something_else}
";

const CHECK: &str = "\
id: NAME
question_vi: Câu hỏi dành cho dữ liệu?
question_en: The question to telemetry?
";
