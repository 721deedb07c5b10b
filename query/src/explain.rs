//! Why a question is fast or slow, in plain words: what was left out unread and why, what had to be looked at.
//!
//! Sentences are data (a code, figures, a condition) with their words in both languages. For a restricted asker every figure
//! is about what is in scope; row groups and index hits, which mix systems, are then not told.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use datafusion::{
    execution::{
        SendableRecordBatchStream,
        memory_pool::{FairSpillPool, MemoryPool},
    },
    physical_expr::{PhysicalExpr, split_conjunction, utils::collect_columns},
    physical_plan::{ExecutionPlan, execute_stream},
};
use event::{Scope, field};
use futures::StreamExt;
use tokio::time::timeout;

use crate::{
    engine::{Engine, Given, out_of_time},
    error::Result,
    prune::{keep, prunable, pruning_predicate},
    pushdown::question,
    rows::{AbortOnDrop, vanished},
    scan::{EventsExec, Scan, ScanStats},
};

/// One sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    pub code: &'static str,
    pub figures: Vec<u64>,
    /// The condition or field that the sentence is about.
    pub about: Option<String>,
    pub en: String,
    pub vi: String,
}

/// What a question did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub sentences: Vec<Sentence>,
    /// False when the answer was not read to its end (time, memory): the figures are of the part that was.
    pub complete: bool,
}

#[rustfmt::skip]
const WORDS: &[(&str, &str, &str)] = &[
    ("hot", "{0} batches since the last flush are in memory and are read whole", "{0} lô từ lần ghi gần nhất còn trong bộ nhớ và được đọc hết"),
    ("segments", "{0} segments may hold what you may see", "{0} phân đoạn có thể chứa dữ liệu bạn được xem"),
    ("skipped_time", "{0} of them are skipped: outside the time asked for", "bỏ qua {0} phân đoạn: nằm ngoài thời gian hỏi"),
    ("skipped_system", "{0} of them are skipped: they hold no event of these systems", "bỏ qua {0} phân đoạn: không có sự kiện của các hệ thống này"),
    ("skipped_dataset", "{0} of them are skipped: they hold no event of these datasets", "bỏ qua {0} phân đoạn: không có sự kiện của các tập dữ liệu này"),
    ("skipped_late", "{0} of them were not opened: newer rows already filled the answer", "không cần mở {0} phân đoạn: các dòng mới hơn đã đủ cho kết quả"),
    ("by_catalogue", "skips whole segments: {a}", "giúp bỏ qua cả phân đoạn: {a}"),
    ("by_index", "asks the index, so that only blocks of rows that may match are read: {a}", "tra chỉ mục, chỉ đọc các khối dòng có thể khớp: {a}"),
    ("by_statistics", "skips row groups and pages by their smallest and largest value: {a}", "bỏ qua nhóm dòng và trang theo giá trị nhỏ nhất, lớn nhất: {a}"),
    ("masked", "is tested row by row, because you see this field masked: {a}", "phải thử từng dòng, vì trường này được che với bạn: {a}"),
    ("computed", "is tested row by row, because it is about a computed value, a negation or a text without a fixed part: {a}", "phải thử từng dòng, vì là giá trị tính ra, phủ định hoặc văn bản không có phần cố định: {a}"),
    ("no_condition", "no condition reaches the store: every event is read", "không có điều kiện nào xuống tới kho: mọi sự kiện đều được đọc"),
    ("row_groups", "{0} row groups were skipped by statistics or index", "bỏ qua {0} nhóm dòng nhờ thống kê hoặc chỉ mục"),
    ("index_rows", "{0} rows were ruled out by the index unread", "chỉ mục loại {0} dòng mà không cần đọc"),
    ("rows", "{0} rows were looked at, {1} came out, in {2} ms", "xem {0} dòng, kết quả {1} dòng, hết {2} ms"),
];

fn sentence(code: &'static str, figures: Vec<u64>, about: Option<String>) -> Sentence {
    let (_, en, vi) = WORDS.iter().find(|(known, ..)| *known == code).unwrap_or(&WORDS[0]);
    let fill = |words: &str| {
        let filled =
            figures.iter().enumerate().fold(words.to_owned(), |text, (at, n)| text.replace(&format!("{{{at}}}"), &n.to_string()));
        filled.replace("{a}", about.as_deref().unwrap_or_default())
    };
    let (en, vi) = (fill(en), fill(vi));
    Sentence { code, figures, about, en, vi }
}

impl Engine {
    /// Runs one statement and tells what it read and what it left out. Whether the asker may write SQL is the caller's to
    /// check; a search's own SQL anyone may have explained.
    pub async fn explain(self: &Arc<Self>, scope: &Scope, sql: &str) -> Result<Explanation> {
        let limits = self.limits().clone();
        let turn = self.turn(scope, &limits).await?;
        let Some(runtime) = self.runtime() else { return Err(vanished()) };
        let (engine, scope, sql) = (self.clone(), Arc::new(scope.clone()), sql.to_owned());
        let time = limits.time;
        let run = async move {
            let _turn = turn;
            let pool: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(limits.memory_bytes));
            let (_registered, mut cancelled) = engine.register(pool.clone());
            let stats = Arc::new(ScanStats::default());
            let started = Instant::now();
            let (session, plan) = engine.planned(&scope, &sql, &Given::default(), &limits, pool, &stats).await?;
            let mut sentences = Vec::new();
            scans(&plan, &mut |scan| of_scan(scan, &mut sentences));
            let planned = stats.segments_skipped.load(Relaxed);
            let is_restricted = !scope.sees_all();
            let (rows, complete) = tokio::select! {
                biased;
                reason = &mut cancelled => return Err(reason.unwrap_or_else(|_| vanished())),
                counted = counted(execute_stream(plan, session.state.task_ctx())?, limits.time.saturating_sub(started.elapsed())) => counted?,
            };
            measured(&stats, planned, is_restricted, rows, started, &mut sentences);
            Ok(Explanation { sentences, complete })
        };
        let task = runtime.spawn(run);
        let _task = AbortOnDrop(task.abort_handle());
        let done = timeout(time + Duration::from_secs(1), task).await;
        done.map_err(|_| out_of_time(self.limits()))?.map_err(|_| vanished())?
    }
}

/// Rows of an answer, and whether it came to its end in time.
async fn counted(mut answer: SendableRecordBatchStream, time: Duration) -> Result<(u64, bool)> {
    let mut rows = 0;
    let all = async {
        while let Some(batch) = answer.next().await {
            rows += batch?.num_rows() as u64;
        }
        Ok::<(), crate::Error>(())
    };
    match timeout(time, all).await {
        Ok(done) => done.map(|()| (rows, true)),
        Err(_) => Ok((rows, false)),
    }
}

/// Every scan of events in a plan.
fn scans(plan: &Arc<dyn ExecutionPlan>, tell: &mut dyn FnMut(&Scan)) {
    if let Some(events) = (plan.as_ref() as &dyn std::any::Any).downcast_ref::<EventsExec>() {
        tell(events.scan());
    }
    for child in plan.children() {
        scans(child, tell);
    }
}

/// What a scan's conditions can do before a row is read.
fn of_scan(scan: &Scan, out: &mut Vec<Sentence>) {
    let view = &scan.view;
    out.push(sentence("segments", vec![view.segments.len() as u64], None));
    if !view.rows.is_restricted() {
        out.push(sentence("hot", vec![view.hot.len() as u64], None));
    }
    let Some(filter) = &scan.filter else {
        out.push(sentence("no_condition", vec![], None));
        return;
    };
    let mut left = vec![true; view.segments.len()];
    let mut conditions = Vec::new();
    let mut parts: Vec<_> = split_conjunction(filter).into_iter().map(|part| (class_of(part), part)).collect();
    parts.sort_by_key(|(class, _)| *class);
    let mut skipped = [0_u64; 4];
    for (class, part) in parts {
        let about = Some(text_of(part));
        let Some(plain) = prunable(view, part) else {
            conditions.push(sentence("masked", vec![], about));
            continue;
        };
        let predicate = pruning_predicate(&plain, &view.schema).filter(|predicate| !predicate.always_true());
        if let Some(predicate) = &predicate {
            for (left, keeps) in left.iter_mut().zip(keep(&view.segments, &view.amendments, predicate)) {
                skipped[class as usize] += u64::from(*left && !keeps);
                *left &= keeps;
            }
        }
        let code = match (class, question(&plain).is_some(), predicate.is_some()) {
            (Class::Time | Class::System | Class::Dataset, _, true) => "by_catalogue",
            (_, true, _) => "by_index",
            (_, _, true) => "by_statistics",
            _ => "computed",
        };
        conditions.push(sentence(code, vec![], about));
    }
    for (class, code) in [(Class::Time, "skipped_time"), (Class::System, "skipped_system"), (Class::Dataset, "skipped_dataset")] {
        if skipped[class as usize] > 0 {
            out.push(sentence(code, vec![skipped[class as usize]], None));
        }
    }
    out.extend(conditions);
}

fn measured(stats: &ScanStats, planned: u64, is_restricted: bool, rows: u64, started: Instant, out: &mut Vec<Sentence>) {
    let mut add = |code, n: u64| {
        if n > 0 {
            out.push(sentence(code, vec![n], None));
        }
    };
    add("skipped_late", stats.segments_skipped.load(Relaxed).saturating_sub(planned));
    if !is_restricted {
        add("row_groups", stats.row_groups_skipped.load(Relaxed));
        add("index_rows", stats.index_rows_skipped.load(Relaxed));
    }
    out.push(sentence("rows", vec![stats.rows.load(Relaxed), rows, started.elapsed().as_millis() as u64], None));
}

/// What the catalogue knows of a condition's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Time,
    System,
    Dataset,
    Other,
}

fn class_of(part: &Arc<dyn PhysicalExpr>) -> Class {
    let columns = collect_columns(part);
    let only = |names: &[&str]| !columns.is_empty() && columns.iter().all(|column| names.contains(&column.name()));
    if only(&[field::TIMESTAMP.name(), field::EVENT_INGESTED.name()]) {
        Class::Time
    } else if only(&[field::SYSTEM_ID.name()]) {
        Class::System
    } else if only(&[field::EVENT_DATASET.name()]) {
        Class::Dataset
    } else {
        Class::Other
    }
}

/// Longest condition that is shown, in characters.
const ABOUT_MAX: usize = 200;

/// A condition without the engine's column numbers.
fn text_of(part: &Arc<dyn PhysicalExpr>) -> String {
    let whole = part.to_string();
    let mut out = String::new();
    let mut chars = whole.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '@' && chars.peek().is_some_and(char::is_ascii_digit) {
            while chars.next_if(char::is_ascii_digit).is_some() {}
            continue;
        }
        out.push(c);
    }
    match out.char_indices().nth(ABOUT_MAX) {
        Some((end, _)) => format!("{}…", &out[..end]),
        None => out,
    }
}
