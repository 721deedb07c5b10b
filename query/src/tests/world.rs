//! A small deterministic province: rows as plain values (for the naive oracle), as hot batches, and as Parquet segments.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    sync::Arc,
};

use bumpalo::Bump;
use datafusion::{
    arrow::record_batch::RecordBatch,
    parquet::{arrow::ArrowWriter, file::properties::WriterProperties},
};
use event::{BlockBuilder, Event, EventBatch, Field, Micros, Role, Scope, Systems, UNASSIGNED, field};
use store::{HotBatch, Segment, Snapshot, SystemClass};
use tempfile::TempDir;

use crate::{
    Collected, Engine, Limits, Source,
    encode::{Nulls, json_rows},
    error::Result,
};

pub const DAY: Micros = 86_400_000_000;
pub const START: Micros = 1_767_225_600_000_000;

#[derive(Clone, Debug)]
pub struct Row {
    pub timestamp: Micros,
    pub id: String,
    pub system: &'static str,
    pub dataset: &'static str,
    pub user: Option<String>,
    pub ip: Option<String>,
    pub port: Option<i64>,
    pub related: Vec<String>,
    pub message: Option<String>,
    pub original: String,
    pub command: Option<String>,
    /// A field outside the catalogue: text that is sometimes a number.
    pub vendor: Option<String>,
    /// The same, but rare: always stored inside `residual`.
    pub rare: Option<String>,
}

impl Row {
    /// Address that delivered the row: one of three, in turn.
    pub fn sender(&self) -> &'static str {
        let number: usize = self.id.split('-').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        ["192.0.2.1", "192.0.2.2", "192.0.2.3"][number % 3]
    }

    /// Every value of a field, as text.
    pub fn values(&self, field: &str) -> Vec<String> {
        let one = |value: &Option<String>| value.iter().cloned().collect();
        match field {
            "user.name" => one(&self.user),
            "source.ip" => one(&self.ip),
            "source.port" => self.port.iter().map(i64::to_string).collect(),
            "related.ip" => self.related.clone(),
            "message" => one(&self.message),
            "event.original" => vec![self.original.clone()],
            "process.command_line" => one(&self.command),
            "fortinet.level" => one(&self.vendor),
            "rare.key" => one(&self.rare),
            "system.id" => vec![self.system.to_owned()],
            "event.dataset" => vec![self.dataset.to_owned()],
            "event.id" => vec![self.id.clone()],
            other => panic!("the oracle does not know {other}"),
        }
    }
}

/// xorshift: the same seed, the same province.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

pub const SYSTEMS: [&str; 4] = ["portal", "mail", "finance", UNASSIGNED];
pub const USERS: [&str; 6] = ["root", "Root", "nguyễn.an", "o'hara", "a%b", "svc_backup"];
pub const IPS: [&str; 6] = ["10.0.0.1", "10.1.2.3", "203.0.113.7", "203.0.113.77", "2001:db8::1", "192.168.1.9"];
pub const WORDS: [&str; 10] =
    ["Failed", "password", "đăng", "nhập", "Nguyễn", "for", "user=root", "\"quoted\"", "203.0.113.7", "C:\\Temp"];

pub fn rows(count: usize, seed: u64) -> Vec<Row> {
    let mut random = Random::new(seed);
    (0..count)
        .map(|at| {
            let mut text = Vec::new();
            for _ in 0..1 + random.below(5) {
                text.push(*random.pick(&WORDS));
            }
            let text = text.join(" ");
            let some = |random: &mut Random, list: &[&str]| (random.below(4) > 0).then(|| (*random.pick(list)).to_owned());
            Row {
                timestamp: START + (at as Micros * 3 * DAY / count as Micros) + random.below(1000) as Micros,
                id: format!("n1-{at}-0"),
                system: random.pick::<&str>(&SYSTEMS),
                dataset: random.pick::<&str>(&["sshd.auth", "nginx.access", "fortinet.traffic"]),
                user: some(&mut random, &USERS),
                ip: some(&mut random, &IPS),
                port: (random.below(3) > 0).then(|| *random.pick(&[22, 80, 443, 1024, 65535])),
                related: (0..random.below(4))
                    .map(|_| (*random.pick(&IPS)).to_owned())
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect(),
                original: format!("<34>host app: {text}"),
                message: (random.below(5) > 0).then_some(text),
                command: some(&mut random, &["rm -rf /", "ls"]),
                vendor: some(&mut random, &["5", "10", "high", "9"]),
                rare: (random.below(5) == 0).then(|| (*random.pick(&["7", "seldom"])).to_owned()),
            }
        })
        .collect()
}

/// Rows as the pipe would make batches of them; those of one dataset stand together.
pub fn batches(rows: &[Row]) -> Vec<EventBatch> {
    let arena = Bump::new();
    let mut event = Event::new(&arena);
    let mut builder = BlockBuilder::new();
    for row in rows {
        event.clear();
        event.set_dataset(row.dataset);
        event.set(field::EVENT_DATASET, row.dataset);
        event.set(field::TIMESTAMP, row.timestamp);
        event.set(field::EVENT_INGESTED, row.timestamp);
        event.set(field::EVENT_ID, arena.alloc_str(&row.id) as &str);
        event.set(field::SYSTEM_ID, row.system);
        event.set(field::LOG_SOURCE_ADDRESS, row.sender());
        event.set(field::EVENT_ORIGINAL, arena.alloc_str(&row.original) as &str);
        let texts = [
            (field::USER_NAME, &row.user),
            (field::MESSAGE, &row.message),
            (field::PROCESS_COMMAND_LINE, &row.command),
            (field::SOURCE_IP, &row.ip),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                event.set(name, arena.alloc_str(value) as &str);
            }
        }
        if let Some(port) = row.port {
            event.set(field::SOURCE_PORT, port);
        }
        for ip in &row.related {
            event.set(field::RELATED_IP, arena.alloc_str(ip) as &str);
        }
        if let Some(vendor) = &row.vendor {
            event.set_extra("fortinet.", "level", arena.alloc_str(vendor) as &str);
        }
        if let Some(rare) = &row.rare {
            event.set(field::RESIDUAL, arena.alloc_str(&format!(r#"{{"rare.key":"{rare}"}}"#)) as &str);
        }
        builder.append(&event);
    }
    builder.finish()
}

fn span(rows: &[&Row]) -> (Micros, Micros) {
    let times = || rows.iter().map(|row| row.timestamp);
    (times().min().unwrap(), times().max().unwrap())
}

fn systems(rows: &[&Row], class: &str) -> Vec<SystemClass> {
    let mut found: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        found.entry(row.system).or_default().push(row);
    }
    let class = |(system, rows): (&str, Vec<&Row>)| SystemClass {
        system: system.to_owned(),
        class: class.to_owned(),
        rows: rows.len() as u64,
        ingested: span(&rows),
    };
    found.into_iter().map(class).collect()
}

fn of<'r>(rows: &'r [Row], dataset: &str) -> Vec<&'r Row> {
    rows.iter().filter(|row| row.dataset == dataset).collect()
}

fn write_segment(dir: &TempDir, number: usize, batch: &EventBatch, rows: &[&Row]) -> Segment {
    let path = dir.path().join(format!("{number}.parquet"));
    // Small groups and pages, so that a few rows already make several.
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(64))
        .set_data_page_row_count_limit(16)
        .set_write_batch_size(16)
        .build();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.batch.schema(), Some(properties)).unwrap();
    writer.write(&batch.batch).unwrap();
    writer.close().unwrap();
    let has_rare = rows.iter().any(|row| row.rare.is_some());
    Segment {
        id: format!("{number}-{}", dir.path().display()),
        location: path.display().to_string(),
        rows: rows.len() as u64,
        bytes: std::fs::metadata(&path).unwrap().len(),
        path,
        checksum: [0; 32],
        sequences: (0, 0),
        timestamp: Some(span(rows)),
        ingested: span(rows),
        datasets: BTreeSet::from([batch.dataset.clone()]),
        systems: systems(rows, &batch.dataset),
        schema: batch.batch.schema(),
        residual_keys: Arc::new(has_rare.then(|| "rare.key".to_owned()).into_iter().collect()),
        residual_complete: true,
        skewed: false,
        level: 0,
        format: 1,
        index: None,
        cold: None,
    }
}

pub struct World {
    pub engine: Arc<Engine>,
    pub rows: Vec<Row>,
    _dir: TempDir,
}

struct Fixed(Arc<Snapshot>);

impl Source for Fixed {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.0.clone()
    }
}

impl World {
    pub fn new(rows: Vec<Row>) -> Self {
        Self::with(rows, Limits::default(), vec![])
    }

    /// The first nine tenths of the rows go to six slices of segments, the rest stays hot.
    pub fn with(rows: Vec<Row>, limits: Limits, tables: Vec<Arc<dyn event::seam::TableSource>>) -> Self {
        let dir = TempDir::new().unwrap();
        let mut snapshot = Snapshot::default();
        let cold = rows.len() * 9 / 10;
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        for slice in rows[..cold].chunks((cold / 6).max(1)) {
            for batch in batches(slice) {
                let rows = of(slice, &batch.dataset);
                let segment = write_segment(&dir, snapshot.segments.len(), &batch, &rows);
                names.extend(segment.extra_names().map(Arc::from));
                snapshot.segments.push(Arc::new(segment));
            }
        }
        for slice in rows[cold..].chunks(50) {
            for batch in batches(slice) {
                let rows = of(slice, &batch.dataset);
                let extra = batch.batch.schema().fields().iter().map(|c| c.name().clone()).collect::<Vec<_>>();
                names.extend(extra.iter().filter(|name| Field::by_name(name).is_none()).map(|name| Arc::from(name.as_str())));
                if rows.iter().any(|row| row.rare.is_some()) {
                    names.insert(Arc::from("rare.key"));
                }
                snapshot.hot.push(Arc::new(HotBatch {
                    systems: systems(&rows, &batch.dataset),
                    timestamp: Some(span(&rows)),
                    ingested: span(&rows),
                    dataset: batch.dataset,
                    batch: batch.batch,
                    through: 0,
                    bytes: 0,
                }));
            }
        }
        snapshot.extra = Arc::new(names);
        let engine = Engine::over(Arc::new(Fixed(Arc::new(snapshot))), tables, limits, [7; 32]).unwrap();
        Self { engine, rows, _dir: dir }
    }

    pub async fn ask(&self, sql: &str) -> Result<Collected> {
        self.ask_as(&admin(), sql).await
    }

    pub async fn ask_as(&self, scope: &Scope, sql: &str) -> Result<Collected> {
        self.engine.sql(scope, sql, None).await?.collect().await
    }

    /// The first column of an answer as text.
    pub async fn column(&self, sql: &str) -> Vec<String> {
        first_column(&self.ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")).batches)
    }
}

pub fn first_column(batches: &[RecordBatch]) -> Vec<String> {
    let rows = json_rows(batches, Nulls::Keep).unwrap();
    rows.into_iter()
        .map(|row| match row.into_iter().next().unwrap().1 {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        })
        .collect()
}

/// An answer as sorted lines, to compare answers.
pub fn lines(answer: &Collected) -> Vec<String> {
    let rows = json_rows(&answer.batches, Nulls::Keep).unwrap();
    let mut lines: Vec<String> = rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    lines.sort();
    lines
}

pub fn admin() -> Scope {
    Scope { actor: "admin".to_owned(), role: Role::Admin, systems: Systems::All }
}

pub fn only(role: Role, systems: &[&str]) -> Scope {
    let ids = systems.iter().map(|id| (*id).to_owned()).collect();
    Scope { actor: role.name().to_owned(), role, systems: Systems::Only(ids) }
}

/// Runs a future on a small runtime of its own.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
