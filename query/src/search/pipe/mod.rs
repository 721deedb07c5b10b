//! Commands after `|`: `failed ssh | stats count() as n by source.ip | where n > 100 | sort -n`.
//!
//! ```text
//! text ──read──▶ stages ──plan──▶ one SQL statement: a CTE where a stage needs the rows of the one before as a whole
//! ```
//!
//! Invariants:
//! * What comes out is SQL like any other: dialect, allow-list, scope and masking hold below it ([`crate::rewrite`]).
//! * A comparison with a missing value is false and its negation true, as in the search box.
//! * Rows have an order at every stage (newest first, until a command gives another one), and it has no ties: `head` and
//!   `dedup` give the same rows each time.
//! * Length, depth, number of stages and of operators are bounded before anything is planned.

mod columns;
mod expr;
mod functions;
mod groups;
mod lexer;
mod plan;
mod read;
mod read_expr;
mod select;
mod sequence;
mod shape;
mod tables;

pub use expr::{Expr, Operator};
pub use functions::{AGGREGATES, FUNCTIONS, Function};
pub use lexer::Span;
pub use plan::Shape;
pub(crate) use plan::{names_behind, plan};
pub(crate) use read::read;
pub use shape::Type;

/// Stages in one search, those inside brackets included.
pub const STAGES_MAX: usize = 30;

/// Searches inside brackets inside brackets.
pub(crate) const BRACKETS_MAX: usize = 3;

/// Steps of one `sequence`.
pub const SEQUENCE_STEPS_MAX: usize = 10;

/// Rows that `head`, `top`, `rare` and `dedup` can be asked for.
pub const COUNT_MAX: u64 = 1_000_000;

/// Values that `top` and `rare` show, and rows of `head`, when no number is given.
pub const COUNT_DEFAULT: u64 = 10;

/// Series of a `timechart` before the rest is put together as `OTHER`.
pub const SERIES_DEFAULT: u64 = 10;

/// A command, as the manual and completion list it.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    pub name: &'static str,
    pub usage: &'static str,
    pub en: &'static str,
    pub vi: &'static str,
}

/// Every command.
#[rustfmt::skip]
pub const VERBS: &[Verb] = &[
    Verb { name: "where", usage: "where n > 100 and not user.name in (\"root\", \"admin\")", en: "Keeps the rows for which the condition is true.", vi: "Giữ các dòng thoả điều kiện." },
    Verb { name: "search", usage: "search failed source.ip:10.0.0.0/8", en: "Keeps the rows that match, in the words of the search box.", vi: "Giữ các dòng khớp, viết như ô tìm kiếm." },
    Verb { name: "eval", usage: "eval seconds = event.duration / 1000000000", en: "Computes fields, one after the other.", vi: "Tính thêm trường, lần lượt từng trường." },
    Verb { name: "extract", usage: "extract message \"user=(?<account>\\S+)\"", en: "Makes fields of the named groups of a pattern; without a field it reads event.original.", vi: "Tạo trường từ các nhóm có tên của một mẫu; không nêu trường thì đọc event.original." },
    Verb { name: "stats", usage: "stats count() as n, dc(user.name) by source.ip", en: "Counts and sums, one row per group; rows without a value are a group of their own.", vi: "Đếm và tính tổng, mỗi nhóm một dòng; các dòng không có giá trị là một nhóm riêng." },
    Verb { name: "timechart", usage: "timechart span=1h count() by event.dataset", en: "Counts and sums over time; beyond the 10 largest series the rest is OTHER.", vi: "Đếm và tính tổng theo thời gian; ngoài 10 chuỗi lớn nhất, phần còn lại là OTHER." },
    Verb { name: "top", usage: "top 20 source.ip by event.dataset", en: "The most frequent values with count and percent; 10 when no number is given.", vi: "Các giá trị nhiều nhất, kèm số lượng và phần trăm; mặc định 10." },
    Verb { name: "rare", usage: "rare process.name", en: "The rarest values with count and percent; 10 when no number is given.", vi: "Các giá trị hiếm nhất, kèm số lượng và phần trăm; mặc định 10." },
    Verb { name: "dedup", usage: "dedup user.name, source.ip", en: "Keeps the first row (or the first n) of each combination, in the order of the rows.", vi: "Giữ dòng đầu (hoặc n dòng đầu) của mỗi tổ hợp, theo thứ tự dòng." },
    Verb { name: "sort", usage: "sort -n, user.name", en: "Orders the rows; - is descending, rows without a value come last.", vi: "Sắp xếp; dấu - là giảm dần, dòng không có giá trị xếp cuối." },
    Verb { name: "head", usage: "head 20", en: "Keeps the first rows; 10 when no number is given.", vi: "Giữ các dòng đầu; mặc định 10." },
    Verb { name: "table", usage: "table timestamp, user.name, source.ip", en: "Keeps these fields, in this order.", vi: "Giữ các trường này, theo thứ tự này." },
    Verb { name: "fields", usage: "fields - event.original", en: "Keeps these fields, or with - removes them.", vi: "Giữ các trường này, hoặc bỏ đi nếu có dấu -." },
    Verb { name: "rename", usage: "rename source.ip as attacker", en: "Gives fields other names.", vi: "Đổi tên trường." },
    Verb { name: "expand", usage: "expand related.ip", en: "Makes one row of each element of a list; rows with an empty list are left out.", vi: "Tách mỗi phần tử của danh sách thành một dòng; bỏ dòng có danh sách rỗng." },
    Verb { name: "lookup", usage: "lookup systems on system.id output name, level", en: "Adds columns of a small table: systems.name, systems.level.", vi: "Thêm cột từ một bảng nhỏ: systems.name, systems.level." },
    Verb { name: "join", usage: "join left user.name [event.outcome:failure | stats count() as failures by user.name]", en: "Adds the columns of another search, at most one of its rows to each row.", vi: "Thêm cột của một câu tìm khác, mỗi dòng nhiều nhất một dòng của câu đó." },
    Verb { name: "sequence", usage: "sequence by user.name within 10m [event.outcome:failure] [event.outcome:success]", en: "Finds these steps one after the other, for the same key, within the time.", vi: "Tìm các bước này nối tiếp nhau, cùng khoá, trong khoảng thời gian." },
];

pub(super) fn verb(word: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name.eq_ignore_ascii_case(word))
}

pub(super) fn is_verb(word: &str) -> bool {
    verb(word).is_some()
}

/// A name as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub name: String,
    pub span: Span,
}

/// Text of the search language inside a stage, read when the fields at that stage are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    pub text: String,
    pub span: Span,
}

/// One aggregate of `stats` or `timechart`.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub function: Named,
    pub args: Vec<Expr>,
    /// Only rows for which this is true count.
    pub condition: Option<Expr>,
    /// The column's name: what follows `as`, else the aggregate as it was written.
    pub name: Named,
}

/// What `stats` groups by.
#[derive(Clone, Debug, PartialEq)]
pub struct By {
    pub expr: Expr,
    pub name: Named,
}

/// A command with its parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    Where(Expr),
    Search(Raw),
    Eval(Vec<(Named, Expr)>),
    Extract {
        field: Option<Named>,
        pattern: Named,
    },
    Stats {
        aggregates: Vec<Aggregate>,
        by: Vec<By>,
    },
    Timechart {
        span: Option<i64>,
        limit: u64,
        aggregates: Vec<Aggregate>,
        by: Option<Named>,
    },
    Top {
        count: u64,
        fields: Vec<Named>,
        by: Vec<Named>,
        is_rare: bool,
    },
    Dedup {
        count: u64,
        keys: Vec<Named>,
    },
    /// Each with whether it descends.
    Sort(Vec<(Named, bool)>),
    Head(u64),
    Keep(Vec<Named>),
    Remove(Vec<Named>),
    Rename(Vec<(Named, Named)>),
    Expand(Named),
    Lookup {
        table: Named,
        key: Named,
        column: Option<Named>,
        output: Vec<(Named, Option<Named>)>,
    },
    Join {
        keeps_all: bool,
        keys: Vec<Named>,
        search: Raw,
    },
    Sequence {
        keys: Vec<Named>,
        within: i64,
        steps: Vec<Raw>,
    },
}

/// A command and where it stands, from its name to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub stage: Stage,
    pub span: Span,
}
