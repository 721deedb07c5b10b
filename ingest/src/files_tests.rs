//! Files on disk, honest and hostile; EVTX where the shared samples are.

use std::{fs, io::Write};

use tempfile::TempDir;

use super::*;
use crate::{
    decompress::tests::{gzip, zstd},
    testing::{MemorySink, context},
    units::Bytes,
};

struct Bench {
    dir: TempDir,
    context: Context,
    sink: Arc<MemorySink>,
}

fn bench() -> Bench {
    let (context, sink) = context(&[]);
    Bench { dir: tempfile::tempdir().unwrap(), context, sink }
}

impl Bench {
    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    async fn ingest(&self, path: &Path, settings: &FileSettings) -> Summary {
        ingest(path, "web", &self.context, settings, &CancellationToken::new(), |_| {}).await.unwrap()
    }
}

fn lines(n: usize) -> String {
    (0..n).map(|i| format!("line {i} of a log that has so many lines\n")).collect()
}

#[tokio::test]
async fn all_kinds_give_the_same_lines_once() {
    let text = lines(20_000);
    for (name, bytes) in [
        ("a.log", text.clone().into_bytes()),
        ("a.log.gz", gzip(text.as_bytes())),
        ("a.log.zst", zstd(text.as_bytes())),
        ("a.log.gz.zst", zstd(&gzip(text.as_bytes()))),
    ] {
        let bench = bench();
        let path = bench.write(name, &bytes);
        let mut seen = Vec::new();
        let settings = FileSettings::default();
        let stop = CancellationToken::new();
        let summary = ingest(&path, "web", &bench.context, &settings, &stop, |p| seen.push(p)).await.unwrap();
        assert_eq!((summary.trouble, summary.progress.records), (None, 20_000), "{name}");
        assert_eq!(bench.sink.records().join("\n") + "\n", text, "{name}");
        let last = seen.last().unwrap();
        assert_eq!((last.read_bytes, last.total_bytes), (bytes.len() as u64, bytes.len() as u64), "{name}");
        // The second time there is nothing to do, whatever the file is called now.
        let other = bench.dir.path().join("renamed");
        fs::rename(&path, &other).unwrap();
        assert_eq!(bench.ingest(&other, &settings).await.progress.records, 0, "{name}");
        assert_eq!(bench.sink.len(), 20_000, "{name}");
    }
}

#[tokio::test]
async fn an_interrupted_file_is_resumed() {
    let text = lines(100_000);
    for (name, bytes) in [("b.log", text.clone().into_bytes()), ("b.log.gz", gzip(text.as_bytes()))] {
        let bench = bench();
        let path = bench.write(name, &bytes);
        let (settings, stop) = (FileSettings::default(), CancellationToken::new());
        let interrupted = {
            let stop = stop.clone();
            ingest(&path, "web", &bench.context, &settings, &stop.clone(), move |_| stop.cancel()).await
        };
        assert!(matches!(interrupted, Err(Error::Refused { .. })), "{name}: {interrupted:?}");
        let stored = bench.sink.len();
        assert!(stored > 0 && stored < 100_000, "{name}: {stored}");
        let summary = bench.ingest(&path, &settings).await;
        assert!(summary.progress.resumed_at > 0);
        assert_eq!(bench.sink.records().join("\n") + "\n", text, "{name}");
    }
}

#[tokio::test]
async fn a_file_that_has_grown_gives_what_is_new() {
    let bench = bench();
    let path = bench.write("c.log", b"one\r\ntwo\n\nthree");
    bench.ingest(&path, &FileSettings::default()).await;
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\nfour\n").unwrap();
    bench.ingest(&path, &FileSettings::default()).await;
    assert_eq!(bench.sink.records(), ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn a_file_emptied_and_filled_anew_is_read_from_its_start() {
    let bench = bench();
    let path = bench.write("d.log", b"#header\none\ntwo\nthree\n");
    bench.ingest(&path, &FileSettings::default()).await;
    for round in ["four", "five"] {
        fs::write(&path, format!("#header\n{round}\n")).unwrap();
        bench.ingest(&path, &FileSettings::default()).await;
        fs::write(&path, "#header\n").unwrap();
        bench.ingest(&path, &FileSettings::default()).await;
    }
    assert_eq!(
        bench.sink.records(),
        // "five" came behind a header that was read already: that is a file which has grown.
        ["#header", "one", "two", "three", "#header", "four", "#header", "five", "#header"]
    );
}

#[tokio::test]
async fn hostile_files_are_cut_bounded_and_counted() {
    let settings = FileSettings { line_max: Bytes(1000), ratio_max: 100, unpacked_max: Bytes::mib(8), ..Default::default() };
    let bench = bench();
    // A line without end.
    let endless = bench.write("endless.log", &[b"first\n".as_slice(), &vec![b'x'; 3 << 20], b"\nlast\n"].concat());
    bench.ingest(&endless, &settings).await;
    assert_eq!(bench.sink.records(), ["first".to_owned(), "x".repeat(1000), "last".into()]);
    assert_eq!(bench.context.metrics.of("file", "web").cut_bytes.load(std::sync::atomic::Ordering::Relaxed), (3 << 20) - 1000);
    // A bomb: what came before it is kept.
    let mut bomb = b"before\n".to_vec();
    bomb.resize(6 << 20, b'\n');
    let bomb = bench.write("bomb.gz", &gzip(&bomb));
    let summary = bench.ingest(&bomb, &settings).await;
    assert!(summary.trouble.unwrap().contains("bomb"));
    assert_eq!(summary.refused, [(RefusedReason::Limit, 1)]);
    assert_eq!(bench.sink.records().last().unwrap(), "before");
    // Truncated: whole lines before the break are kept, the break is counted once, however often one tries.
    let packed = gzip(lines(50_000).as_bytes());
    let truncated = bench.write("truncated.gz", &packed[..packed.len() - 20]);
    let summary = bench.ingest(&truncated, &settings).await;
    assert!(summary.trouble.unwrap().contains("broken compressed data"));
    assert_eq!(summary.refused, [(RefusedReason::Malformed, 1)]);
    assert!(summary.progress.records > 40_000);
    assert_eq!(bench.ingest(&truncated, &settings).await.refused, []);
    // Nested too deep, and not what its first bytes say.
    let nested = bench.write("nested.gz", &gzip(&gzip(&gzip(b"x"))));
    assert_eq!(bench.ingest(&nested, &settings).await.refused, [(RefusedReason::Limit, 1)]);
    let liar = bench.write("liar.gz", b"\x1f\x8bnothing of the kind");
    assert_eq!(bench.ingest(&liar, &settings).await.refused, [(RefusedReason::Malformed, 1)]);
    let evtx = bench.write("liar.evtx", b"ElfFile\0nothing of the kind");
    let error = ingest(&evtx, "web", &bench.context, &settings, &CancellationToken::new(), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("not a readable EVTX file"), "{error}");
    assert_eq!(bench.sink.refused(), [("limit", 2), ("malformed", 2)].into());
}

#[tokio::test]
async fn a_missing_file_is_one_sentence() {
    let bench = bench();
    let path = bench.dir.path().join("no-such.log");
    let error = ingest(&path, "web", &bench.context, &FileSettings::default(), &CancellationToken::new(), |_| {}).await;
    assert_eq!(error.unwrap_err().to_string(), format!("failed to open {}", path.display()));
}

/// The first EVTX file of the shared samples, which are no part of the project.
fn sample_evtx() -> Option<Vec<u8>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let shared = std::env::var("CHIENG_SHARED").unwrap_or_else(|_| default.into());
    let archive = fs::read(Path::new(&shared).join("data/windows/sigma_regression_evtx.tar.zst")).ok()?;
    let tar = zstd::decode_all(archive.as_slice()).unwrap();
    let mut rest = tar.as_slice();
    // POSIX ustar: 512-byte header with name and octal size, then the content padded to 512.
    while rest.len() >= 512 && rest[0] != 0 {
        let name = String::from_utf8_lossy(&rest[..100]).trim_end_matches('\0').to_owned();
        let size = usize::from_str_radix(String::from_utf8_lossy(&rest[124..135]).trim(), 8).unwrap();
        if name.ends_with(".evtx") && rest[512..].starts_with(b"ElfFile\0") {
            return Some(rest[512..512 + size].to_vec());
        }
        rest = &rest[(512 + size.next_multiple_of(512)).min(rest.len())..];
    }
    None
}

#[tokio::test]
async fn evtx_gives_one_json_record_an_event() {
    let Some(evtx) = sample_evtx() else {
        eprintln!("skipped: no shared EVTX samples (CHIENG_SHARED)");
        return;
    };
    let bench = bench();
    let path = bench.write("Security.evtx", &evtx);
    let summary = bench.ingest(&path, &FileSettings::default()).await;
    assert_eq!(summary.trouble, None);
    let records = bench.sink.records();
    assert!(!records.is_empty());
    for record in &records {
        let json: serde_json::Value = serde_json::from_str(record).unwrap();
        assert!(json["Event"]["System"]["EventRecordID"].is_number(), "{record}");
        assert!(!record.contains('\n'));
    }
    assert_eq!(bench.ingest(&path, &FileSettings::default()).await.progress.resumed_at, OFFSET_DONE);
    // The same file compressed holds the same records; it is another file.
    let packed = bench.write("Security.evtx.gz", &gzip(&evtx));
    bench.ingest(&packed, &FileSettings::default()).await;
    assert_eq!(bench.sink.records(), [records.clone(), records].concat());
    // Broken inside: the good chunks stand, the rest is counted, nothing panics.
    let mut broken = evtx.clone();
    let len = broken.len();
    for at in (4096 + 600..len).step_by(997) {
        broken[at] ^= 0xff;
    }
    let path = bench.write("broken.evtx", &broken);
    if let Ok(summary) = ingest(&path, "web", &bench.context, &FileSettings::default(), &CancellationToken::new(), |_| {}).await {
        assert!(summary.trouble.is_some());
        assert!(!summary.refused.is_empty());
    }
}
