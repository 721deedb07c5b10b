//! The answer in words, Vietnamese or English.

use std::fmt::Write as _;

use super::{Language, Report, plain};
use crate::sizing::{CPU_SECONDS_PER_MILLION, PEAK};

pub(super) fn write(report: &Report, language: Language, months: &[u32]) -> String {
    let say = |vi: &'static str, en: &'static str| if language == Language::Vi { vi } else { en };
    let number = |value: f64, digits: usize| number(value, digits, language);
    let mut text = String::new();
    let need = &report.need;
    let _ = writeln!(
        text,
        "{}: {} {} ({})",
        say("Tải", "Load"),
        number(report.events_per_second, if report.events_per_second < 100.0 { 1 } else { 0 }),
        say("sự kiện/giây", "events/s"),
        if report.is_own_rate {
            say("đo tại máy chủ này", "measured here")
        } else {
            say("giả định; đổi bằng --eps", "assumed; change it with --eps")
        }
    );
    let _ = writeln!(
        text,
        "{}: {} {} ({})\n",
        say("Dung lượng mỗi sự kiện", "Size of an event"),
        number(need.bytes_per_event, 1),
        say("byte trên đĩa, gồm cột, dòng gốc và chỉ mục", "bytes on disk: columns, exact line and index"),
        if report.is_own {
            say("đo trên tệp của máy chủ này", "measured on the files of this server")
        } else {
            say("theo bảng số đo kèm chương trình", "from the measured table that comes with the program")
        }
    );
    let _ = writeln!(
        text,
        "{:<34} {:>12} {:>10} {:>12}",
        say("Loại nhật ký", "Log class"),
        say("sự kiện", "events"),
        say("byte gốc", "raw bytes"),
        say("byte trên đĩa", "bytes on disk")
    );
    for row in &report.rows {
        let raw = row.raw.map_or_else(|| "–".to_owned(), |raw| number(raw, 0));
        let _ = writeln!(
            text,
            "{:<34} {:>12} {:>10} {:>12}",
            plain(&row.class),
            number(row.events as f64, 0),
            raw,
            number(row.stored, 1)
        );
    }
    let _ = writeln!(
        text,
        "\n{}: {} GB/{}, {} GB/{}",
        say("Ổ đĩa", "Disk"),
        number(need.gigabytes_per_day, 1),
        say("ngày", "day"),
        number(need.gigabytes_per_year, 0),
        say("năm", "year")
    );
    for disk in &need.disk {
        let levels: Vec<String> =
            (1..).zip(months).filter(|(_, of)| **of == disk.months).map(|(level, _): (u32, _)| level.to_string()).collect();
        let _ = writeln!(
            text,
            "  {:>2} {} ({} {}): {} GB",
            disk.months,
            say("tháng", "months"),
            say("cấp độ", "level"),
            levels.join(", "),
            number(disk.gigabytes, 0)
        );
    }
    let _ = writeln!(
        text,
        "{}",
        say(
            "  (tính như thể mọi log cùng một cấp độ, tháng 31 ngày, dự phòng 15 %)",
            "  (as if all logs were of one level, months of 31 days, 15 % in reserve)"
        )
    );
    let _ = writeln!(
        text,
        "{}: {} {}, {} GB RAM ({} {} {}× {})",
        say("Máy chủ", "Server"),
        need.cores,
        say("nhân", "cores"),
        need.memory_gb,
        number(CPU_SECONDS_PER_MILLION, 0),
        say("giây CPU cho một triệu sự kiện; đỉnh", "CPU seconds per million events; peak"),
        number(PEAK, 0),
        say("mức thường; một nhân dành cho người dùng", "the sustained rate; one core for people")
    );
    outlook(&mut text, report, language);
    text
}

/// What the forecast says of the disk that is there.
fn outlook(text: &mut String, report: &Report, language: Language) {
    let say = |vi: &'static str, en: &'static str| if language == Language::Vi { vi } else { en };
    let Some(room) = report.outlook["budget_bytes"].as_f64().filter(|room| *room > 0.0) else { return };
    let stored = report.outlook["stored_bytes"].as_f64().unwrap_or(0.0);
    let full = report.outlook["full_on"].as_str();
    let _ = writeln!(
        text,
        "{}: {} / {} GB; {}",
        say("Ổ đĩa hiện có", "The disk that is there"),
        number(stored / 1e9, 1, language),
        number(room / 1e9, 1, language),
        match full {
            Some(day) => format!("{} {day}", say("đầy vào", "full on")),
            None => say("đủ cho lịch lưu hiện tại", "enough for the present rules").to_owned(),
        }
    );
}

/// 1.753,5 in Vietnamese, 1,753.5 in English.
fn number(value: f64, digits: usize, language: Language) -> String {
    let (group, point) = if language == Language::Vi { ('.', ',') } else { (',', '.') };
    let written = format!("{value:.digits$}");
    let (whole, rest) = written.split_once('.').unwrap_or((&written, ""));
    let mut text = String::new();
    for (at, char) in whole.chars().enumerate() {
        let left = whole.len() - at;
        if at > 0 && left % 3 == 0 && !text.ends_with('-') {
            text.push(group);
        }
        text.push(char);
    }
    if !rest.is_empty() {
        text.push(point);
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_here_read_them() {
        assert_eq!([number(1_753.54, 1, Language::Vi), number(1_753_000.0, 0, Language::En)], ["1.753,5", "1,753,000"]);
        assert_eq!([number(0.5, 1, Language::Vi), number(999.0, 0, Language::Vi)], ["0,5", "999"]);
    }
}
