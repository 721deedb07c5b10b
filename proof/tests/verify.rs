//! The binary `chieng-verify` on a packet and on a proof folder made by hand: what it says, and its exit codes.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, StringViewArray, TimestampMicrosecondArray},
    record_batch::RecordBatch,
};
use ed25519_dalek::SigningKey;
use parquet::arrow::ArrowWriter;
use proof::{
    Hash,
    block::{Block, blocks_of},
    codec::to_hex,
    journal::{MAGIC, Position, Record, Start},
    key,
    packet::{self, ChainLine, FileEntry, Manifest, RootLine},
    root::{Anchor, SignedRoot, Statement},
};

fn run(arguments: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_chieng-verify")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().unwrap_or(-1), text)
}

fn rows() -> RecordBatch {
    let text = |values: &[&str]| Arc::new(StringViewArray::from(values.to_vec())) as ArrayRef;
    let times = Arc::new(TimestampMicrosecondArray::from(vec![5_i64; 3]).with_timezone("UTC")) as ArrayRef;
    RecordBatch::try_from_iter([
        ("event.id", text(&["n1-1-0", "n1-1-1", "n1-2-0"])),
        ("event.ingested", times),
        ("event.dataset", text(&["sshd", "sshd", "nginx"])),
        ("event.original", text(&["one", "two", "three"])),
        ("system.id", text(&["dvc", "dvc", "other"])),
    ])
    .unwrap()
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// Writes a proof folder with one block and one root; gives the root, the block, and the chain before it.
fn folder(dir: &Path) -> (SignedRoot, Block, Hash) {
    let key = signing_key();
    let public = key.verifying_key().to_bytes();
    let batch = rows();
    let mut blocks = blocks_of(&[&batch], 0, 2);
    let block = blocks.remove(0);
    let start = Start { version: 1, node: "n1".into(), chain: [0; 32], after: 0, key: public, broken: None };
    let (mut position, mut bytes) = (Position::new([0; 32]), MAGIC.to_vec());
    position.push(&Record::Start(start), &mut bytes);
    let before = position.chain;
    position.push(&Record::Block(block.clone()), &mut bytes);
    let statement = Statement {
        version: 1,
        node: "n1".into(),
        number: 1,
        hour: 0,
        after: 0,
        through: 2,
        blocks: 1,
        rows: 3,
        chain: position.chain,
        previous: [0; 32],
        signed_at: 6,
        key: public,
    };
    let root = SignedRoot::sign(&statement, &key);
    position.push(&Record::Root(root.clone()), &mut bytes);
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("1970-01-01.proof"), bytes).unwrap();
    (root, block, before)
}

fn packet_of(dir: &Path, root: &SignedRoot, block: &Block, before: Hash) {
    for folder in ["rows", "proof"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let own = rows().slice(0, 2);
    let mut writer = ArrowWriter::try_new(Vec::new(), own.schema(), None).unwrap();
    writer.write(&own).unwrap();
    let json = |line: &dyn erased::Line| line.text() + "\n";
    let chain = json(&ChainLine::From { chain: before })
        + &json(&ChainLine::block(block, |leaf| leaf.class.system == "dvc"))
        + &json(&ChainLine::Root { number: 1, hash: root.hash() });
    let files: [(&str, Vec<u8>); 4] = [
        ("rows/0001.parquet", writer.into_inner().unwrap()),
        (packet::CHAIN, chain.into_bytes()),
        (packet::ROOTS, json(&RootLine::Root(root.clone())).into_bytes()),
        (packet::PUBLIC_KEY, key::public_line(&signing_key().verifying_key().to_bytes()).into_bytes()),
    ];
    let mut manifest = Manifest {
        format: packet::FORMAT,
        program: "test".into(),
        node: "n1".into(),
        system: "dvc".into(),
        dataset: None,
        received: (0, 10),
        exported_at: 0,
        exported_by: String::new(),
        reason: String::new(),
        rows: 2,
        leaves: 1,
        leaves_unsigned: 0,
        leaves_incomplete: 0,
        files: Vec::new(),
    };
    for (path, bytes) in files {
        fs::write(dir.join(path), &bytes).unwrap();
        let blake3 = *blake3::hash(&bytes).as_bytes();
        manifest.files.push(FileEntry { path: path.into(), bytes: bytes.len() as u64, blake3 });
    }
    fs::write(dir.join(packet::MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
}

mod erased {
    pub trait Line {
        fn text(&self) -> String;
    }

    impl<T: serde::Serialize> Line for T {
        fn text(&self) -> String {
            serde_json::to_string(self).unwrap()
        }
    }
}

#[test]
fn a_packet_is_checked_with_key_and_anchors() {
    let dir = tempfile::tempdir().unwrap();
    let (root, block, before) = folder(&dir.path().join("data/proof"));
    let packet = dir.path().join("packet");
    packet_of(&packet, &root, &block, before);
    let packet = packet.display().to_string();
    let (code, text) = run(&[&packet]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("2 rows in 1 leaves") && text.contains("no anchor given") && text.ends_with("intact\n"), "{text}");

    let key = to_hex(&signing_key().verifying_key().to_bytes());
    let anchors = dir.path().join("mail.txt");
    fs::write(&anchors, format!("Xin chào,\n  {}\n", Anchor::of("n1", 1, &root.hash()).line())).unwrap();
    let anchors = anchors.display().to_string();
    let (code, text) = run(&["--key", &key, "--anchors", &anchors, &packet]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("anchored outside by root 1") && !text.contains("note:"), "{text}");
    let (code, text) = run(&["--json", &packet]);
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["rows"], 2);
    assert_eq!(run(&["--key", &"0".repeat(64), &packet]).0, 1, "another key");

    // A row is changed, and the manifest with it.
    let rows = dir.path().join("packet/rows/0001.parquet");
    let batch = self::rows();
    let forged = RecordBatch::try_from_iter(batch.schema().fields().iter().zip(batch.columns()).map(|(field, column)| {
        let changed = Arc::new(StringViewArray::from(vec!["one", "forged", "three"])) as ArrayRef;
        (field.name().clone(), if field.name() == "event.original" { changed } else { Arc::clone(column) })
    }));
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&forged.unwrap().slice(0, 2)).unwrap();
    let bytes = writer.into_inner().unwrap();
    fs::write(&rows, &bytes).unwrap();
    let (code, text) = run(&[&packet]);
    assert!(code == 1 && text.contains("NOT INTACT: rows/0001.parquet"), "{text}");
    let path = dir.path().join("packet/manifest.json");
    let mut manifest: Manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    (manifest.files[0].bytes, manifest.files[0].blake3) = (bytes.len() as u64, *blake3::hash(&bytes).as_bytes());
    fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
    let (code, text) = run(&[&packet]);
    assert!(code == 1 && text.contains("rows of dvc sshd were changed"), "{text}");
    manifest.files[0].path = "../outside".into();
    fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
    assert!(run(&[&packet]).1.contains("outside of the packet"));
}

#[test]
fn a_proof_folder_is_checked_and_nonsense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (root, _, _) = folder(&dir.path().join("proof"));
    let data = dir.path().display().to_string();
    let (code, text) = run(&[&data]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("1 blocks") && text.contains("not anchored"), "{text}");
    let anchors = dir.path().join("notes");
    let mut other = root.hash();
    other[3] ^= 1;
    fs::write(&anchors, Anchor::of("n1", 1, &other).line()).unwrap();
    let (code, text) = run(&["--anchors", &anchors.display().to_string(), &data]);
    assert!(code == 1 && text.contains("signed anew"), "{text}");
    let journal = dir.path().join("proof/1970-01-01.proof");
    let mut bytes = fs::read(&journal).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let (code, text) = run(&[&data]);
    assert!(code == 1 && text.contains("1970-01-01.proof, byte "), "{text}");

    assert_eq!(run(&["--help"]).0, 0);
    fs::write(&anchors, "no line").unwrap();
    for bad in [vec![], vec!["--what", &data], vec!["--key", "12", &data], vec!["/nowhere/at/all"], vec!["a", "b"]] {
        let (code, text) = run(&bad);
        assert!(code == 2 && text.starts_with("error: "), "{bad:?}: {text}");
    }
    assert_eq!(run(&["--anchors", &anchors.display().to_string(), &data]).0, 2);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(run(&[&empty.path().display().to_string()]).0, 1, "no journal at all is not intact");
}
