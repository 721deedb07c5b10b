//! [`Catalogue`] in SQLite: WAL mode, `synchronous = FULL`, so that a commit is on disk when it returns.
//!
//! Lists inside a segment row (datasets, systems, residual keys, columns) are JSON text: they are read whole at start and never
//! searched in SQL. Column lists repeat, so each distinct one is stored once.

mod cold;
mod holds;

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use event::{Micros, catalogue::timestamp_type};
use sqlx::{
    Row, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use crate::{
    ColdFile, Error, Hold, IndexFile, Result, Segment, SystemClass,
    catalogue::{Catalogue, Loaded, Publication, RollUp, Tombstone, TombstoneSystem},
    hold::{NewHold, Release},
    ledger::{Counts, LedgerRow, REASONS},
    proof::Attempt,
    wal::index::{FilePosition, SeenKey},
};

/// Steps that bring a catalogue up to date, oldest first. Never edit one that was released; the version is their number.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE cursor (
    id INTEGER PRIMARY KEY CHECK (id = 1), through INTEGER NOT NULL, ingested INTEGER NOT NULL, salt INTEGER NOT NULL
);
CREATE TABLE columns (id INTEGER PRIMARY KEY, list TEXT NOT NULL UNIQUE);
CREATE TABLE segment (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, location TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
    checksum BLOB NOT NULL, after INTEGER NOT NULL, through INTEGER NOT NULL, timestamp_min INTEGER, timestamp_max INTEGER,
    ingested_min INTEGER NOT NULL, ingested_max INTEGER NOT NULL, datasets TEXT NOT NULL, systems TEXT NOT NULL,
    columns INTEGER NOT NULL REFERENCES columns (id), residual_keys TEXT NOT NULL, residual_complete INTEGER NOT NULL,
    skewed INTEGER NOT NULL
);
CREATE TABLE ledger (
    minute INTEGER NOT NULL, source TEXT NOT NULL, span_seconds INTEGER NOT NULL, received INTEGER NOT NULL,
    parsed INTEGER NOT NULL, quarantined INTEGER NOT NULL, merged INTEGER NOT NULL, events INTEGER NOT NULL,
    refused_kernel_drop INTEGER NOT NULL, refused_pressure INTEGER NOT NULL, refused_limit INTEGER NOT NULL,
    refused_malformed INTEGER NOT NULL, PRIMARY KEY (minute, source, span_seconds)
) WITHOUT ROWID;
CREATE TABLE file_position (
    source TEXT NOT NULL, file TEXT NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (source, file)
) WITHOUT ROWID;
CREATE TABLE seen_key (
    hash BLOB PRIMARY KEY, sequence INTEGER NOT NULL, records INTEGER NOT NULL, ingested INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX seen_key_ingested ON seen_key (ingested);
CREATE TABLE tombstone (
    number INTEGER PRIMARY KEY, segment TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, checksum TEXT NOT NULL,
    after INTEGER NOT NULL, through INTEGER NOT NULL, ingested_min INTEGER NOT NULL, ingested_max INTEGER NOT NULL,
    systems TEXT NOT NULL, dropped_at INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL
);
",
    "
ALTER TABLE segment ADD COLUMN level INTEGER NOT NULL DEFAULT 0;
ALTER TABLE segment ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
ALTER TABLE segment ADD COLUMN index_location TEXT;
ALTER TABLE segment ADD COLUMN index_bytes INTEGER;
",
    "
CREATE TABLE hold (
    id INTEGER PRIMARY KEY AUTOINCREMENT, system TEXT, class TEXT, ingested_from INTEGER, ingested_to INTEGER, reason TEXT NOT NULL,
    placed_by TEXT NOT NULL, placed_at INTEGER NOT NULL, released_at INTEGER, released_by TEXT, release_reason TEXT
);
",
    "
ALTER TABLE segment ADD COLUMN cold TEXT;
CREATE TABLE cold_object (url TEXT PRIMARY KEY) WITHOUT ROWID;
",
    "
CREATE TABLE proof (id INTEGER PRIMARY KEY CHECK (id = 1), cursor TEXT NOT NULL);
CREATE TABLE proof_attempt (
    number INTEGER PRIMARY KEY, root INTEGER NOT NULL, hash BLOB NOT NULL, target TEXT NOT NULL, at INTEGER NOT NULL,
    is_taken INTEGER NOT NULL, detail TEXT NOT NULL
);
",
];

const LEDGER_UPSERT: &str = "
INSERT INTO ledger (minute, source, span_seconds, received, parsed, quarantined, merged, events,
    refused_kernel_drop, refused_pressure, refused_limit, refused_malformed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET received = received + excluded.received, parsed = parsed + excluded.parsed,
    quarantined = quarantined + excluded.quarantined, merged = merged + excluded.merged, events = events + excluded.events,
    refused_kernel_drop = refused_kernel_drop + excluded.refused_kernel_drop,
    refused_pressure = refused_pressure + excluded.refused_pressure,
    refused_limit = refused_limit + excluded.refused_limit,
    refused_malformed = refused_malformed + excluded.refused_malformed";

/// Copies rows of span ?1 before time ?3 into rows of span ?2.
const ROLL_UP: &str = "
INSERT INTO ledger (minute, source, span_seconds, received, parsed, quarantined, merged, events,
    refused_kernel_drop, refused_pressure, refused_limit, refused_malformed)
SELECT minute - ((minute % (?2 * 1000000)) + ?2 * 1000000) % (?2 * 1000000) AS start, source, ?2, sum(received), sum(parsed),
    sum(quarantined), sum(merged), sum(events), sum(refused_kernel_drop), sum(refused_pressure), sum(refused_limit),
    sum(refused_malformed)
FROM ledger WHERE span_seconds = ?1 AND minute < ?3 GROUP BY start, source
ON CONFLICT DO UPDATE SET received = received + excluded.received, parsed = parsed + excluded.parsed,
    quarantined = quarantined + excluded.quarantined, merged = merged + excluded.merged, events = events + excluded.events,
    refused_kernel_drop = refused_kernel_drop + excluded.refused_kernel_drop,
    refused_pressure = refused_pressure + excluded.refused_pressure,
    refused_limit = refused_limit + excluded.refused_limit,
    refused_malformed = refused_malformed + excluded.refused_malformed";

/// The catalogue in one SQLite file.
#[derive(Debug)]
pub struct SqliteCatalogue {
    pool: SqlitePool,
}

impl SqliteCatalogue {
    /// Opens the file, creating it when missing, and brings it up to date.
    pub async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let opened = SqlitePoolOptions::new().max_connections(2).connect_with(options).await;
        let catalogue = Self { pool: opened.map_err(Error::catalogue("open"))? };
        catalogue.migrate().await?;
        Ok(catalogue)
    }

    /// Opens an existing catalogue without changing it, also beside the program that writes it.
    pub async fn open_to_read(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(Duration::from_secs(10));
        let pool = || SqlitePoolOptions::new().max_connections(1);
        let opened = match pool().connect_with(options.clone()).await {
            // On a medium that cannot be written nobody else writes either.
            Err(_) if !path.with_extension("sqlite-wal").exists() => pool().connect_with(options.immutable(true)).await,
            other => other,
        };
        let catalogue = Self { pool: opened.map_err(Error::catalogue("open"))? };
        let found: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&catalogue.pool).await.map_err(Error::catalogue("read"))?;
        let known = MIGRATIONS.len() as i64;
        if found == known { Ok(catalogue) } else { Err(Error::Version { found, known }) }
    }

    async fn migrate(&self) -> Result<()> {
        let failed = Error::catalogue;
        let mut tx = self.pool.begin().await.map_err(failed("migrate"))?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await.map_err(failed("migrate"))?;
        let known = MIGRATIONS.len() as i64;
        if found > known {
            return Err(Error::Version { found, known });
        }
        for step in &MIGRATIONS[found as usize..] {
            sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(failed("migrate"))?;
        }
        // The number is ours, not input; PRAGMA takes no bound parameter.
        let version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {known}"));
        sqlx::raw_sql(version).execute(&mut *tx).await.map_err(failed("migrate"))?;
        // The standard library's random keys come from the operating system: nobody outside this server knows them.
        let salt = RandomState::new().hash_one(0_u8);
        sqlx::query("INSERT INTO cursor (id, through, ingested, salt) VALUES (1, 0, 0, ?) ON CONFLICT DO NOTHING")
            .bind(salt as i64)
            .execute(&mut *tx)
            .await
            .map_err(failed("migrate"))?;
        tx.commit().await.map_err(failed("migrate"))
    }

    async fn load_rows(&self, keys_max: usize) -> Result<Loaded, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let cursor = sqlx::query("SELECT through, ingested, salt FROM cursor").fetch_one(&mut *tx).await?;
        let mut schemas = HashMap::new();
        for row in sqlx::query("SELECT id, list FROM columns").fetch_all(&mut *tx).await? {
            schemas.insert(row.try_get::<i64, _>("id")?, parse_columns(row.try_get("list")?)?);
        }
        let rows = sqlx::query("SELECT * FROM segment ORDER BY number").fetch_all(&mut *tx).await?;
        let mut keys = HashMap::new();
        let segments = rows.iter().map(|row| read_segment(row, &schemas, &mut keys)).collect::<Result<_, _>>()?;
        let rows = sqlx::query("SELECT source, file, offset FROM file_position").fetch_all(&mut *tx).await?;
        let position = |row: &SqliteRow| {
            let offset = row.try_get::<i64, _>("offset")? as u64;
            Ok(FilePosition { source: row.try_get("source")?, file: row.try_get("file")?, offset })
        };
        let positions = rows.iter().map(position).collect::<Result<_, sqlx::Error>>()?;
        let newest = "SELECT hash, sequence, records, ingested FROM seen_key ORDER BY sequence DESC LIMIT ?";
        let rows = sqlx::query(newest).bind(keys_max as i64).fetch_all(&mut *tx).await?;
        let keys = rows.iter().rev().map(read_key).collect::<Result<_, _>>()?;
        Ok(Loaded {
            through: cursor.try_get::<i64, _>("through")? as u64,
            ingested: cursor.try_get("ingested")?,
            salt: cursor.try_get::<i64, _>("salt")? as u64,
            segments,
            positions,
            keys,
        })
    }

    async fn ledger_rows(&self) -> Result<(u64, Vec<LedgerRow>), sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let through: i64 = sqlx::query_scalar("SELECT through FROM cursor").fetch_one(&mut *tx).await?;
        let rows = sqlx::query("SELECT * FROM ledger ORDER BY minute, source").fetch_all(&mut *tx).await?;
        let mut sources: HashMap<String, Arc<str>> = HashMap::new();
        let ledger = rows.iter().map(|row| read_ledger(row, &mut sources)).collect::<Result<_, _>>()?;
        Ok((through as u64, ledger))
    }
}

#[async_trait::async_trait]
impl Catalogue for SqliteCatalogue {
    async fn load(&self, keys_max: usize) -> Result<Loaded> {
        self.load_rows(keys_max).await.map_err(Error::catalogue("read"))
    }

    async fn publish(&self, publication: Publication) -> Result<()> {
        let failed = Error::catalogue;
        let mut tx = self.pool.begin().await.map_err(failed("write to"))?;
        let moved = sqlx::query("UPDATE cursor SET through = ?, ingested = max(ingested, ?) WHERE through = ?")
            .bind(publication.through as i64)
            .bind(publication.ingested)
            .bind(publication.after as i64)
            .execute(&mut *tx)
            .await
            .map_err(failed("write to"))?;
        if moved.rows_affected() != 1 {
            drop(tx);
            return Err(Error::CursorMoved { found: self.through().await?, expected: publication.after });
        }
        write(&mut tx, &publication).await.map_err(failed("write to"))?;
        if let Some(cursor) = &publication.proof {
            crate::proof::save_cursor(&mut tx, cursor).await.map_err(failed("write to"))?;
        }
        tx.commit().await.map_err(failed("commit to"))
    }

    async fn through(&self) -> Result<u64> {
        let through: i64 =
            sqlx::query_scalar("SELECT through FROM cursor").fetch_one(&self.pool).await.map_err(Error::catalogue("read"))?;
        Ok(through as u64)
    }

    async fn ledger(&self) -> Result<(u64, Vec<LedgerRow>)> {
        self.ledger_rows().await.map_err(Error::catalogue("read"))
    }

    async fn roll_up_ledger(&self, at: RollUp) -> Result<()> {
        let failed = Error::catalogue;
        let mut tx = self.pool.begin().await.map_err(failed("roll up the ledger in"))?;
        for (from, to, before) in [(60_i64, 3600_i64, at.hours_before), (3600, 86_400, at.days_before)] {
            // Whole spans only: the running hour or day stays as it is.
            let before = before - before.rem_euclid(to * 1_000_000);
            let copied = sqlx::query(ROLL_UP).bind(from).bind(to).bind(before).execute(&mut *tx).await;
            copied.map_err(failed("roll up the ledger in"))?;
            let removed = sqlx::query("DELETE FROM ledger WHERE span_seconds = ? AND minute < ?").bind(from).bind(before);
            removed.execute(&mut *tx).await.map_err(failed("roll up the ledger in"))?;
        }
        tx.commit().await.map_err(failed("commit to"))
    }

    async fn drop_segments(&self, tombstones: &[Tombstone]) -> Result<()> {
        let failed = Error::catalogue;
        // At once the writer: a transaction that only becomes one later is refused when another wrote meanwhile.
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed("write to"))?;
        for tombstone in tombstones {
            // A commit whose answer was lost: the segment is gone, and its record is written.
            let is_there: i64 = sqlx::query_scalar("SELECT count(*) FROM segment WHERE id = ?")
                .bind(&tombstone.segment)
                .fetch_one(&mut *tx)
                .await
                .map_err(failed("read"))?;
            if is_there == 0 {
                continue;
            }
            bury(&mut tx, tombstone).await.map_err(failed("write to"))?;
        }
        sqlx::query("DELETE FROM columns WHERE id NOT IN (SELECT columns FROM segment)")
            .execute(&mut *tx)
            .await
            .map_err(failed("write to"))?;
        tx.commit().await.map_err(failed("commit to"))
    }

    async fn replace_segments(&self, gone: &[String], new: &[Segment]) -> Result<()> {
        let failed = Error::catalogue;
        let mut tx = self.pool.begin().await.map_err(failed("write to"))?;
        for id in gone {
            cold::note_gone(&mut tx, id).await.map_err(failed("write to"))?;
            let removed = sqlx::query("DELETE FROM segment WHERE id = ?").bind(id).execute(&mut *tx).await;
            if removed.map_err(failed("write to"))?.rows_affected() != 1 {
                return Err(Error::SegmentGone { segment: id.clone() });
            }
        }
        for segment in new {
            write_segment(&mut tx, segment).await.map_err(failed("write to"))?;
        }
        let unused = "DELETE FROM columns WHERE id NOT IN (SELECT columns FROM segment)";
        sqlx::query(unused).execute(&mut *tx).await.map_err(failed("write to"))?;
        tx.commit().await.map_err(failed("commit to"))
    }

    async fn has_segment(&self, id: &str) -> Result<bool> {
        let found: i64 = sqlx::query_scalar("SELECT count(*) FROM segment WHERE id = ?")
            .bind(id)
            .fetch_one(&self.pool)
            .await
            .map_err(Error::catalogue("read"))?;
        Ok(found > 0)
    }

    async fn tombstones(&self) -> Result<Vec<Tombstone>> {
        let rows = sqlx::query("SELECT * FROM tombstone ORDER BY number").fetch_all(&self.pool).await;
        let rows = rows.map_err(Error::catalogue("read"))?;
        rows.iter().map(read_tombstone).collect::<Result<_, _>>().map_err(Error::catalogue("read"))
    }

    async fn holds(&self) -> Result<Vec<Hold>> {
        holds::all(&self.pool).await
    }

    async fn place_hold(&self, hold: &NewHold, now: Micros) -> Result<Hold> {
        holds::place(&self.pool, hold, now).await
    }

    async fn release_hold(&self, id: u64, release: &Release) -> Result<Hold> {
        holds::release(&self.pool, id, release).await
    }

    async fn note_cold(&self, url: &str) -> Result<()> {
        cold::note(&self.pool, url).await
    }

    async fn make_cold(&self, id: &str, url: &str) -> Result<()> {
        cold::make(&self.pool, id, url).await
    }

    async fn cold_garbage(&self) -> Result<Vec<String>> {
        cold::garbage(&self.pool).await
    }

    async fn forget_cold(&self, url: &str) -> Result<()> {
        cold::forget(&self.pool, url).await
    }

    async fn tombstones_after(&self, count: u64) -> Result<Vec<Tombstone>> {
        // They are numbered from 1 and never removed.
        let all = "SELECT * FROM tombstone WHERE number > ? ORDER BY number";
        let rows = sqlx::query(all).bind(count as i64).fetch_all(&self.pool).await.map_err(Error::catalogue("read"))?;
        rows.iter().map(read_tombstone).collect::<Result<_, _>>().map_err(Error::catalogue("read"))
    }

    async fn proof_cursor(&self) -> Result<Option<String>> {
        crate::proof::cursor(&self.pool).await.map_err(Error::catalogue("read"))
    }

    async fn set_proof_cursor(&self, cursor: &str) -> Result<()> {
        crate::proof::set_cursor(&self.pool, cursor).await.map_err(Error::catalogue("write to"))
    }

    async fn add_proof_attempt(&self, attempt: &Attempt) -> Result<()> {
        crate::proof::add_attempt(&self.pool, attempt).await.map_err(Error::catalogue("write to"))
    }

    async fn proof_attempts(&self, count_max: u32) -> Result<Vec<Attempt>> {
        crate::proof::attempts(&self.pool, count_max).await.map_err(Error::catalogue("read"))
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

async fn write(tx: &mut Transaction<'_, Sqlite>, publication: &Publication) -> Result<(), sqlx::Error> {
    for segment in &publication.segments {
        write_segment(tx, segment).await?;
    }
    for row in &publication.ledger {
        let counts = &row.counts;
        let mut query = sqlx::query(LEDGER_UPSERT).bind(row.minute).bind(&*row.source).bind(row.span_seconds);
        let numbers = [counts.received, counts.parsed, counts.quarantined, counts.merged, counts.events];
        for number in numbers.into_iter().chain(counts.refused) {
            query = query.bind(number as i64);
        }
        query.execute(&mut **tx).await?;
    }
    for position in &publication.positions {
        sqlx::query("INSERT INTO file_position VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET offset = excluded.offset")
            .bind(&position.source)
            .bind(&position.file)
            .bind(position.offset as i64)
            .execute(&mut **tx)
            .await?;
    }
    for key in &publication.keys {
        sqlx::query("INSERT OR REPLACE INTO seen_key VALUES (?, ?, ?, ?)")
            .bind(key.hash.to_le_bytes().to_vec())
            .bind(key.sequence as i64)
            .bind(i64::from(key.records))
            .bind(key.ingested)
            .execute(&mut **tx)
            .await?;
    }
    sqlx::query("DELETE FROM seen_key WHERE ingested < ?").bind(publication.keys_since).execute(&mut **tx).await?;
    Ok(())
}

async fn write_segment(tx: &mut Transaction<'_, Sqlite>, segment: &Segment) -> Result<(), sqlx::Error> {
    let columns = format_columns(&segment.schema)?;
    sqlx::query("INSERT INTO columns (list) VALUES (?) ON CONFLICT DO NOTHING").bind(&columns).execute(&mut **tx).await?;
    let id: i64 = sqlx::query_scalar("SELECT id FROM columns WHERE list = ?").bind(&columns).fetch_one(&mut **tx).await?;
    sqlx::query(
        "INSERT INTO segment (id, location, rows, bytes, checksum, after, through, timestamp_min, timestamp_max, ingested_min,
            ingested_max, datasets, systems, columns, residual_keys, residual_complete, skewed, level, format, index_location,
            index_bytes, cold)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&segment.id)
    .bind(&segment.location)
    .bind(segment.rows as i64)
    .bind(segment.bytes as i64)
    .bind(segment.checksum.to_vec())
    .bind(segment.sequences.0 as i64)
    .bind(segment.sequences.1 as i64)
    .bind(segment.timestamp.map(|span| span.0))
    .bind(segment.timestamp.map(|span| span.1))
    .bind(segment.ingested.0)
    .bind(segment.ingested.1)
    .bind(to_json(&segment.datasets)?)
    .bind(to_json(&segment.systems.iter().map(TombstoneSystem::from).collect::<Vec<_>>())?)
    .bind(id)
    .bind(to_json(&*segment.residual_keys)?)
    .bind(segment.residual_complete)
    .bind(segment.skewed)
    .bind(i64::from(segment.level))
    .bind(i64::from(segment.format))
    .bind(segment.index.as_ref().map(|index| index.location.clone()))
    .bind(segment.index.as_ref().map(|index| index.bytes as i64))
    .bind(segment.cold.as_ref().map(|cold| cold.url.clone()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn bury(tx: &mut Transaction<'_, Sqlite>, tombstone: &Tombstone) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO tombstone (segment, rows, bytes, checksum, after, through, ingested_min, ingested_max, systems, dropped_at,
            actor, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&tombstone.segment)
    .bind(tombstone.rows as i64)
    .bind(tombstone.bytes as i64)
    .bind(&tombstone.checksum)
    .bind(tombstone.sequences.0 as i64)
    .bind(tombstone.sequences.1 as i64)
    .bind(tombstone.ingested.0)
    .bind(tombstone.ingested.1)
    .bind(to_json(&tombstone.systems)?)
    .bind(tombstone.dropped_at)
    .bind(&tombstone.actor)
    .bind(&tombstone.reason)
    .execute(&mut **tx)
    .await?;
    cold::note_gone(tx, &tombstone.segment).await?;
    sqlx::query("DELETE FROM segment WHERE id = ?").bind(&tombstone.segment).execute(&mut **tx).await?;
    Ok(())
}

fn read_segment(
    row: &SqliteRow,
    schemas: &HashMap<i64, SchemaRef>,
    keys: &mut HashMap<String, Arc<BTreeSet<String>>>,
) -> Result<Segment, sqlx::Error> {
    // Mostly the same, or none.
    let text: &str = row.try_get("residual_keys")?;
    let residual_keys = match keys.get(text) {
        Some(known) => Arc::clone(known),
        None => Arc::clone(keys.entry(text.to_owned()).or_insert(Arc::new(from_json(text)?))),
    };
    let location: String = row.try_get("location")?;
    let checksum: Vec<u8> = row.try_get("checksum")?;
    let systems: Vec<TombstoneSystem> = from_json(row.try_get("systems")?)?;
    let timestamps: (Option<i64>, Option<i64>) = (row.try_get("timestamp_min")?, row.try_get("timestamp_max")?);
    let schema = schemas.get(&row.try_get("columns")?).ok_or_else(|| decode("a segment without columns".into()))?;
    Ok(Segment {
        id: row.try_get("id")?,
        path: PathBuf::from(&location),
        location,
        rows: number(row, "rows")?,
        bytes: number(row, "bytes")?,
        checksum: checksum.try_into().map_err(|_| decode("a checksum of the wrong length".into()))?,
        sequences: (number(row, "after")?, number(row, "through")?),
        timestamp: timestamps.0.zip(timestamps.1),
        ingested: (row.try_get("ingested_min")?, row.try_get("ingested_max")?),
        datasets: from_json(row.try_get("datasets")?)?,
        systems: systems.into_iter().map(SystemClass::from).collect(),
        schema: SchemaRef::clone(schema),
        residual_keys,
        residual_complete: row.try_get("residual_complete")?,
        skewed: row.try_get("skewed")?,
        level: number(row, "level")? as u8,
        format: number(row, "format")? as u32,
        index: read_index(row)?,
        cold: row.try_get::<Option<String>, _>("cold")?.map(|url| ColdFile { url, files: None }),
    })
}

fn read_index(row: &SqliteRow) -> Result<Option<IndexFile>, sqlx::Error> {
    let (location, bytes): (Option<String>, Option<i64>) = (row.try_get("index_location")?, row.try_get("index_bytes")?);
    Ok(location.zip(bytes).map(|(location, bytes)| IndexFile { location, bytes: bytes as u64 }))
}

impl From<TombstoneSystem> for SystemClass {
    fn from(part: TombstoneSystem) -> Self {
        Self { system: part.system, class: part.class, rows: part.rows, ingested: part.ingested }
    }
}

fn read_tombstone(row: &SqliteRow) -> Result<Tombstone, sqlx::Error> {
    Ok(Tombstone {
        segment: row.try_get("segment")?,
        rows: number(row, "rows")?,
        bytes: number(row, "bytes")?,
        checksum: row.try_get("checksum")?,
        sequences: (number(row, "after")?, number(row, "through")?),
        ingested: (row.try_get("ingested_min")?, row.try_get("ingested_max")?),
        systems: from_json(row.try_get("systems")?)?,
        dropped_at: row.try_get("dropped_at")?,
        actor: row.try_get("actor")?,
        reason: row.try_get("reason")?,
    })
}

fn read_key(row: &SqliteRow) -> Result<SeenKey, sqlx::Error> {
    let hash: Vec<u8> = row.try_get("hash")?;
    let hash = hash.try_into().map_err(|_| decode("a key of the wrong length".into()))?;
    let records = number(row, "records")? as u32;
    Ok(SeenKey {
        hash: u128::from_le_bytes(hash),
        sequence: number(row, "sequence")?,
        records,
        ingested: row.try_get("ingested")?,
    })
}

fn read_ledger(row: &SqliteRow, sources: &mut HashMap<String, Arc<str>>) -> Result<LedgerRow, sqlx::Error> {
    let source: &str = row.try_get("source")?;
    let source = match sources.get(source) {
        Some(known) => Arc::clone(known),
        None => Arc::clone(sources.entry(source.to_owned()).or_insert_with(|| source.into())),
    };
    let mut refused = [0; REASONS];
    let names = ["refused_kernel_drop", "refused_pressure", "refused_limit", "refused_malformed"];
    for (count, name) in refused.iter_mut().zip(names) {
        *count = number(row, name)?;
    }
    let counts = Counts {
        received: number(row, "received")?,
        parsed: number(row, "parsed")?,
        quarantined: number(row, "quarantined")?,
        merged: number(row, "merged")?,
        events: number(row, "events")?,
        refused,
        pending: 0,
    };
    Ok(LedgerRow { minute: row.try_get("minute")?, span_seconds: row.try_get("span_seconds")?, source, counts })
}

fn number(row: &SqliteRow, name: &str) -> Result<u64, sqlx::Error> {
    Ok(row.try_get::<i64, _>(name)? as u64)
}

fn to_json(value: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| decode(error.into()))
}

fn decode(error: Box<dyn std::error::Error + Send + Sync>) -> sqlx::Error {
    sqlx::Error::Decode(error)
}

/// A schema as JSON: `[["source.ip", "text"], …]`.
fn format_columns(schema: &Schema) -> Result<String, sqlx::Error> {
    let columns: Vec<(&str, &str)> =
        schema.fields().iter().map(|column| (column.name().as_str(), type_name(column.data_type()))).collect();
    to_json(&columns)
}

fn parse_columns(text: &str) -> Result<SchemaRef, sqlx::Error> {
    let columns: Vec<(String, String)> = from_json(text)?;
    let field = |(name, kind): (String, String)| match data_type(&kind) {
        Some(data_type) => Ok(ArrowField::new(name, data_type, true)),
        None => Err(decode(format!("column {name} of unknown type {kind}").into())),
    };
    Ok(Arc::new(Schema::new(columns.into_iter().map(field).collect::<Result<Vec<_>, _>>()?)))
}

pub(crate) fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Int64 => "long",
        DataType::Float64 => "double",
        DataType::Boolean => "boolean",
        DataType::Timestamp(..) => "date",
        DataType::List(_) => "list",
        _ => "text",
    }
}

pub(crate) fn data_type(name: &str) -> Option<DataType> {
    Some(match name {
        "text" => DataType::Utf8View,
        "list" => DataType::new_list(DataType::Utf8View, true),
        "long" => DataType::Int64,
        "double" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "date" => timestamp_type(),
        _ => return None,
    })
}
