//! Functions and aggregates of expressions, and the SQL that they mean.
//!
//! Only what is listed here exists; the SQL uses only what [`crate::functions`] allows. Text functions give no value when
//! an argument has none; clock functions count in the time of Việt Nam.

use super::{
    Aggregate, Expr,
    columns::Columns,
    expr::{Typed, Typing},
    shape::Type,
};
use crate::{
    error::nearest,
    search::{
        Problem, SearchError,
        compile::{name, quoted},
    },
};

/// A function, as the manual and completion list it.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    pub name: &'static str,
    pub usage: &'static str,
    min: usize,
    max: usize,
    pub en: &'static str,
    pub vi: &'static str,
}

/// Việt Nam has one zone and no summer time.
const ZONE: &str = "+07:00";

/// The same as hours.
const ZONE_HOURS: u8 = 7;

/// Arguments of `case` and the like.
const MANY: usize = 40;

#[rustfmt::skip]
pub const FUNCTIONS: &[Function] = &[
    Function { name: "if", usage: "if(condition, a, b)", min: 3, max: 3, en: "a where the condition is true, else b.", vi: "a nếu điều kiện đúng, không thì b." },
    Function { name: "case", usage: "case(condition, a, condition, b, …, otherwise)", min: 2, max: MANY, en: "The value behind the first true condition; without a last value there is none.", vi: "Giá trị sau điều kiện đúng đầu tiên; không có giá trị cuối thì để trống." },
    Function { name: "coalesce", usage: "coalesce(a, b, …)", min: 1, max: MANY, en: "The first that has a value.", vi: "Giá trị đầu tiên không trống." },
    Function { name: "isnull", usage: "isnull(x)", min: 1, max: 1, en: "True where there is no value.", vi: "Đúng khi không có giá trị." },
    Function { name: "isnotnull", usage: "isnotnull(x)", min: 1, max: 1, en: "True where there is a value.", vi: "Đúng khi có giá trị." },
    Function { name: "match", usage: "match(message, \"failed password\")", min: 2, max: 2, en: "True when the words stand in the text, as in the search box.", vi: "Đúng khi các từ có trong văn bản, như ô tìm kiếm." },
    Function { name: "contains", usage: "contains(x, \"part\")", min: 2, max: 2, en: "True when the part stands anywhere in the text, case included.", vi: "Đúng khi văn bản có chứa phần này, phân biệt hoa thường." },
    Function { name: "startswith", usage: "startswith(x, \"begin\")", min: 2, max: 2, en: "True when the text begins so, case included.", vi: "Đúng khi văn bản bắt đầu như vậy, phân biệt hoa thường." },
    Function { name: "endswith", usage: "endswith(x, \"end\")", min: 2, max: 2, en: "True when the text ends so, case included.", vi: "Đúng khi văn bản kết thúc như vậy, phân biệt hoa thường." },
    Function { name: "cidr", usage: "cidr(source.ip, \"10.0.0.0/8\", …)", min: 2, max: MANY, en: "True when the address is in one of the networks.", vi: "Đúng khi địa chỉ thuộc một trong các mạng." },
    Function { name: "is_private", usage: "is_private(source.ip)", min: 1, max: 1, en: "True for addresses that are not routed on the internet.", vi: "Đúng với địa chỉ không định tuyến trên Internet." },
    Function { name: "lower", usage: "lower(x)", min: 1, max: 1, en: "In lower case.", vi: "Viết thường." },
    Function { name: "upper", usage: "upper(x)", min: 1, max: 1, en: "In upper case.", vi: "Viết hoa." },
    Function { name: "trim", usage: "trim(x)", min: 1, max: 1, en: "Without spaces at both ends.", vi: "Bỏ khoảng trắng hai đầu." },
    Function { name: "len", usage: "len(x)", min: 1, max: 1, en: "Number of characters; of a list, of elements.", vi: "Số ký tự; với danh sách là số phần tử." },
    Function { name: "substr", usage: "substr(x, start, length)", min: 2, max: 3, en: "A part of the text; the first character is 1.", vi: "Một phần văn bản; ký tự đầu là 1." },
    Function { name: "replace", usage: "replace(x, \"old\", \"new\")", min: 3, max: 3, en: "Every occurrence replaced.", vi: "Thay mọi chỗ xuất hiện." },
    Function { name: "split", usage: "split(x, \",\", n)", min: 3, max: 3, en: "The n-th part between separators, counted from 1; empty when there is none.", vi: "Phần thứ n giữa các dấu phân cách, đếm từ 1; rỗng nếu không có." },
    Function { name: "concat", usage: "concat(a, \" \", b)", min: 2, max: MANY, en: "One text of several; no value when one has none.", vi: "Nối các văn bản; trống nếu có phần trống." },
    Function { name: "extract", usage: "extract(message, \"user=(?<u>\\S+)\")", min: 2, max: 2, en: "The first named group of a pattern.", vi: "Nhóm có tên đầu tiên của một mẫu." },
    Function { name: "mvjoin", usage: "mvjoin(related.ip, \", \")", min: 2, max: 2, en: "A list as one text.", vi: "Nối danh sách thành một văn bản." },
    Function { name: "tonumber", usage: "tonumber(x)", min: 1, max: 1, en: "Text as a number; no value when it is none.", vi: "Văn bản thành số; trống nếu không phải số." },
    Function { name: "tostring", usage: "tostring(x)", min: 1, max: 1, en: "Any value as text.", vi: "Giá trị thành văn bản." },
    Function { name: "abs", usage: "abs(x)", min: 1, max: 1, en: "Without its sign.", vi: "Giá trị tuyệt đối." },
    Function { name: "round", usage: "round(x, digits)", min: 1, max: 2, en: "Rounded; half away from zero.", vi: "Làm tròn; nửa thì ra xa số 0." },
    Function { name: "bin", usage: "bin(timestamp, 5m)", min: 2, max: 2, en: "The beginning of the span that holds the time; days and weeks begin as in Việt Nam.", vi: "Đầu khoảng chứa thời điểm; ngày và tuần theo giờ Việt Nam." },
    Function { name: "now", usage: "now()", min: 0, max: 0, en: "This moment, the same in the whole search.", vi: "Thời điểm hiện tại, như nhau trong cả câu." },
    Function { name: "hour", usage: "hour(timestamp)", min: 1, max: 1, en: "Hour of the day, 0 to 23, in Việt Nam.", vi: "Giờ trong ngày, 0 đến 23, giờ Việt Nam." },
    Function { name: "weekday", usage: "weekday(timestamp)", min: 1, max: 1, en: "1 for Monday to 7 for Sunday, in Việt Nam.", vi: "1 là thứ Hai … 7 là Chủ nhật, giờ Việt Nam." },
];

#[rustfmt::skip]
pub const AGGREGATES: &[Function] = &[
    Function { name: "count", usage: "count()", min: 0, max: 1, en: "Rows; with a field, rows that have it.", vi: "Số dòng; nếu nêu trường thì số dòng có trường đó." },
    Function { name: "dc", usage: "dc(user.name)", min: 1, max: 1, en: "Number of different values.", vi: "Số giá trị khác nhau." },
    Function { name: "sum", usage: "sum(network.bytes)", min: 1, max: 1, en: "Sum.", vi: "Tổng." },
    Function { name: "avg", usage: "avg(network.bytes)", min: 1, max: 1, en: "Mean.", vi: "Trung bình." },
    Function { name: "min", usage: "min(timestamp)", min: 1, max: 1, en: "Smallest value.", vi: "Giá trị nhỏ nhất." },
    Function { name: "max", usage: "max(timestamp)", min: 1, max: 1, en: "Largest value.", vi: "Giá trị lớn nhất." },
    Function { name: "median", usage: "median(event.duration)", min: 1, max: 1, en: "Middle value.", vi: "Trung vị." },
    Function { name: "percentile", usage: "percentile(event.duration, 95)", min: 2, max: 2, en: "The value below which so many percent lie.", vi: "Giá trị mà chừng ấy phần trăm nằm dưới." },
    Function { name: "stdev", usage: "stdev(network.bytes)", min: 1, max: 1, en: "Standard deviation of the sample.", vi: "Độ lệch chuẩn mẫu." },
    Function { name: "values", usage: "values(user.name)", min: 1, max: 1, en: "The different values as a list, in order.", vi: "Danh sách các giá trị khác nhau, theo thứ tự." },
    Function { name: "earliest", usage: "earliest(source.ip)", min: 1, max: 1, en: "The value of the oldest row that has one.", vi: "Giá trị của dòng cũ nhất có giá trị." },
    Function { name: "latest", usage: "latest(source.ip)", min: 1, max: 1, en: "The value of the newest row that has one.", vi: "Giá trị của dòng mới nhất có giá trị." },
];

type Result<T> = std::result::Result<T, SearchError>;

fn find<'f>(list: &'f [Function], called: &super::Named) -> Option<&'f Function> {
    list.iter().find(|function| function.name.eq_ignore_ascii_case(&called.name))
}

fn check_count(function: &Function, given: usize, span: super::Span) -> Result<()> {
    if (function.min..=function.max).contains(&given) {
        return Ok(());
    }
    Err(span.error(Problem::ArgumentCount, [&function.name, &function.usage]))
}

impl Typing<'_> {
    pub(super) fn call(&self, called: &super::Named, args: &[Expr], span: super::Span) -> Result<Typed> {
        let Some(function) = find(FUNCTIONS, called) else {
            if find(AGGREGATES, called).is_some() {
                return Err(called.span.error(Problem::AggregateHere, [&called.name]));
            }
            return Err(unknown(FUNCTIONS, called));
        };
        check_count(function, args.len(), span)?;
        let of = function.name;
        Ok(match of {
            "if" | "case" => self.choice(of, args, span)?,
            "coalesce" => self.coalesce(args, span)?,
            "isnull" => Typed::compound(format!("{} IS NULL", self.value(&args[0])?.operand()), Type::Boolean),
            "isnotnull" => Typed::compound(format!("{} IS NOT NULL", self.value(&args[0])?.operand()), Type::Boolean),
            "match" | "contains" | "startswith" | "endswith" => {
                let sql = match of {
                    "startswith" => "starts_with",
                    "endswith" => "ends_with",
                    same => same,
                };
                let text = self.text(&args[0], of)?;
                if text.holds == Type::List && of != "match" {
                    return Err(args[0].span().error(Problem::ListNotHere, [&text.sql]));
                }
                truth(format!("{sql}({}, {})", text.sql, quoted(&self.text_constant(&args[1], of)?)))
            }
            "cidr" => {
                let networks = args[1..].iter().map(|arg| self.network(arg)).collect::<Result<Vec<_>>>()?;
                truth(format!("cidr({}, {})", self.text(&args[0], of)?.sql, networks.join(", ")))
            }
            "is_private" => truth(format!("is_private({})", self.text(&args[0], of)?.sql)),
            "lower" | "upper" | "trim" => Typed::atom(format!("{of}({})", self.scalar_text(&args[0], of)?.sql), Type::Text),
            "len" => {
                let value = self.value(&args[0])?;
                match value.holds.is_list() {
                    true => Typed::atom(format!("CAST(array_length({}) AS BIGINT)", value.sql), Type::Long),
                    false => {
                        let text = self.scalar_text(&args[0], of)?;
                        Typed::atom(format!("CAST(char_length({}) AS BIGINT)", text.sql), Type::Long)
                    }
                }
            }
            "substr" => {
                let mut sql = format!("substr({}", self.scalar_text(&args[0], of)?.sql);
                for arg in &args[1..] {
                    sql += &format!(", {}", self.whole_constant(arg, of, 0, 1_000_000)?);
                }
                Typed::atom(sql + ")", Type::Text)
            }
            "replace" => {
                let text = self.scalar_text(&args[0], of)?;
                let (old, new) = (self.text_constant(&args[1], of)?, self.text_constant(&args[2], of)?);
                Typed::atom(format!("replace({}, {}, {})", text.sql, quoted(&old), quoted(&new)), Type::Text)
            }
            "split" => {
                let text = self.scalar_text(&args[0], of)?;
                let (by, n) = (self.text_constant(&args[1], of)?, self.whole_constant(&args[2], of, 1, 10_000)?);
                Typed::atom(format!("split_part({}, {}, {n})", text.sql, quoted(&by)), Type::Text)
            }
            "concat" => {
                let parts = args.iter().map(|arg| Ok(self.scalar_text(arg, of)?.operand())).collect::<Result<Vec<_>>>()?;
                Typed::compound(parts.join(" || "), Type::Text)
            }
            "extract" => {
                let text = self.scalar_text(&args[0], of)?;
                let pattern = self.pattern(&args[1], of)?;
                let groups = super::tables::groups(&pattern, args[1].span())?;
                Typed::atom(extracted(&text.sql, &pattern, &groups[0]), Type::Text)
            }
            "mvjoin" => {
                let list = self.value(&args[0])?;
                if !list.holds.is_list() {
                    return Err(args[0].span().error(Problem::NeedsType, [&of, &"list", &list.holds]));
                }
                Typed::atom(format!("array_to_string({}, {})", list.sql, quoted(&self.text_constant(&args[1], of)?)), Type::Text)
            }
            "tonumber" => {
                let number = self.number(&args[0], of)?;
                Typed { holds: if number.holds == Type::Nothing { Type::Double } else { number.holds }, ..number }
            }
            "tostring" => self.scalar_text(&args[0], of)?,
            "abs" => {
                let number = self.number(&args[0], of)?;
                let sql = number.operand();
                Typed::atom(format!("CASE WHEN {sql} < 0 THEN -{sql} ELSE {sql} END"), number.holds)
            }
            "round" => {
                let number = self.number(&args[0], of)?;
                let digits = args.get(1).map_or(Ok(0), |arg| self.whole_constant(arg, of, 0, 9))?;
                Typed::atom(format!("CAST(TRY_CAST({} AS DECIMAL(38, {digits})) AS DOUBLE)", number.sql), Type::Double)
            }
            "bin" => {
                let time = self.time(&args[0], of)?;
                let Expr::Duration { micros, .. } = &args[1] else { return Err(args[1].span().error(Problem::BadSpan, [])) };
                if *micros == 0 {
                    return Err(args[1].span().error(Problem::BadSpan, []));
                }
                Typed::atom(binned(&time.sql, *micros), Type::Date)
            }
            "now" => Typed::atom("now()", Type::Date),
            _ => {
                let part = if of == "hour" { "hour" } else { "isodow" };
                let time = self.time(&args[0], of)?;
                let sql = format!("date_part('{part}', {} + INTERVAL '{ZONE_HOURS} hours')", time.operand());
                // ISO days count from 0 here.
                let sql = if of == "hour" { sql } else { format!("{sql} + 1") };
                Typed::atom(format!("CAST({sql} AS BIGINT)"), Type::Long)
            }
        })
    }

    fn choice(&self, of: &str, args: &[Expr], span: super::Span) -> Result<Typed> {
        let mut sql = String::from("CASE");
        let mut holds = Type::Nothing;
        let mut add = |arg: &Expr| -> Result<String> {
            let value = self.value(arg)?;
            holds = joined_types(holds, value.holds, span)?;
            Ok(value.operand())
        };
        let pairs = args.chunks(2);
        for pair in pairs {
            match pair {
                [condition, value] => sql += &format!(" WHEN {} THEN {}", self.condition(condition)?, add(value)?),
                [otherwise] => sql += &format!(" ELSE {}", add(otherwise)?),
                _ => return Err(span.error(Problem::ArgumentCount, [&of, &of])),
            }
        }
        not_nothing(holds, span)?;
        Ok(Typed { is_two_valued: holds != Type::Boolean, ..Typed::atom(sql + " END", holds) })
    }

    fn coalesce(&self, args: &[Expr], span: super::Span) -> Result<Typed> {
        let mut holds = Type::Nothing;
        let mut parts = Vec::new();
        for arg in args {
            let value = self.value(arg)?;
            holds = joined_types(holds, value.holds, span)?;
            parts.push(value.sql);
        }
        not_nothing(holds, span)?;
        Ok(Typed::atom(format!("coalesce({})", parts.join(", ")), holds))
    }

    /// As one text: numbers and times in their own words, lists not at all.
    pub(super) fn scalar_text(&self, expr: &Expr, of: &str) -> Result<Typed> {
        let typed = self.value(expr)?;
        match typed.holds {
            Type::Text | Type::Ip => Ok(Typed { holds: Type::Text, ..typed }),
            Type::List | Type::Array => Err(expr.span().error(Problem::ListNotHere, [&typed.sql])),
            Type::Span => Err(expr.span().error(Problem::NeedsType, [&of, &"text", &typed.holds])),
            _ => Ok(Typed::atom(format!("CAST({} AS VARCHAR)", typed.sql), Type::Text)),
        }
    }

    fn time(&self, expr: &Expr, of: &str) -> Result<Typed> {
        let typed = self.value(expr)?;
        match typed.holds {
            Type::Date => Ok(typed),
            other => Err(expr.span().error(Problem::NeedsType, [&of, &"time", &other])),
        }
    }

    fn network(&self, expr: &Expr) -> Result<String> {
        let text = self.text_constant(expr, "cidr")?;
        match crate::functions::network(&text) {
            Some(_) => Ok(quoted(&text)),
            None => Err(expr.span().error(Problem::NeedsType, [&"cidr", &"10.0.0.0/8", &format!("\"{text}\"")])),
        }
    }

    fn whole_constant(&self, expr: &Expr, of: &str, min: i64, max: i64) -> Result<i64> {
        let found = match expr {
            Expr::Number { text, .. } => text.parse::<i64>().ok().filter(|number| (min..=max).contains(number)),
            _ => None,
        };
        found.ok_or_else(|| expr.span().error(Problem::OutOfRange, [&of, &min, &max]))
    }

    /// One aggregate as SQL.
    pub(super) fn aggregate(&self, aggregate: &Aggregate) -> Result<Typed> {
        let called = &aggregate.function;
        let (of, args) = match shorthand(&called.name) {
            Some(percent) => ("percentile", [aggregate.args.clone(), vec![percent]].concat()),
            None => {
                let Some(function) = find(AGGREGATES, called) else { return Err(unknown(AGGREGATES, called)) };
                (function.name, aggregate.args.clone())
            }
        };
        let function = AGGREGATES.iter().find(|function| function.name == of).unwrap_or(&AGGREGATES[0]);
        check_count(function, args.len(), aggregate.name.span.to(called.span))?;
        let mut filters: Vec<String> = aggregate.condition.iter().map(|expr| self.condition(expr)).collect::<Result<_>>()?;
        let Some(first) = args.first() else { return Ok(Typed::atom(format!("count(*){}", filter(&filters)), Type::Long)) };
        let value = self.value(first)?;
        let is_scalar = !value.holds.is_list();
        if !is_scalar && !matches!(of, "count") {
            return Err(first.span().error(Problem::ListNotHere, [&value.sql]));
        }
        let (sql, holds) = match of {
            "count" => (format!("count({})", value.sql), Type::Long),
            "dc" => (format!("count(DISTINCT {})", value.sql), Type::Long),
            "sum" => {
                let number = self.number(first, of)?;
                (format!("sum({})", number.sql), number.holds)
            }
            "avg" => (format!("avg({})", self.number(first, of)?.sql), Type::Double),
            "stdev" => (format!("stddev(CAST({} AS DOUBLE))", self.number(first, of)?.sql), Type::Double),
            "median" => (format!("median(CAST({} AS DOUBLE))", self.number(first, of)?.sql), Type::Double),
            "min" | "max" if matches!(value.holds, Type::Boolean | Type::Span) => {
                return Err(first.span().error(Problem::NeedsType, [&of, &"number", &value.holds]));
            }
            "min" | "max" => (format!("{of}({})", value.sql), value.holds),
            "percentile" => {
                let number = self.number(first, of)?;
                let percent = self.whole_constant(&args[1], of, 0, 100)?;
                let share = format!("CAST('{}' AS DOUBLE)", percent as f64 / 100.0);
                (format!("percentile_cont({share}) WITHIN GROUP (ORDER BY CAST({} AS DOUBLE))", number.sql), Type::Double)
            }
            "values" => {
                let text = self.scalar_text(first, of)?;
                filters.push(format!("{} IS NOT NULL", text.operand()));
                (format!("array_agg(DISTINCT {0} ORDER BY {0})", text.sql), Type::Array)
            }
            _ => {
                let order = time_order(self.columns, called)?;
                let direction = if of == "latest" { " DESC" } else { "" };
                let mut keys: Vec<String> = order.iter().map(|key| format!("{}{direction}", name(key))).collect();
                keys.extend(self.columns.expanded.iter().filter(|key| self.columns.get(key).is_some()).map(|key| name(key)));
                filters.push(format!("{} IS NOT NULL", value.operand()));
                (format!("first_value({} ORDER BY {})", value.sql, keys.join(", ")), value.holds)
            }
        };
        Ok(Typed::atom(sql + &filter(&filters), holds))
    }
}

/// The fields that rows are in order of time by.
pub(super) fn time_order(columns: &Columns<'_>, asked_by: &super::Named) -> Result<Vec<&'static str>> {
    if columns.get("timestamp") != Some(Type::Date) {
        return Err(asked_by.span.error(Problem::NoTime, [&asked_by.name]));
    }
    let has_id = columns.get("event.id").is_some();
    Ok(if has_id { vec!["timestamp", "event.id"] } else { vec!["timestamp"] })
}

fn filter(conditions: &[String]) -> String {
    if conditions.is_empty() {
        return String::new();
    }
    let parts: Vec<String> =
        conditions.iter().map(|part| if conditions.len() > 1 { format!("({part})") } else { part.clone() }).collect();
    format!(" FILTER (WHERE {})", parts.join(" AND "))
}

/// `p95` is `percentile(…, 95)`.
fn shorthand(name: &str) -> Option<Expr> {
    let digits = name.strip_prefix(['p', 'P'])?;
    let is_percent = (1..=2).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
    is_percent.then(|| Expr::Number { text: digits.to_owned(), span: super::Span::default() })
}

fn truth(sql: String) -> Typed {
    Typed { is_two_valued: false, ..Typed::atom(sql, Type::Boolean) }
}

fn joined_types(one: Type, other: Type, span: super::Span) -> Result<Type> {
    one.with(other).ok_or_else(|| span.error(Problem::TwoTypes, [&one, &other]))
}

fn not_nothing(holds: Type, span: super::Span) -> Result<()> {
    if holds == Type::Nothing { Err(span.error(Problem::TwoTypes, [&holds, &holds])) } else { Ok(()) }
}

fn unknown(list: &[Function], called: &super::Named) -> SearchError {
    match nearest(&called.name, list.iter().map(|function| function.name)) {
        Some(near) => called.span.error(Problem::UnknownFunctionNear, [&called.name, &near]),
        None => called.span.error(Problem::UnknownFunction, [&called.name]),
    }
}

/// The beginning of the span that a time is in; spans count from a midnight in Việt Nam, weeks from a Monday.
pub(super) fn binned(time: &str, micros: i64) -> String {
    let week = 7 * 86_400_000_000;
    let origin = if micros % week == 0 { "1970-01-05" } else { "1970-01-01" };
    format!("date_bin({}, {time}, '{origin}T00:00:00{ZONE}')", super::expr::interval(micros))
}

/// One named group of a pattern as SQL.
pub(super) fn extracted(text: &str, pattern: &str, group: &str) -> String {
    format!("regexp_group({text}, {}, {})", quoted(pattern), quoted(group))
}
