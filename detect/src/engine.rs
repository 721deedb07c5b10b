//! The rule set and how a batch meets it.
//!
//! ```text
//! 1 route      rows → classes (dataset, channel, event code …) → the rules of each class
//! 2 test       each distinct value of each needed field once → predicates true of it
//! 3 gather     per row: union of those lists → bits, and the rules that have one of them as witness
//! 4 decide     those rules only: their boolean program over the bits
//! 5 explain    each match: which items of the rule were true, with the event's values
//! ```
//!
//! Invariant: a rule whose program is true has a witness bit set, or is in its class's `always` list.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use event::EventBatch;
use hashbrown::HashMap;

use crate::{
    column::{Column, Columns},
    compile::EvidenceItem,
    mapping::{EventClass, MAPPING, Mapping},
    matcher::{Matcher, Scratch, fold_into},
    predicate::{FieldId, Fields, Predicate, PredicateId, Predicates, Relation, Test, WHOLE_EVENT},
    program::Program,
    rule::Rule,
};

/// One rule that one event fulfils.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Index into [`RuleSet::rules`].
    pub rule: u32,
    pub row: u32,
    pub evidence: Vec<Evidence>,
}

/// One item of the rule that was true, in the rule's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub identifier: String,
    /// Sigma's name of the field; empty for keywords.
    pub field: String,
    /// `contains|all`; empty without modifiers.
    pub modifiers: String,
    /// The event's value, cut to [`EVIDENCE_BYTES_MAX`]; empty where the field is absent.
    pub value: String,
}

/// Bytes of a value that evidence shows.
pub const EVIDENCE_BYTES_MAX: usize = 1024;

/// What a rule has met since it was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Events of the rule's log source.
    pub events: u64,
    /// Events of its log source in batches that had at least one of the columns it asks for.
    pub events_with_fields: u64,
    pub matches: u64,
}

/// All loaded rules, compiled together. Immutable: a reload builds another one.
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) programs: Vec<Program>,
    pub(crate) items: Vec<Box<[EvidenceItem]>>,
    predicates: Vec<Predicate>,
    /// For each predicate: answered by the matchers (true), or by looking at the row (false).
    is_gathered: Vec<bool>,
    fields: Fields,
    /// By field; the last one is for keywords.
    matchers: Vec<Matcher>,
    /// Predicate → rules that it is a witness of.
    witnesses: Vec<Box<[u32]>>,
    /// Rules without a witness.
    always: Vec<u32>,
    rule_fields: Vec<Box<[FieldId]>>,
    mapping: &'static Mapping,
    plans: Mutex<HashMap<EventClass, Arc<Plan>>>,
    seen: Vec<Counters>,
}

#[derive(Default)]
struct Counters {
    events: AtomicU64,
    events_with_fields: AtomicU64,
    matches: AtomicU64,
}

/// The rules of one class of events.
struct Plan {
    rules: Vec<u32>,
    /// One bit per rule of the set.
    members: Vec<u64>,
    always: Vec<u32>,
    fields: Vec<FieldId>,
    has_keywords: bool,
}

/// Which rules may meet the rows of a batch.
#[derive(Clone, Copy, Debug)]
pub enum Route<'a> {
    /// By the mapping: the normal way.
    Mapped,
    /// All rows belong to this class, whatever their columns say (rule tests, truth tables).
    As(&'a EventClass),
    /// Every rule, whatever its log source.
    Everything,
}

/// What [`crate::load`] hands over for one rule.
pub(crate) struct Part {
    pub rule: Rule,
    pub expr: crate::program::Expr,
    pub items: Vec<EvidenceItem>,
}

impl RuleSet {
    pub(crate) fn new(parts: Vec<Part>, mut predicates: Predicates, fields: Fields) -> Self {
        predicates.seal();
        let is_gathered: Vec<bool> = predicates
            .list
            .iter()
            .map(|predicate| !matches!(predicate.test, Test::Absent | Test::Exists(_) | Test::Field(..)))
            .collect();
        let mut builders: Vec<crate::matcher::Builder> = Vec::new();
        builders.resize_with(fields.list.len() + 1, Default::default);
        for (id, predicate) in predicates.list.iter().enumerate() {
            let at = if predicate.field == WHOLE_EVENT { fields.list.len() } else { predicate.field as usize };
            builders[at].add(id as PredicateId, predicate);
        }
        let matchers = builders.into_iter().map(crate::matcher::Builder::finish).collect();
        let cost =
            |id: PredicateId| is_gathered[id as usize].then(|| cost(&predicates.list[id as usize], predicates.uses[id as usize]));
        let mut witnesses: Vec<Vec<u32>> = vec![Vec::new(); predicates.list.len()];
        let mut set = Self {
            rules: Vec::new(),
            programs: Vec::new(),
            items: Vec::new(),
            predicates: Vec::new(),
            is_gathered: Vec::new(),
            fields,
            matchers,
            witnesses: Vec::new(),
            always: Vec::new(),
            rule_fields: Vec::new(),
            mapping: &MAPPING,
            plans: Mutex::default(),
            seen: Vec::new(),
        };
        for part in parts {
            let at = set.rules.len() as u32;
            match crate::program::witness(&part.expr, &cost) {
                Some(witness) => witness.into_iter().for_each(|predicate| witnesses[predicate as usize].push(at)),
                None => set.always.push(at),
            }
            let program = Program::new(&part.expr);
            let mut used = Vec::new();
            for predicate in program.predicates().map(|id| &predicates.list[id as usize]) {
                used.push(predicate.field);
                if let Test::Field(_, other) = predicate.test {
                    used.push(other);
                }
            }
            used.sort_unstable();
            used.dedup();
            set.rule_fields.push(used.into());
            set.programs.push(program);
            set.items.push(part.items.into());
            set.seen.push(Counters::default());
            set.rules.push(part.rule);
        }
        set.witnesses = witnesses.into_iter().map(Vec::into_boxed_slice).collect();
        set.is_gathered = is_gathered;
        set.predicates = predicates.list;
        set
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What a rule has met since this set was loaded.
    pub fn health(&self, rule: u32) -> Health {
        let counters = &self.seen[rule as usize];
        Health {
            events: counters.events.load(Relaxed),
            events_with_fields: counters.events_with_fields.load(Relaxed),
            matches: counters.matches.load(Relaxed),
        }
    }

    /// True while a rule cannot match: its log source is unknown here, or none of its events or fields has come yet.
    pub fn is_blind(&self, rule: u32) -> bool {
        self.health(rule).events_with_fields == 0
    }

    /// All matches of a batch, ordered by row, then rule.
    pub fn match_batch(&self, batch: &EventBatch) -> Vec<Match> {
        self.match_batch_by(batch, Route::Mapped)
    }

    /// The same with a given route.
    pub fn match_batch_by(&self, batch: &EventBatch, route: Route<'_>) -> Vec<Match> {
        let rows = batch.batch.num_rows();
        let columns = Columns::new(batch);
        let (classes, plans) = self.route(batch, &columns, route);
        if rows == 0 || plans.iter().all(|plan| plan.rules.is_empty()) {
            return Vec::new();
        }
        let tested = self.test(&columns, &plans);
        self.count_events(rows, &classes, &plans, &tested);
        let mut matches = Vec::new();
        let mut state = RowState::new(self);
        for row in 0..rows {
            let plan = &plans[classes.get(row).copied().unwrap_or(0) as usize];
            if plan.rules.is_empty() {
                continue;
            }
            self.gather(row, plan, &tested, &mut state);
            state.candidates.extend_from_slice(&plan.always);
            state.candidates.sort_unstable();
            for at in 0..state.candidates.len() {
                let rule = state.candidates[at];
                let holds = self.programs[rule as usize].run(|id| self.holds(id, row, &tested, &state));
                if holds {
                    let evidence = self.explain(rule, row, &tested, &state);
                    matches.push(Match { rule, row: row as u32, evidence });
                    self.seen[rule as usize].matches.fetch_add(1, Relaxed);
                }
            }
            state.clear();
        }
        matches
    }

    /// The class of each row (empty = all rows are of class 0) and the plan of each class.
    fn route(&self, batch: &EventBatch, columns: &Columns<'_>, route: Route<'_>) -> (Vec<u32>, Vec<Arc<Plan>>) {
        match route {
            Route::Everything => (Vec::new(), vec![Arc::new(self.make_plan(|_| true))]),
            Route::As(class) => (Vec::new(), vec![self.plan(class)]),
            Route::Mapped => crate::route::classify(self.mapping, &batch.dataset, columns, |class| self.plan(class)),
        }
    }

    fn plan(&self, class: &EventClass) -> Arc<Plan> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(class) {
            return plan.clone();
        }
        let plan = Arc::new(self.make_plan(|rule| self.rules[rule as usize].logsource.accepts(class)));
        // Classes come from the mapping's few words and from dataset names; the bound is for hostile dataset names.
        if plans.len() < 4096 {
            plans.insert(class.clone(), plan.clone());
        }
        plan
    }

    fn make_plan(&self, accepts: impl Fn(u32) -> bool) -> Plan {
        let rules: Vec<u32> = (0..self.rules.len() as u32).filter(|rule| accepts(*rule)).collect();
        let mut members = vec![0_u64; self.rules.len().div_ceil(64)];
        rules.iter().for_each(|rule| members[*rule as usize / 64] |= 1 << (rule % 64));
        let always = self.always.iter().copied().filter(|rule| accepts(*rule)).collect();
        let mut fields: Vec<FieldId> = rules.iter().flat_map(|rule| self.rule_fields[*rule as usize].iter().copied()).collect();
        fields.sort_unstable();
        fields.dedup();
        let has_keywords = fields.last() == Some(&WHOLE_EVENT);
        fields.retain(|field| *field != WHOLE_EVENT);
        Plan { rules, members, always, fields, has_keywords }
    }

    /// Tests each distinct value of each field that some class of the batch needs.
    fn test<'c>(&self, columns: &'c Columns<'_>, plans: &[Arc<Plan>]) -> Tested<'c> {
        let mut fields: Vec<Option<Answers<'c>>> = Vec::new();
        fields.resize_with(self.fields.list.len(), || None);
        let mut scratch = Scratch::default();
        for field in plans.iter().flat_map(|plan| &plan.fields) {
            let at = *field as usize;
            if fields[at].is_none() {
                fields[at] =
                    columns.field(&self.fields.list[at].0).map(|column| answer(&self.matchers[at], column, &mut scratch));
            }
        }
        let mut whole = Vec::new();
        if plans.iter().any(|plan| plan.has_keywords) {
            let keywords = &self.matchers[self.fields.list.len()];
            for name in columns.names().filter(|name| self.mapping.is_searched_by_keywords(name)) {
                let found = columns.field(&[name]).map(|column| answer(keywords, column, &mut scratch));
                whole.extend(found.filter(|answers| !answers.ids.is_empty()));
            }
        }
        Tested { fields, whole }
    }

    /// Sets the bits of one row and finds the rules worth running.
    fn gather(&self, row: usize, plan: &Plan, tested: &Tested<'_>, state: &mut RowState) {
        for field in &plan.fields {
            if let Some(answers) = &tested.fields[*field as usize] {
                self.gather_field(row, plan, answers, state);
            }
        }
        if plan.has_keywords {
            for answers in &tested.whole {
                self.gather_field(row, plan, answers, state);
            }
        }
    }

    fn gather_field(&self, row: usize, plan: &Plan, answers: &Answers<'_>, state: &mut RowState) {
        for code in answers.column.codes(row) {
            for &id in answers.of(*code) {
                let (word, bit) = (id as usize / 64, 1_u64 << (id % 64));
                if state.bits[word] & bit != 0 {
                    continue;
                }
                state.bits[word] |= bit;
                state.touched.push(word as u32);
                for &rule in &self.witnesses[id as usize] {
                    let (word, bit) = (rule as usize / 64, 1_u64 << (rule % 64));
                    if plan.members[word] & bit & !state.marked[word] != 0 {
                        state.marked[word] |= bit;
                        state.candidates.push(rule);
                    }
                }
            }
        }
    }

    fn holds(&self, id: PredicateId, row: usize, tested: &Tested<'_>, state: &RowState) -> bool {
        if self.is_gathered[id as usize] {
            return state.bits[id as usize / 64] >> (id % 64) & 1 == 1;
        }
        let predicate = &self.predicates[id as usize];
        let column = |field: FieldId| tested.fields.get(field as usize).and_then(Option::as_ref).map(|answers| &answers.column);
        let is_present = || column(predicate.field).is_some_and(|column| !column.codes(row).is_empty());
        match &predicate.test {
            Test::Absent => !is_present(),
            Test::Exists(wanted) => is_present() == *wanted,
            Test::Field(relation, other) => match (column(predicate.field), column(*other)) {
                (Some(left), Some(right)) => relates(*relation, left, right, row),
                _ => false,
            },
            _ => false,
        }
    }

    /// The items that made the rule true of the row, in the order of the file: those of maps that hold as a whole.
    fn explain(&self, rule: u32, row: usize, tested: &Tested<'_>, state: &RowState) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        let is_true = |item: &EvidenceItem| {
            let mut holds = item.predicates.iter().map(|id| self.holds(*id, row, tested, state));
            (if item.all { holds.all(|holds| holds) } else { holds.any(|holds| holds) }) != item.negated
        };
        for map in self.items[rule as usize].chunk_by(|a, b| a.map == b.map) {
            if map.iter().all(is_true) {
                evidence.extend(map.iter().map(|item| self.show(item, row, tested, state)));
            }
        }
        evidence
    }

    fn show(&self, item: &EvidenceItem, row: usize, tested: &Tested<'_>, state: &RowState) -> Evidence {
        let id = item.predicates.iter().copied().find(|id| self.holds(*id, row, tested, state));
        let id = id.or_else(|| item.predicates.first().copied()).unwrap_or_default();
        let field = self.predicates[id as usize].field;
        let value = if field == WHOLE_EVENT {
            tested.whole.iter().find_map(|answers| answers.value_with(row, id))
        } else {
            let answers = tested.fields[field as usize].as_ref();
            answers.and_then(|answers| answers.value_with(row, id).or_else(|| answers.column.texts(row).next()))
        };
        Evidence {
            identifier: item.identifier.to_string(),
            field: item.field.to_string(),
            modifiers: item.modifiers.to_string(),
            value: cut(value.unwrap_or_default()),
        }
    }

    fn count_events(&self, all_rows: usize, classes: &[u32], plans: &[Arc<Plan>], tested: &Tested<'_>) {
        let mut rows = vec![0_u64; plans.len()];
        classes.iter().for_each(|class| rows[*class as usize] += 1);
        if classes.is_empty() {
            rows[0] = all_rows as u64;
        }
        for (plan, rows) in plans.iter().zip(rows) {
            for rule in &plan.rules {
                let counters = &self.seen[*rule as usize];
                counters.events.fetch_add(rows, Relaxed);
                let has_field = |field: &FieldId| *field == WHOLE_EVENT || tested.fields[*field as usize].is_some();
                if self.rule_fields[*rule as usize].iter().any(has_field) {
                    counters.events_with_fields.fetch_add(rows, Relaxed);
                }
            }
        }
    }
}

/// How often a predicate is expected to be true, roughly: many rules ask for what is common, long literals are rare.
fn cost(predicate: &Predicate, uses: u32) -> f32 {
    let literal_len = match &predicate.test {
        Test::Text(patterns) => patterns.iter().map(|pattern| pattern.longest_text().map_or(0, str::len)).min().unwrap_or(0),
        Test::Regex(expression) => crate::gate::required(&expression.0).map_or(1, |literals| literals[0].len()),
        Test::Networks(_) => 2,
        _ => 1,
    };
    let alternatives = match &predicate.test {
        Test::Text(patterns) => patterns.len(),
        Test::Numbers(numbers) => numbers.len(),
        _ => 1,
    };
    (uses as f32) * (1.0 + alternatives as f32 * 0.05) / (1.0 + literal_len as f32)
}

fn relates(relation: Relation, left: &Column<'_>, right: &Column<'_>, row: usize) -> bool {
    let (mut a, mut b) = (String::new(), String::new());
    left.texts(row).any(|text| {
        fold_into(text, &mut a);
        right.texts(row).any(|other| {
            fold_into(other, &mut b);
            relation.holds(&a, &b)
        })
    })
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(EVIDENCE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// The answers for one column: for each distinct value the predicates that are true of it.
struct Answers<'a> {
    column: Column<'a>,
    ends: Vec<u32>,
    ids: Vec<PredicateId>,
}

impl Answers<'_> {
    fn of(&self, code: u32) -> &[PredicateId] {
        let start = if code == 0 { 0 } else { self.ends[code as usize - 1] };
        &self.ids[start as usize..self.ends[code as usize] as usize]
    }

    /// The row's value that a predicate is true of.
    fn value_with(&self, row: usize, id: PredicateId) -> Option<&str> {
        let code = self.column.codes(row).iter().find(|code| self.of(**code).contains(&id))?;
        Some(self.column.distinct.text(*code))
    }
}

fn answer<'a>(matcher: &Matcher, column: Column<'a>, scratch: &mut Scratch) -> Answers<'a> {
    let distinct = column.distinct.len();
    let (mut ends, mut ids) = (Vec::with_capacity(distinct), Vec::new());
    if matcher.is_empty() {
        ends.resize(distinct, 0);
    } else {
        for code in 0..distinct {
            matcher.test(column.distinct.text(code as u32), scratch, &mut ids);
            ends.push(ids.len() as u32);
        }
    }
    Answers { column, ends, ids }
}

struct Tested<'a> {
    fields: Vec<Option<Answers<'a>>>,
    whole: Vec<Answers<'a>>,
}

/// What is known of the row at hand; reused from row to row.
struct RowState {
    bits: Vec<u64>,
    touched: Vec<u32>,
    marked: Vec<u64>,
    candidates: Vec<u32>,
}

impl RowState {
    fn new(set: &RuleSet) -> Self {
        let words = |count: usize| vec![0; count.div_ceil(64)];
        Self { bits: words(set.predicates.len()), touched: Vec::new(), marked: words(set.rules.len()), candidates: Vec::new() }
    }

    fn clear(&mut self) {
        self.touched.drain(..).for_each(|word| self.bits[word as usize] = 0);
        self.candidates.drain(..).for_each(|rule| self.marked[rule as usize / 64] = 0);
    }
}
