//! Are all classes of log that the level asks for arriving?

use std::collections::BTreeMap;

use super::{Finding, Memory};
use crate::Verdict;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Classes that the level asks for.
    pub needed: Vec<String>,
    /// Events of each class in the window.
    pub seen: BTreeMap<String, u64>,
    pub days: i64,
    /// The check's own names of its classes, Vietnamese and English.
    pub labels: BTreeMap<String, (String, String)>,
}

impl Input {
    fn vi<'a>(&'a self, class: &'a str) -> &'a str {
        self.labels.get(class).map_or_else(|| label_vi(class), |(vi, _)| vi)
    }

    fn en<'a>(&'a self, class: &'a str) -> &'a str {
        self.labels.get(class).map_or(class, |(_, en)| en)
    }
}

/// A class in the words of the page.
fn label_vi(class: &str) -> &str {
    match class {
        "access" => "truy cập hệ thống",
        "application" => "ứng dụng",
        "alert" => "cảnh báo an ninh",
        "process" => "tiến trình",
        "data" => "truy cập dữ liệu",
        other => other,
    }
}

pub fn judge(input: &Input) -> Finding {
    let is_seen = |class: &&String| input.seen.get(*class).is_some_and(|events| *events > 0);
    let part = input.needed.iter().filter(is_seen).count() as u64;
    let whole = input.needed.len() as u64;
    let missing: Vec<_> = input.needed.iter().filter(|class| !is_seen(class)).collect();
    let heard = input.seen.values().any(|events| *events > 0);
    let verdict = if !heard || whole == 0 { Verdict::Blind } else { Verdict::from_share(part, whole) };
    let (list_vi, list_en) = (
        missing.iter().map(|class| input.vi(class)).collect::<Vec<_>>().join(", "),
        missing.iter().map(|class| input.en(class)).collect::<Vec<_>>().join(", "),
    );
    let days = input.days;
    let (reason_vi, reason_en) = match verdict {
        Verdict::Blind => (
            format!("Không có sự kiện nào trong {days} ngày: {list_vi}."),
            format!("No event arrived in {days} days: {list_en}."),
        ),
        Verdict::Met => (
            format!("Đủ {whole} loại nhật ký mà cấp độ yêu cầu."),
            format!("All {whole} classes of log that the level asks for arrive."),
        ),
        _ => (
            format!("Thiếu loại nhật ký: {list_vi} (trong {days} ngày)."),
            format!("Missing classes of log: {list_en} (over {days} days)."),
        ),
    };
    let all_vi = input.needed.iter().map(|class| input.vi(class)).collect::<Vec<_>>().join(", ");
    let mut numbers: BTreeMap<String, i64> = [("present".to_owned(), part as i64), ("needed".to_owned(), whole as i64)].into();
    numbers.extend(input.seen.iter().map(|(class, events)| (format!("events_{class}"), (*events).min(i64::MAX as u64) as i64)));
    Finding {
        value_vi: format!("{part}/{whole} loại"),
        value_en: format!("{part}/{whole} classes"),
        threshold_vi: all_vi,
        threshold_en: input.needed.iter().map(|class| input.en(class)).collect::<Vec<_>>().join(", "),
        reason_vi,
        reason_en,
        numbers,
        memory: Memory::default(),
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(needed: &[&str], seen: &[(&str, u64)]) -> String {
        let input = Input {
            needed: needed.iter().map(|class| (*class).to_owned()).collect(),
            seen: seen.iter().map(|(class, n)| ((*class).to_owned(), *n)).collect(),
            days: 7,
            ..Input::default()
        };
        judge(&input).verdict.label_en()
    }

    #[test]
    fn each_class_counts() {
        let needed = ["access", "application", "alert", "process"];
        assert_eq!(verdict(&needed, &[("access", 3), ("application", 1), ("alert", 1), ("process", 9)]), "met");
        assert_eq!(verdict(&needed, &[("access", 3), ("alert", 1), ("process", 0)]), "partly (2/4)");
        assert_eq!(verdict(&needed, &[("data", 3)]), "breached");
        assert_eq!(verdict(&needed, &[]), "blind");
    }
}
