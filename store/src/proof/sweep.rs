//! Makes leaves again from rows and compares them with the blocks of the journals, both in the order of receipt.
//!
//! Rows are read a row group at a time and wait until the block they belong to is complete; memory is what the row groups of one
//! moment hold, whatever the length of the year.

use std::collections::{BTreeMap, HashMap};

use arrow::record_batch::RecordBatch;
use event::Micros;
use proof::{
    block::{Block, Classes},
    journal::Dropped,
    leaf::{COLUMNS, Class, Leaf, LeafHasher, Place, Rows},
};

use super::{
    read::SegmentFile,
    verify::{Divergence, DivergenceKind, Progress, Report, Span, Watch, hour_name},
};
use crate::{Result, Segment};

/// Event ids that a divergence names.
const EVENTS_MAX: usize = 10;

/// A row that waits for its block.
struct Waiting {
    place: Place,
    class: u32,
    segment: u32,
    /// What is hashed; begins with the event id.
    bytes: Box<[u8]>,
}

/// Where rows may have gone, by class.
struct Absence {
    sequences: (u64, u64),
    classes: Vec<(String, String)>,
    skewed: bool,
    is_expired: bool,
}

pub(super) struct Sweep<'s> {
    segments: &'s [Segment],
    report: &'s mut Report,
    watch: &'s Watch,
    /// Row groups in the order of their first receipt: time, segment, row group.
    queue: Vec<(Micros, u32, usize)>,
    next: usize,
    waiting: BTreeMap<u64, Vec<Waiting>>,
    classes: Classes,
    /// By hour of receipt.
    absences: HashMap<i64, Vec<usize>>,
    absence_list: Vec<Absence>,
    received: Option<(Micros, Micros)>,
    node: String,
    /// Sequences through which the journals were followed, or left out on purpose.
    through: u64,
    is_first_skipped: bool,
}

impl<'s> Sweep<'s> {
    pub fn new(
        segments: &'s [Segment],
        unreadable: &[usize],
        dropped: &[Dropped],
        first: u64,
        received: Option<(Micros, Micros)>,
        report: &'s mut Report,
        watch: &'s Watch,
    ) -> Self {
        let mut sweep = Self {
            segments,
            report,
            watch,
            queue: Vec::new(),
            next: 0,
            waiting: BTreeMap::new(),
            classes: Classes::default(),
            absences: HashMap::new(),
            absence_list: Vec::new(),
            received,
            node: String::new(),
            through: first,
            is_first_skipped: false,
        };
        for record in dropped {
            let classes = record.classes.iter().map(|class| (class.system.clone(), class.dataset.clone())).collect();
            sweep.absent(record.ingested, record.sequences, classes, record.skewed, true);
        }
        for at in 0..segments.len() {
            if unreadable.contains(&at) {
                sweep.unreadable(at);
            } else {
                sweep.enqueue(at, first);
            }
        }
        sweep.queue.sort_unstable();
        sweep
    }

    /// Name of the server in event ids.
    pub fn node(&mut self, node: &str) {
        node.clone_into(&mut self.node);
    }

    fn absent(
        &mut self,
        ingested: (Micros, Micros),
        sequences: (u64, u64),
        classes: Vec<(String, String)>,
        skewed: bool,
        is_expired: bool,
    ) {
        let number = self.absence_list.len();
        self.absence_list.push(Absence { sequences, classes, skewed, is_expired });
        for hour in ingested.0.div_euclid(proof::HOUR)..=ingested.1.div_euclid(proof::HOUR) {
            self.absences.entry(hour).or_default().push(number);
        }
    }

    fn unreadable(&mut self, at: usize) {
        let segment = &self.segments[at];
        let classes = segment.systems.iter().map(|part| (part.system.clone(), part.class.clone())).collect();
        self.absent(segment.ingested, segment.sequences, classes, segment.skewed, false);
    }

    fn enqueue(&mut self, at: usize, first: u64) {
        let segment = &self.segments[at];
        if segment.sequences.1 <= first {
            self.unproven(segment.sequences, segment.rows);
            return;
        }
        match SegmentFile::open(segment) {
            Ok(file) => {
                let groups = file.groups().into_iter().filter(|group| self.is_near(group.ingested));
                let groups: Vec<_> = groups.map(|group| (group.ingested.0, at as u32, group.at)).collect();
                self.queue.extend(groups);
            }
            Err(error) => self.cannot_read(at, &error),
        }
    }

    fn cannot_read(&mut self, at: usize, error: &crate::Error) {
        let segment = &self.segments[at];
        let divergence =
            Divergence::new(DivergenceKind::File, format!("cannot be read though its checksum fits: {}", error.chain()));
        self.report.add(Divergence {
            hour: Some(hour_name(segment.ingested.0)),
            block: Some(segment.sequences),
            files: vec![segment.location.clone()],
            ..divergence
        });
        self.unreadable(at);
    }

    fn is_wanted(&self, ingested: (Micros, Micros)) -> bool {
        self.received.is_none_or(|(from, to)| ingested.1 >= from && ingested.0 < to)
    }

    /// Whether rows received in this span may belong to a wanted block: blocks end with their hour.
    fn is_near(&self, ingested: (Micros, Micros)) -> bool {
        let hours = self.received.map(|(from, to)| (from.div_euclid(proof::HOUR), to.saturating_sub(1).div_euclid(proof::HOUR)));
        let (first, last) = (ingested.0.div_euclid(proof::HOUR), ingested.1.div_euclid(proof::HOUR));
        hours.is_none_or(|(from, to)| last >= from && first <= to)
    }

    fn unproven(&mut self, sequences: (u64, u64), rows: u64) {
        self.report.rows_unproven += rows;
        let what = "events that are older than the proof";
        match self.report.unsigned.iter_mut().find(|span| span.what == what) {
            Some(span) => span.sequences = (span.sequences.0.min(sequences.0), span.sequences.1.max(sequences.1)),
            None => self.report.unsigned.push(Span { sequences, what: what.to_owned() }),
        }
    }

    /// Compares one block; they come in the order of the journals.
    pub fn block(&mut self, block: &Block) {
        let is_wanted = self.is_wanted(block.ingested);
        let has_rows = !block.leaves.is_empty();
        if has_rows && is_wanted {
            self.load(Some(block.ingested.1));
        }
        let rest = self.waiting.split_off(&block.through.saturating_add(1));
        let mut mine = std::mem::replace(&mut self.waiting, rest);
        if !is_wanted && has_rows {
            self.through = block.through;
            self.is_first_skipped = true;
            return;
        }
        let behind = mine.split_off(&block.after.saturating_add(1));
        self.strays(mine);
        self.through = block.through;
        if block.unplaced > 0 {
            self.unproven((block.after, block.through), block.unplaced);
        }
        if has_rows || !behind.is_empty() {
            self.compare(block, behind);
        }
    }

    /// Rows that no block names.
    fn strays(&mut self, rows: BTreeMap<u64, Vec<Waiting>>) {
        let first = self.report.chain.sequences.0;
        for row in rows.into_values().flatten() {
            if row.place.sequence <= first {
                self.unproven((row.place.sequence - 1, row.place.sequence), 1);
            } else if !self.is_first_skipped {
                let divergence = Divergence::new(DivergenceKind::RowsAdded, "a row that no block of the journals names");
                self.report.add(Divergence {
                    files: vec![self.segments[row.segment as usize].location.clone()],
                    events: vec![id_of(&row.bytes).to_owned()],
                    ..divergence
                });
            }
        }
    }

    /// What is left when the journals have ended.
    pub fn finish(mut self) {
        while self.next < self.queue.len() {
            self.load_next();
            let rows = std::mem::take(&mut self.waiting);
            self.strays(rows);
        }
        let rows = std::mem::take(&mut self.waiting);
        self.strays(rows);
    }

    /// Reads the row groups that may hold rows received through this time.
    fn load(&mut self, through: Option<Micros>) {
        while self.queue.get(self.next).is_some_and(|group| through.is_none_or(|through| group.0 <= through)) {
            self.load_next();
        }
    }

    fn load_next(&mut self) {
        let (_, at, group) = self.queue[self.next];
        self.next += 1;
        if let Err(error) = self.read(at, group) {
            self.cannot_read(at as usize, &error);
        }
        let (done, total) = (self.next as u64, self.queue.len() as u64);
        (self.watch)(Progress { step: "rows", done, total });
    }

    fn read(&mut self, at: u32, group: usize) -> Result<()> {
        let segments = self.segments;
        let file = SegmentFile::open(&segments[at as usize])?;
        let mut found: Vec<Waiting> = Vec::new();
        // Rows without their record are hashed by all their fields: then everything is read.
        let mut needs_all = false;
        let take = |batch: &RecordBatch, is_all: bool, classes: &mut Classes, found: &mut Vec<Waiting>| {
            let rows = Rows::new(batch);
            for row in 0..rows.len() {
                if !is_all && rows.needs_fields(row) {
                    return true;
                }
                let Some(place) = rows.place(row) else { continue };
                let class = classes.number(rows.system(row), rows.dataset(row), rows.is_skewed(row));
                let mut bytes = Vec::new();
                rows.encode(row, &mut bytes);
                found.push(Waiting { place, class, segment: at, bytes: bytes.into_boxed_slice() });
            }
            false
        };
        let classes = &mut self.classes;
        file.read(group, Some(&COLUMNS), &mut |batch| {
            needs_all = needs_all || take(batch, false, classes, &mut found);
            Ok(())
        })?;
        if needs_all {
            found.clear();
            file.read(group, None, &mut |batch| {
                take(batch, true, classes, &mut found);
                Ok(())
            })?;
        }
        for row in found {
            self.waiting.entry(row.place.sequence).or_default().push(row);
        }
        Ok(())
    }

    fn compare(&mut self, block: &Block, rows: BTreeMap<u64, Vec<Waiting>>) {
        let mut by_class: BTreeMap<u32, Vec<Waiting>> = BTreeMap::new();
        let mut indexes: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for row in rows.into_values().flatten() {
            indexes.entry(row.place.sequence).or_default().push(row.place.index);
            by_class.entry(row.class).or_default().push(row);
        }
        let mut found: HashMap<Class, Vec<Waiting>> = HashMap::new();
        for (number, rows) in by_class {
            if let Some(class) = self.classes.class(number) {
                found.insert(class.clone(), rows);
            }
        }
        for leaf in &block.leaves {
            let mut rows = found.remove(&leaf.class).unwrap_or_default();
            rows.sort_by(|one, two| (one.place, &one.bytes).cmp(&(two.place, &two.bytes)));
            self.leaf(block, leaf, &rows, &indexes);
        }
        let mut added: Vec<_> = found.into_iter().collect();
        added.sort_unstable_by(|one, two| one.0.cmp(&two.0));
        for (class, rows) in added {
            let what = format!("{} rows of a class that the block does not have", rows.len());
            self.diverges(DivergenceKind::RowsAdded, what, block, &class, &rows, ids(rows.iter()));
        }
    }

    fn leaf(&mut self, block: &Block, leaf: &Leaf, rows: &[Waiting], indexes: &BTreeMap<u64, Vec<u32>>) {
        let count = rows.len() as u64;
        if count < leaf.rows
            && let Some(is_expired) = self.explained(block, &leaf.class)
        {
            let counter = match (is_expired, count) {
                (true, 0) => &mut self.report.leaves_expired,
                (true, _) => &mut self.report.leaves_partly_expired,
                (false, _) => &mut self.report.leaves_unreadable,
            };
            *counter += 1;
            return;
        }
        let mut hasher = LeafHasher::default();
        for row in rows {
            hasher.row(|out| out.extend_from_slice(&row.bytes));
        }
        if hasher.finish(leaf.class.clone()) == *leaf {
            self.report.leaves += 1;
            self.report.rows += count;
            return;
        }
        let twice = rows.windows(2).filter(|pair| pair[0].place == pair[1].place).map(|pair| &pair[1]);
        let (kind, what, events) = match count.cmp(&leaf.rows) {
            std::cmp::Ordering::Less => {
                let what = format!("{} of {} rows are missing", leaf.rows - count, leaf.rows);
                (DivergenceKind::RowsMissing, what, self.gaps(indexes))
            }
            std::cmp::Ordering::Greater => {
                let what = format!("{count} rows where {} were", leaf.rows);
                (DivergenceKind::RowsAdded, what, ids(twice))
            }
            std::cmp::Ordering::Equal => {
                let what = format!("one or more of {count} rows were changed, from the first to the last of these");
                (DivergenceKind::RowsChanged, what, ids(rows.first().into_iter().chain(rows.last().filter(|_| count > 1))))
            }
        };
        self.diverges(kind, what, block, &leaf.class, rows, events);
    }

    /// Whether rows of a class in a block may be gone: `true` by retention, `false` because a file cannot be read.
    fn explained(&self, block: &Block, class: &Class) -> Option<bool> {
        let hour = block.ingested.0.div_euclid(proof::HOUR);
        let fits = |absence: &&Absence| {
            let (after, through) = absence.sequences;
            let has_class = absence.classes.iter().any(|(system, dataset)| *system == class.system && *dataset == class.dataset);
            after < block.through && through > block.after && absence.skewed == class.skewed && has_class
        };
        let absences = self.absences.get(&hour)?.iter().map(|number| &self.absence_list[*number]).filter(fits);
        absences.map(|absence| absence.is_expired).max()
    }

    /// Places that are left out inside the frames of a block: most likely the rows that are missing.
    fn gaps(&self, indexes: &BTreeMap<u64, Vec<u32>>) -> Vec<String> {
        let mut gaps = Vec::new();
        for (sequence, indexes) in indexes {
            let mut indexes = indexes.clone();
            indexes.sort_unstable();
            indexes.dedup();
            let mut expected = 0;
            for index in indexes {
                gaps.extend((expected..index).take(EVENTS_MAX).map(|index| format!("{}-{sequence}-{index}", self.node)));
                expected = index + 1;
            }
            if gaps.len() >= EVENTS_MAX {
                break;
            }
        }
        gaps.truncate(EVENTS_MAX);
        gaps
    }

    fn diverges(
        &mut self,
        kind: DivergenceKind,
        what: String,
        block: &Block,
        class: &Class,
        rows: &[Waiting],
        events: Vec<String>,
    ) {
        let mut files: Vec<u32> = rows.iter().map(|row| row.segment).collect();
        files.sort_unstable();
        files.dedup();
        let mut files: Vec<String> = files.iter().map(|at| self.segments[*at as usize].location.clone()).collect();
        if files.is_empty() {
            // Where they would have to be.
            let holds = |segment: &&Segment| segment.sequences.0 < block.through && segment.sequences.1 > block.after;
            files = self.segments.iter().filter(holds).map(|segment| segment.location.clone()).collect();
        }
        self.report.add(Divergence {
            hour: Some(hour_name(block.ingested.0)),
            block: Some((block.after, block.through)),
            system: Some(class.system.clone()),
            dataset: Some(class.dataset.clone()),
            files,
            events,
            ..Divergence::new(kind, what)
        });
    }
}

fn ids<'w>(rows: impl Iterator<Item = &'w Waiting>) -> Vec<String> {
    rows.take(EVENTS_MAX).map(|row| id_of(&row.bytes).to_owned()).collect()
}

/// The event id, which stands at the front of what is hashed.
fn id_of(bytes: &[u8]) -> &str {
    let id = bytes.split_first_chunk().and_then(|(len, rest)| rest.get(..u32::from_le_bytes(*len) as usize));
    id.and_then(|id| std::str::from_utf8(id).ok()).unwrap_or_default()
}
