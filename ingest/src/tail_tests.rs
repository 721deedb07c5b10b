//! Files that grow, rotate and vanish under a running tail.

use std::{fs::OpenOptions, io::Write, time::Duration};

use tempfile::TempDir;

use super::*;
use crate::{
    settings::SourceSettings,
    testing::{MemorySink, context, until},
    units::Span,
};

struct Bench {
    dir: TempDir,
    context: Context,
    sink: Arc<MemorySink>,
}

struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let files = vec![dir.path().join("*.log*").to_str().unwrap().to_owned()];
    let (context, sink) = context(&[SourceSettings { files, ..SourceSettings::named("app") }]);
    Bench { dir, context, sink }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn start(&self) -> Running {
        let settings = FileSettings { poll_interval: Span::millis(5), scan_interval: Span::millis(20), ..Default::default() };
        let stop = CancellationToken::new();
        let task = tokio::spawn(Tail::new(self.context.clone(), &settings).run(stop.clone()));
        Running { stop, task }
    }

    async fn holds(&self, expected: &[&str]) {
        let begun = Instant::now();
        while self.sink.records() != expected && begun.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(self.sink.records(), expected);
    }
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_come_as_they_are_ended() {
    let bench = bench();
    let running = bench.start();
    bench.append("a.log", "one\ntw");
    bench.holds(&["one"]).await;
    bench.append("a.log", "o\nthree\n");
    bench.holds(&["one", "two", "three"]).await;
    assert!(bench.sink.batches.lock().unwrap().iter().all(|b| b.source == "app" && b.cursor.is_some()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_reads_on_exactly_once() {
    let bench = bench();
    bench.append("a.log", "one\ntwo\npart");
    let running = bench.start();
    bench.holds(&["one", "two"]).await;
    running.stop().await;
    bench.append("a.log", "ly\nthree\n");
    let running = bench.start();
    bench.holds(&["one", "two", "partly", "three"]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_by_renaming() {
    let bench = bench();
    let running = bench.start();
    bench.append("a.log", "one\n");
    bench.holds(&["one"]).await;
    // The writer keeps its handle for a while, as daemons do until they are told.
    let mut writer = OpenOptions::new().append(true).open(bench.path("a.log")).unwrap();
    fs::rename(bench.path("a.log"), bench.path("a.log.1")).unwrap();
    writer.write_all(b"two\n").unwrap();
    bench.holds(&["one", "two"]).await;
    bench.append("a.log", "three\n");
    bench.holds(&["one", "two", "three"]).await;
    // Compressed siblings are what was read already.
    fs::write(bench.path("a.log.2.gz"), "never\n").unwrap();
    // Out of the glob's sight: the last words are still read, even without a line end.
    writer.write_all(b"last words").unwrap();
    fs::rename(bench.path("a.log.1"), bench.path("elsewhere")).unwrap();
    bench.holds(&["one", "two", "three", "last words"]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_by_copy_and_truncate() {
    let bench = bench();
    let running = bench.start();
    bench.append("a.log", "one\ntwo is a longer line\n");
    bench.holds(&["one", "two is a longer line"]).await;
    OpenOptions::new().write(true).truncate(true).open(bench.path("a.log")).unwrap();
    bench.append("a.log", "three\n");
    bench.holds(&["one", "two is a longer line", "three"]).await;
    // Truncated and at once filled further than before: the first line tells.
    let longer = "four, and much longer than all that was in the file before\n".repeat(2);
    fs::write(bench.path("a.log"), &longer).unwrap();
    let line = longer.lines().next().unwrap();
    bench.holds(&["one", "two is a longer line", "three", line, line]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pressure_pauses_and_closing_ends() {
    let bench = bench();
    *bench.sink.refuse.lock().unwrap() = Some(Refused::Pressure { retry_after_ms: 5 });
    bench.append("a.log", "one\n");
    let running = bench.start();
    let asked = Arc::clone(&bench.sink);
    until("it was refused a few times", || asked.asked.load(std::sync::atomic::Ordering::Relaxed) > 3).await;
    *bench.sink.refuse.lock().unwrap() = None;
    bench.holds(&["one"]).await;
    *bench.sink.refuse.lock().unwrap() = Some(Refused::Closing);
    bench.append("a.log", "two\n");
    running.stop().await;
    *bench.sink.refuse.lock().unwrap() = None;
    let running = bench.start();
    bench.holds(&["one", "two"]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_are_bounded() {
    let bench = bench();
    for i in 0..5 {
        bench.append(&format!("{i}.log"), "x\n");
    }
    let settings = FileSettings { files_max: 3, poll_interval: Span::millis(5), ..Default::default() };
    let stop = CancellationToken::new();
    let task = tokio::spawn(Tail::new(bench.context.clone(), &settings).run(stop.clone()));
    bench.holds(&["x", "x", "x"]).await;
    assert_eq!(bench.context.metrics.of("file", "app").errors.load(std::sync::atomic::Ordering::Relaxed), 2);
    stop.cancel();
    task.await.unwrap();
}
