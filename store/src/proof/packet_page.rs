//! The printable page of an evidence packet: Vietnamese first, English beside it; self-contained, every value escaped.

use chrono::DateTime;
use event::Micros;
use proof::packet::Manifest;

const STYLE: &str = "body{font:15px/1.5 'Be Vietnam Pro',system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}p.en,h1+p,td.en{color:#555}table{border-collapse:collapse;width:100%}\
td,th{border-bottom:1px solid #ccc;padding:.25rem .5rem .25rem 0;text-align:left;vertical-align:top}code{font:12px/1.4 'JetBrains Mono',monospace;\
word-break:break-all}@media print{body{margin:0}}";

pub(super) fn page(manifest: &Manifest, key: &str) -> String {
    let Manifest { system, node, exported_by, reason, program, .. } = manifest;
    let dataset = manifest.dataset.as_deref().unwrap_or("–");
    let (from, to) = manifest.received;
    let facts = [
        ("Hệ thống", "System", system.clone()),
        ("Loại nhật ký", "Log class", dataset.to_owned()),
        ("Nhận từ", "Received from", time(from)),
        ("Đến trước", "To, before", time(to)),
        ("Số dòng", "Rows", number(manifest.rows)),
        ("Số lá chứng thực", "Leaves", number(manifest.leaves)),
        ("Chưa ký (để ngoài)", "Not signed yet (left out)", number(manifest.leaves_unsigned)),
        ("Đã xoá theo hạn lưu (để ngoài)", "Removed by retention (left out)", number(manifest.leaves_incomplete)),
        ("Máy chủ", "Server", node.clone()),
        ("Xuất lúc", "Exported at", time(manifest.exported_at)),
        ("Người xuất", "Exported by", exported_by.clone()),
        ("Lý do", "Reason", reason.clone()),
        ("Chương trình", "Program", program.clone()),
    ];
    let facts: String = facts.iter().map(|(vi, en, value)| row(vi, en, &escaped(value))).collect();
    let files: String = manifest
        .files
        .iter()
        .map(|file| {
            let hash = proof::codec::to_hex(&file.blake3);
            format!("<tr><td>{}</td><td>{}</td><td><code>{hash}</code></td></tr>", escaped(&file.path), number(file.bytes))
        })
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"vi\"><head><meta charset=\"utf-8\"><title>Hồ sơ chứng cứ – {title}</title>\
<meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n\
<h1>Hồ sơ chứng cứ nhật ký</h1><p lang=\"en\">Evidence packet of logs</p>\n<table>{facts}</table>\n\
<h2>Khoá công khai · Public key</h2><p><code>{key}</code></p>\n\
<p>So khoá này với khoá đã ghi lại khi cài đặt. Nếu khác nhau, hồ sơ không có giá trị.</p>\n\
<p class=\"en\" lang=\"en\">Compare this key with the one noted at installation. If they differ, the packet proves nothing.</p>\n\
<h2>Cách kiểm tra · How to check</h2>\n\
<p><code>chieng-verify --key KEY --anchors FILE FOLDER</code></p>\n\
<p>KEY là khoá công khai đã ghi; FILE là văn bản bất kỳ có các dòng <code>CHIENG-ROOT …</code> mà kiểm toán viên đã nhận (thư, syslog, bản in). \
Chương trình tính lại mọi lá từ các dòng nhật ký, đi theo chuỗi đến gốc đã ký, rồi so gốc với các dòng đó. Trang này chỉ tóm tắt: \
giá trị chứng cứ nằm ở các tệp và chữ ký.</p>\n\
<p class=\"en\" lang=\"en\">KEY is the public key you noted; FILE is any text with the lines <code>CHIENG-ROOT …</code> that you received (mail, \
syslog, print). The program makes every leaf again from the rows, follows the chain to the signed root and compares it with those lines. \
This page only sums up: the proof is in the files and signatures.</p>\n\
<h2>Tệp · Files</h2><table><tr><th>Tệp · File</th><th>Byte</th><th>BLAKE3</th></tr>{files}</table>\n</body></html>\n",
        title = escaped(system),
    )
}

fn row(vi: &str, en: &str, value: &str) -> String {
    format!("<tr><td>{vi}</td><td class=\"en\" lang=\"en\">{en}</td><td>{value}</td></tr>")
}

/// Text as text: systems, reasons and file names are not ours.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other if other.is_control() => out.push('\u{FFFD}'),
            other => out.push(other),
        }
    }
    out
}

/// Vietnamese clock, and the same in UTC.
fn time(at: Micros) -> String {
    const VIETNAM: i64 = 7 * proof::HOUR;
    let show = |at: Micros, form: &str| {
        DateTime::from_timestamp_micros(at).map_or_else(|| at.to_string(), |time| time.format(form).to_string())
    };
    format!("{} (+07) · {}", show(at.saturating_add(VIETNAM), "%d/%m/%Y %H:%M:%S"), show(at, "%Y-%m-%dT%H:%M:%SZ"))
}

/// 1.753, as people here write numbers.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('.');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_text_and_numbers_are_ours() {
        let manifest = Manifest {
            format: 1,
            program: "chieng 0".into(),
            node: "n".into(),
            system: "<script>alert('1')</script>".into(),
            dataset: None,
            received: (0, 1),
            exported_at: 1_790_000_000_000_000,
            exported_by: "\"a\" & b".into(),
            reason: "x\u{1b}[31m".into(),
            rows: 1_234_567,
            leaves: 12,
            leaves_unsigned: 0,
            leaves_incomplete: 0,
            files: Vec::new(),
        };
        let page = page(&manifest, "00");
        assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains("http"));
        assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)") && page.contains("&quot;a&quot; &amp; b"));
        assert!(page.contains("1.234.567") && page.contains(">12<"));
        assert!(page.contains("21/09/2026 21:13:20 (+07) · 2026-09-21T14:13:20Z"), "{page}");
    }
}
