//! Which rows of a row group pass, and their columns: stage by stage, each reading only what the one before left.
//!
//! ```text
//! rows that pages and index leave ▶ [scope] ▶ [plain columns] ▶ [filters that rise] ▶ [shapes of lines] ▶ [the rest] ▶ wanted columns
//! ```
//!
//! Scope comes first, which is the safety property: what a statement says only ever sees rows in scope, and only the
//! masked values of what the asker may not read. After it the cheap comes first. Columns that are put together from others are
//! read last and only as far as the shapes of the rows that are left need them.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use datafusion::{
    arrow::{
        array::{Array, AsArray as _, BooleanArray, BooleanBufferBuilder, Int64Array},
        buffer::BooleanBuffer,
        datatypes::{DataType, Schema, SchemaRef, TimestampMicrosecondType},
        error::ArrowError,
        record_batch::RecordBatch,
    },
    common::{DataFusionError, Result},
    parquet::arrow::{ProjectionMask, arrow_reader::RowSelection},
    physical_expr::{PhysicalExpr, conjunction_opt, split_conjunction, utils::reassign_expr_columns},
};
use event::field;
use store::{
    line::{
        COLUMN_SHAPE, Layout, Needs,
        search::{Search, Shapes},
    },
    read::Wanted,
};

use crate::{
    amend::Amendments,
    blank,
    count::Counts,
    lens::Lens,
    lines::LineCondition,
    newest::Newest,
    prune::prunable,
    scan::Scan,
    segment::{Reading, evaluate},
};

/// Rows of which coded columns are read at once: each distinct value is then looked at once in so many.
const CODED_ROWS: usize = 64 << 10;

/// As what texts are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    /// What questions compare.
    Values,
    /// Numbers into dictionaries where the file has them: what is the same is looked at once.
    Codes,
}

/// The parts of a filter by how they are decided over one file.
struct Conjuncts {
    /// About columns that are stored as they are.
    plain: Option<Arc<dyn PhysicalExpr>>,
    /// About lines: the shapes are asked first.
    lines: Vec<LineCondition>,
    /// The conjuncts of `lines` themselves.
    lines_exact: Option<Arc<dyn PhysicalExpr>>,
    rest: Option<Arc<dyn PhysicalExpr>>,
}

impl Conjuncts {
    fn of(reading: &Reading) -> Self {
        let (mut plain, mut lines, mut exact, mut rest) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for part in reading.scan.filter.iter().flat_map(|filter| split_conjunction(filter)) {
            let is_plain = |name: &str| reading.open.is_plain(name);
            if datafusion::physical_expr::utils::collect_columns(part).iter().all(|column| is_plain(column.name())) {
                plain.push(part.clone());
                continue;
            }
            match line_condition(reading, part) {
                Some(condition) => {
                    lines.push(condition);
                    exact.push(part.clone());
                }
                None => rest.push(part.clone()),
            }
        }
        Self { plain: conjunction_opt(plain), lines, lines_exact: conjunction_opt(exact), rest: conjunction_opt(rest) }
    }
}

/// A condition about lines whose text the asker sees as it is stored.
fn line_condition(reading: &Reading, part: &Arc<dyn PhysicalExpr>) -> Option<LineCondition> {
    reading.open.shaped()?;
    prunable(&reading.scan.view, part)?;
    let texts = [field::EVENT_ORIGINAL, field::MESSAGE];
    if reading.may_amend && texts.iter().any(|text| Amendments::changes(text.name())) {
        return None;
    }
    LineCondition::of(part)
}

/// Reads one row group; false when nobody wants more.
pub(crate) fn read(
    reading: &Reading,
    group: usize,
    batch_rows: usize,
    send: &mut dyn FnMut(RecordBatch) -> bool,
) -> Result<bool> {
    let Some(selection) = reading.selection(group) else { return Ok(true) };
    let mut rows = Rows { reading, group, batch_rows, selection, shapes: None };
    rows.in_scope()?;
    let conjuncts = Conjuncts::of(reading);
    rows.keep_where(conjuncts.plain.as_ref(), None)?;
    for (filter, _) in &reading.scan.dynamic {
        rows.keep_where(Some(filter), None)?;
    }
    if let (false, Some(layout)) = (conjuncts.lines.is_empty(), reading.open.shaped()) {
        rows.lines(layout, &conjuncts)?;
    } else {
        rows.keep_where(conjuncts.lines_exact.as_ref(), None)?;
    }
    rows.rest(conjuncts.rest.as_ref())?;
    if let Some(newest) = &reading.scan.newest {
        rows.newest(newest)?;
    }
    rows.output(send)
}

/// The rows of a group that are left.
struct Rows<'r> {
    reading: &'r Reading,
    group: usize,
    batch_rows: usize,
    selection: RowSelection,
    /// The shapes of the rows that are left, once they are read.
    shapes: Option<(Shapes, Vec<Option<u32>>)>,
}

impl Rows<'_> {
    fn is_empty(&self) -> bool {
        !self.selection.selects_any()
    }

    fn reader(
        &self,
        selection: RowSelection,
        read: Read,
        mask: ProjectionMask,
        batch_rows: usize,
        limit: Option<usize>,
    ) -> Result<blank::Reader> {
        let metadata = &self.reading.open.metadata;
        let plan = blank::Plan::new(metadata.metadata(), self.group, metadata.schema(), mask, &selection);
        let wanted = Wanted {
            group: self.group,
            columns: plan.mask.clone(),
            rows: selection,
            batch_rows,
            limit,
            as_codes: read == Read::Codes,
        };
        let reader = store::read::Reader::new(&self.reading.segment.id, &self.reading.file, metadata, wanted);
        Ok(plan.reader(reader.map_err(|error| failed(error.chain()))?))
    }

    /// Rows that the asker may see at all.
    fn in_scope(&mut self) -> Result<()> {
        let (reading, stats) = (self.reading, &self.reading.scan.stats);
        if !reading.scan.view.rows.is_restricted() {
            stats.rows.fetch_add(self.selection.row_count() as u64, Relaxed);
            return Ok(());
        }
        let decides = if reading.may_amend { Amendments::reads().collect() } else { vec![field::SYSTEM_ID.name()] };
        let reads: Vec<usize> = decides.iter().filter_map(|name| reading.open.schema.index_of(name).ok()).collect();
        let view = &reading.scan.view;
        self.keep(reading.open.mask(&reads), |batch| {
            let batch = reading.open.decode(batch, &reads)?;
            let batch = if reading.may_amend { view.amendments.apply(&batch, &|_| false)? } else { batch };
            let visible = view.rows.visible(&batch).unwrap_or_else(|| BooleanArray::from(vec![false; batch.num_rows()]));
            stats.rows.fetch_add(visible.true_count() as u64, Relaxed);
            Ok(visible)
        })
    }

    /// Keeps the rows that a test passes; it sees the columns of `mask`.
    fn keep(
        &mut self,
        mask: ProjectionMask,
        mut test: impl FnMut(RecordBatch) -> Result<BooleanArray, ArrowError>,
    ) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let reader = self.reader(self.selection.clone(), Read::Values, mask, self.batch_rows, None)?;
        let passed = reader.map(|batch| test(batch?)).collect::<Result<Vec<_>, _>>()?;
        self.narrow(&passed);
        Ok(())
    }

    /// Keeps the rows that a condition over the table's columns holds for.
    fn keep_where(&mut self, filter: Option<&Arc<dyn PhysicalExpr>>, needs: Option<&Needs<'_>>) -> Result<()> {
        let Some(filter) = filter.filter(|_| !self.is_empty()) else { return Ok(()) };
        let open = &self.reading.open;
        let test = Test::new(self.reading, filter)?;
        self.keep(open.mask_for(&test.lens.reads, needs), |batch| test.passed(batch))
    }

    fn narrow(&mut self, passed: &[BooleanArray]) {
        if passed.iter().all(|passed| passed.true_count() == passed.len()) {
            return;
        }
        if let Some((_, codes)) = &mut self.shapes {
            let mut passed = passed.iter().flat_map(|passed| passed.values().iter());
            codes.retain(|_| passed.next().unwrap_or(false));
        }
        self.selection = self.selection.and_then(&RowSelection::from_filters(passed));
    }

    /// Reads the shapes of the rows that are left.
    fn read_shapes(&mut self, layout: &Layout) -> Result<()> {
        if self.shapes.is_some() || self.is_empty() {
            return Ok(());
        }
        let open = &self.reading.open;
        let rows = self.selection.row_count();
        let mut reader = self.reader(self.selection.clone(), Read::Codes, open.named([COLUMN_SHAPE]), rows, None)?;
        let batch = reader.next().transpose()?.filter(|batch| batch.num_rows() == rows);
        let batch = batch.ok_or_else(|| failed(format!("row group {}: fewer than {rows} rows in {COLUMN_SHAPE}", self.group)))?;
        let shapes = layout.shapes(&batch).map_err(|error| failed(error.chain()))?;
        let codes = shapes.codes().to_vec();
        self.shapes = Some((shapes, codes));
        Ok(())
    }

    /// Decides conditions about lines: by shape, by the values of variable parts, at last by the lines themselves.
    fn lines(&mut self, layout: &Layout, conjuncts: &Conjuncts) -> Result<()> {
        self.read_shapes(layout)?;
        let Some((shapes, codes)) = self.shapes.take() else { return Ok(()) };
        let prepared: Vec<_> = conjuncts.lines.iter().map(|condition| condition.prepare(&shapes)).collect();
        let proven: Vec<bool> =
            each_shape(&shapes).map(|shape| prepared.iter().all(|condition| condition.is_proven(shape))).collect();
        let is_proven = |code: Option<u32>| proven[code.map_or(shapes.count(), |code| code as usize)];
        let searches: Vec<&Search<'_>> = prepared.iter().flat_map(|condition| condition.searches()).collect();
        let is_provable = prepared.iter().all(|condition| condition.is_provable());

        let by_shape = BooleanBuffer::collect_bool(codes.len(), |row| is_proven(codes[row]));
        let open_rows = codes.iter().filter(|code| !is_proven(**code)).copied().collect::<Vec<_>>();
        let mut passed = by_shape.clone();
        if !open_rows.is_empty() {
            let mut rest = self.sub(&!&by_shape);
            let (possible, mut certain) = rest.candidates(&open_rows, &searches, &is_proven)?;
            if !is_provable {
                certain = BooleanBuffer::new_unset(certain.len());
            }
            let unsure = &possible & &!&certain;
            rest = rest.sub(&unsure);
            let kept: Vec<Option<u32>> = open_rows.iter().zip(&unsure).filter(|(_, is)| *is).map(|(code, _)| *code).collect();
            let exact = rest.exact(layout, &shapes, &kept, conjuncts)?;
            passed = filled(&by_shape, &answered(&certain, &unsure, &exact));
        }
        self.shapes = Some((shapes, codes));
        self.narrow(&[BooleanArray::new(passed, None)]);
        Ok(())
    }

    /// Some of the rows that are left.
    fn sub(&self, chosen: &BooleanBuffer) -> Self {
        let chosen = BooleanArray::new(chosen.clone(), None);
        let selection = self.selection.and_then(&RowSelection::from_filters(std::slice::from_ref(&chosen)));
        Rows { reading: self.reading, group: self.group, batch_rows: self.batch_rows, selection, shapes: None }
    }

    /// Rows that may have all the literals, and those that have them, by the values of their variable parts.
    fn candidates(
        &self,
        codes: &[Option<u32>],
        searches: &[&Search<'_>],
        is_proven: &dyn Fn(Option<u32>) -> bool,
    ) -> Result<(BooleanBuffer, BooleanBuffer)> {
        let used: BTreeSet<Option<u32>> = codes.iter().copied().collect();
        let of = |shape: Option<u32>| used.contains(&shape) && !is_proven(shape);
        let columns: BTreeSet<String> = searches.iter().flat_map(|search| search.columns(&of)).collect();
        let open = &self.reading.open;
        let mask = open.named(columns.iter().map(String::as_str));
        let (mut possible, mut certain) = (BooleanBufferBuilder::new(codes.len()), BooleanBufferBuilder::new(codes.len()));
        let mut at = 0;
        for batch in self.reader(self.selection.clone(), Read::Codes, mask, CODED_ROWS, None)? {
            let batch = batch?;
            let codes = codes.get(at..at + batch.num_rows()).ok_or_else(|| failed("more rows than shapes".to_owned()))?;
            let all = searches.iter().map(|search| search.candidates(&batch, codes));
            if let Some(all) = all.reduce(|one, other| (&one.0 & &other.0, &one.1 & &other.1)) {
                possible.append_buffer(&all.0);
                certain.append_buffer(&all.1);
            }
            at += batch.num_rows();
        }
        if possible.len() != codes.len() {
            return Err(failed(format!("{} rows found, {} expected", possible.len(), codes.len())));
        }
        Ok((possible.finish(), certain.finish()))
    }

    /// Evaluates the conditions about lines on rows of these shapes.
    fn exact(&self, layout: &Layout, shapes: &Shapes, codes: &[Option<u32>], conjuncts: &Conjuncts) -> Result<BooleanBuffer> {
        let mut passed = BooleanBufferBuilder::new(codes.len());
        let Some(filter) = conjuncts.lines_exact.as_ref().filter(|_| !codes.is_empty()) else { return Ok(passed.finish()) };
        let used: BTreeSet<u32> = codes.iter().flatten().copied().collect();
        let needs = layout.needs(shapes, &|shape| used.contains(&shape));
        let test = Test::new(self.reading, filter)?;
        let open = &self.reading.open;
        let mask = open.mask_for(&test.lens.reads, Some(&needs));
        for batch in self.reader(self.selection.clone(), Read::Values, mask, self.batch_rows, None)? {
            let answer = test.passed(batch?)?;
            (0..answer.len()).for_each(|row| passed.append(answer.is_valid(row) && answer.value(row)));
        }
        Ok(passed.finish())
    }

    /// The conditions that need columns put together, and are not about whole lines.
    fn rest(&mut self, filter: Option<&Arc<dyn PhysicalExpr>>) -> Result<()> {
        let Some(filter) = filter else { return Ok(()) };
        let Some(layout) = self.reading.open.shaped() else { return self.keep_where(Some(filter), None) };
        self.read_shapes(layout)?;
        let Some((shapes, codes)) = self.shapes.take() else { return Ok(()) };
        let used: BTreeSet<u32> = codes.iter().flatten().copied().collect();
        let needs = layout.needs(&shapes, &|shape| used.contains(&shape));
        let test = Test::new(self.reading, filter)?;
        let mask = self.reading.open.mask_for(&test.lens.reads, Some(&needs));
        drop(needs);
        self.shapes = Some((shapes, codes));
        self.keep(mask, |batch| test.passed(batch))
    }

    /// Keeps the rows that a sort above can want, by their time. Rows without one stay: where they go is the sort's to say.
    fn newest(&mut self, newest: &Newest) -> Result<()> {
        let (open, scan) = (&self.reading.open, &self.reading.scan);
        let name = scan.view.schema.field(newest.column).name();
        let is_amended = self.reading.may_amend && Amendments::changes(name);
        let Ok(at) = open.schema.index_of(name) else { return Ok(()) };
        if self.selection.row_count() <= newest.rows || is_amended || !open.is_plain(name) {
            return Ok(());
        }
        let mut times: Vec<Option<i64>> = Vec::with_capacity(self.selection.row_count());
        for batch in self.reader(self.selection.clone(), Read::Values, open.mask(&[at]), CODED_ROWS, None)? {
            let batch = batch?;
            let Some(column) = batch.column(0).as_primitive_opt::<TimestampMicrosecondType>() else { return Ok(()) };
            times.extend(column);
        }
        let mut known: Vec<i64> = times.iter().flatten().map(|time| if newest.descending { !time } else { *time }).collect();
        if known.len() <= newest.rows || newest.rows == 0 {
            return Ok(());
        }
        let (_, last, _) = known.select_nth_unstable(newest.rows - 1);
        let last = if newest.descending { !*last } else { *last };
        let is_wanted = |time: i64| if newest.descending { time >= last } else { time <= last };
        self.narrow(&[BooleanArray::from(times.into_iter().map(|time| time.is_none_or(is_wanted)).collect::<Vec<_>>())]);
        Ok(())
    }

    /// Gives the wanted columns of the rows that are left; false when nobody wants more.
    fn output(mut self, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        if self.is_empty() {
            return Ok(true);
        }
        let reading = self.reading;
        let open = &reading.open;
        let lens = reading.lens(&reading.scan.projection);
        if let Some(schema) = &reading.scan.counted {
            return self.counts(&lens, schema, send);
        }
        let is_put_together = lens.reads.iter().any(|&at| !open.is_plain(open.schema.field(at).name()));
        let mut mask = open.mask(&lens.reads);
        if let (true, Some(layout)) = (is_put_together, open.shaped()) {
            self.read_shapes(layout)?;
            if let Some((shapes, codes)) = &self.shapes {
                let used: BTreeSet<u32> = codes.iter().flatten().copied().collect();
                mask = open.mask_for(&lens.reads, Some(&layout.needs(shapes, &|shape| used.contains(&shape))));
            }
        }
        for batch in self.reader(self.selection.clone(), Read::Values, mask, self.batch_rows, reading.scan.limit)? {
            if !send(lens.apply(&open.decode(batch?, &lens.reads)?)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Rows<'_> {
    /// Gives the values of the only column with their counts; false when nobody wants more.
    fn counts(&mut self, lens: &Lens, schema: &SchemaRef, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        let open = &self.reading.open;
        let mut give = |values: RecordBatch, counts: Int64Array| -> Result<bool> {
            let values = lens.apply(&values)?;
            Ok(send(RecordBatch::try_new(schema.clone(), vec![values.column(0).clone(), Arc::new(counts)])?))
        };
        // Only a column that is stored as it is, and nowhere else, is counted by its codes.
        let at = match lens.reads[..] {
            [at] if lens.is_direct() && open.is_plain(open.schema.field(at).name()) => at,
            _ => {
                let mask = open.mask(&lens.reads);
                for batch in self.reader(self.selection.clone(), Read::Values, mask, self.batch_rows, None)? {
                    let batch = open.decode(batch?, &lens.reads)?;
                    let ones = Int64Array::from(vec![1; batch.num_rows()]);
                    if !give(batch, ones)? {
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
        };
        let column = Arc::new(Schema::new(vec![open.schema.field(at).clone().with_data_type(DataType::Utf8View)]));
        let mut give = |(values, counts)| give(RecordBatch::try_new(column.clone(), vec![values])?, counts);
        let mut counts = Counts::default();
        for batch in self.reader(self.selection.clone(), Read::Codes, open.mask(&[at]), CODED_ROWS, None)? {
            if let Some(counted) = counts.add(batch?.column(0))?
                && !give(counted)?
            {
                return Ok(false);
            }
        }
        counts.take()?.map_or(Ok(true), give)
    }
}

/// A condition over the table's columns, as a file can give them.
struct Test<'r> {
    reading: &'r Reading,
    lens: Lens,
    filter: Arc<dyn PhysicalExpr>,
}

impl<'r> Test<'r> {
    fn new(reading: &'r Reading, filter: &Arc<dyn PhysicalExpr>) -> Result<Self> {
        let lens = reading.lens(&Scan::columns_of(&reading.scan.view, filter)?);
        let filter = reassign_expr_columns(filter.clone(), &lens.schema)?;
        Ok(Self { reading, lens, filter })
    }

    fn passed(&self, batch: RecordBatch) -> Result<BooleanArray, ArrowError> {
        let decoded = self.reading.open.decode(batch, &self.lens.reads);
        let decoded = decoded.map_err(|error| ArrowError::from_external_error(Box::new(error)))?;
        let answer = evaluate(&self.filter, &self.lens.apply(&decoded)?)?;
        Ok(match answer.nulls() {
            Some(nulls) => BooleanArray::new(answer.values() & nulls.inner(), None),
            None => answer,
        })
    }
}

/// Every shape, and at last rows without one.
fn each_shape(shapes: &Shapes) -> impl Iterator<Item = Option<u32>> {
    (0..shapes.count() as u32).map(Some).chain([None])
}

/// `first`, and where it is not set the bits of `rest` in turn; `rest` counts only the rows that `first` leaves.
fn filled(first: &BooleanBuffer, rest: &BooleanBuffer) -> BooleanBuffer {
    let mut rest = rest.iter();
    BooleanBuffer::collect_bool(first.len(), |row| first.value(row) || rest.next().unwrap_or(false))
}

/// Where `asked` is set the bits of `answers` in turn, elsewhere `known`.
fn answered(known: &BooleanBuffer, asked: &BooleanBuffer, answers: &BooleanBuffer) -> BooleanBuffer {
    let mut answers = answers.iter();
    let answer = |row| if asked.value(row) { answers.next().unwrap_or(false) } else { known.value(row) };
    BooleanBuffer::collect_bool(known.len(), answer)
}

fn failed(what: String) -> DataFusionError {
    DataFusionError::from(crate::Error::failed(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_put_together_row_by_row() {
        let bits = |text: &str| BooleanBuffer::from(text.bytes().map(|byte| byte == b'1').collect::<Vec<_>>());
        assert_eq!(filled(&bits("100100"), &bits("0110")), bits("101110"));
        assert_eq!(filled(&bits("11"), &bits("")), bits("11"));
        assert_eq!(answered(&bits("1000"), &bits("0110"), &bits("01")), bits("1010"));
    }
}
