//! History through the real pipe: windows of lines become batches by source, sender and moment; the clock stands at the end
//! of each window while its batches are made durable, so that the log's own time is the past's.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use event::{
    Micros, RawBatch,
    seam::{Refused, Sink},
};
use tokio::task::JoinSet;

use super::{
    Line,
    generate::{History, Window, slot},
};

/// Batches on their way at once: enough to fill a commit group, few enough not to fill the queue.
const IN_FLIGHT: usize = 512;
/// How often a batch under pressure is offered again before loading gives up (a minute in all).
const ATTEMPTS: u32 = 600;

/// How far loading has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loaded {
    pub lines: u64,
    pub bytes: u64,
    pub batches: u64,
    /// From 0 to 1, over the calendar.
    pub done: f64,
}

/// Loads a history whole. `set_clock` makes the clock of the store stand at a time; who calls lets it run again afterwards.
pub async fn load(
    mut history: History,
    sink: Arc<dyn Sink>,
    set_clock: impl Fn(Micros),
    mut progress: impl FnMut(Loaded),
) -> Result<Loaded, Refused> {
    let mut loaded = Loaded::default();
    while let Some(Window { end, lines }) = history.next() {
        set_clock(end);
        loaded.lines += lines.len() as u64;
        let batches = batches(&lines);
        loaded.batches += batches.len() as u64;
        let mut receipts = JoinSet::new();
        for batch in batches {
            if receipts.len() >= IN_FLIGHT {
                loaded.bytes += answer(receipts.join_next().await)?;
            }
            receipts.spawn(submit(Arc::clone(&sink), batch));
        }
        // The clock moves on only when all of the window is durable.
        while !receipts.is_empty() {
            loaded.bytes += answer(receipts.join_next().await)?;
        }
        loaded.done = history.done();
        progress(loaded);
    }
    Ok(loaded)
}

/// Groups lines that one sender sent within the same minute. A batch is received when its last line is there.
pub fn batches(lines: &[Line]) -> Vec<RawBatch> {
    let mut batches: Vec<RawBatch> = Vec::new();
    let mut open: HashMap<(&'static str, IpAddr), usize> = HashMap::new();
    for line in lines {
        let key = (line.source, line.sender);
        let at = open.get(&key).copied().filter(|&at| slot(batches[at].received) == slot(line.received));
        let at = at.unwrap_or_else(|| {
            batches.push(RawBatch::new(line.source, Some(line.sender), line.received));
            batches.len() - 1
        });
        open.insert(key, at);
        batches[at].push(line.text.as_bytes());
        batches[at].received = line.received;
    }
    batches
}

fn answer(receipt: Option<Result<Result<u64, Refused>, tokio::task::JoinError>>) -> Result<u64, Refused> {
    match receipt {
        Some(Ok(answer)) => answer,
        Some(Err(error)) => Err(Refused::Failed(format!("a batch was given up: {error}"))),
        None => Ok(0),
    }
}

async fn submit(sink: Arc<dyn Sink>, batch: RawBatch) -> Result<u64, Refused> {
    let bytes = batch.data.len() as u64;
    let mut attempts = 0;
    loop {
        match sink.submit(batch.clone()).await {
            Ok(_) => return Ok(bytes),
            Err(Refused::Pressure { retry_after_ms }) if attempts < ATTEMPTS => {
                attempts += 1;
                tokio::time::sleep(Duration::from_millis(retry_after_ms.clamp(10, 100))).await;
            }
            Err(refused) => return Err(refused),
        }
    }
}
