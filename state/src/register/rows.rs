//! From cells to rows: what a column may hold, and the words people write into it.
//!
//! Looks at one row at a time. What contradicts another row or the register is `import`'s business.

use std::net::IpAddr;

use chrono::NaiveDate;
use event::Micros;

use super::{
    Approval, Asset, AssetKind, AssetRole, Decision, LOG_CLASSES, Organisation, System, Tier,
    csv::{Cell, Column, Row, RowError, Table, fold},
    midnight,
};

/// Inclusive bounds of an address, range or prefix; IPv4 lies in the low 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bounds {
    pub v6: bool,
    pub first: u128,
    pub last: u128,
}

impl Bounds {
    pub fn contains(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.first <= other.first && other.last <= self.last
    }

    pub fn touches(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.first <= other.last && other.first <= self.last
    }

    pub fn size(&self) -> u128 {
        self.last - self.first
    }
}

/// The address as a number; an IPv4 address written inside IPv6 is the IPv4 address.
pub(crate) fn number(ip: IpAddr) -> (bool, u128) {
    match ip.to_canonical() {
        IpAddr::V4(v4) => (false, u32::from(v4).into()),
        IpAddr::V6(v6) => (true, v6.into()),
    }
}

/// Bounds of a canonical asset value; `None` for hosts.
pub(crate) fn bounds(asset: &Asset) -> Option<Bounds> {
    if asset.kind == AssetKind::Host { None } else { parse_range(&asset.value).ok().map(|(bounds, _)| bounds) }
}

pub(crate) const SYSTEM_COLUMNS: &[Column] = &[
    Column { key: "id", required: true, names: &["system_id", "system.id", "code", "mã", "mã hệ thống"] },
    Column { key: "name", required: true, names: &["system_name", "tên", "tên hệ thống", "hệ thống"] },
    Column { key: "level", required: true, names: &["cấp độ", "cấp"] },
    Column { key: "decision_number", required: false, names: &["số quyết định", "quyết định"] },
    Column { key: "decision_date", required: false, names: &["ngày quyết định"] },
    Column { key: "decision_body", required: false, names: &["cơ quan phê duyệt", "cơ quan ban hành"] },
    Column { key: "approval", required: false, names: &["status", "trạng thái", "trạng thái phê duyệt"] },
    Column { key: "owner", required: true, names: &["chủ quản", "đơn vị chủ quản"] },
    Column { key: "operator", required: true, names: &["đơn vị vận hành", "vận hành"] },
    Column { key: "unit", required: false, names: &["organization", "mã đơn vị", "đơn vị"] },
    Column { key: "retention_months", required: false, names: &["số tháng lưu", "số tháng lưu nhật ký"] },
    Column { key: "monitored", required: false, names: &["giám sát", "được giám sát"] },
    Column { key: "monitored_from", required: false, names: &["giám sát từ", "giám sát từ ngày"] },
    Column { key: "valid_from", required: false, names: &["hiệu lực từ", "từ ngày"] },
    Column { key: "valid_to", required: false, names: &["hiệu lực đến", "đến ngày"] },
];

pub(crate) const ASSET_COLUMNS: &[Column] = &[
    Column { key: "system", required: true, names: &["system_id", "system.id", "mã hệ thống", "hệ thống"] },
    Column { key: "kind", required: false, names: &["loại", "loại giá trị"] },
    Column { key: "value", required: true, names: &["giá trị", "địa chỉ", "address", "host", "range"] },
    Column { key: "name", required: false, names: &["tên", "tên tài sản", "tên thiết bị"] },
    Column { key: "role", required: false, names: &["vai trò", "loại thiết bị"] },
    Column { key: "quantity", required: false, names: &["số lượng"] },
    Column { key: "expected_source", required: false, names: &["nguồn nhật ký", "phải gửi nhật ký"] },
    Column { key: "classes", required: false, names: &["loại nhật ký", "log_classes"] },
    Column { key: "shared", required: false, names: &["dùng chung"] },
    Column { key: "valid_from", required: false, names: &["hiệu lực từ", "từ ngày"] },
    Column { key: "valid_to", required: false, names: &["hiệu lực đến", "đến ngày"] },
];

pub(crate) const ORGANISATION_COLUMNS: &[Column] = &[
    Column { key: "id", required: true, names: &["organization.id", "mã", "mã đơn vị"] },
    Column { key: "name", required: true, names: &["tên", "tên đơn vị"] },
    Column { key: "tier", required: true, names: &["cấp", "cấp hành chính", "loại"] },
    Column { key: "parent", required: false, names: &["cấp trên", "đơn vị cấp trên", "mã cấp trên"] },
    Column { key: "valid_from", required: false, names: &["hiệu lực từ", "từ ngày"] },
    Column { key: "valid_to", required: false, names: &["hiệu lực đến", "đến ngày"] },
];

type Read<T> = Result<T, RowError>;

/// A row read, with which of its dates the file itself gave.
pub(crate) struct Dated<T> {
    pub line: usize,
    pub row: T,
    pub has_from: bool,
}

pub(crate) fn system(table: &Table, row: &Row, now: Micros) -> Read<Dated<System>> {
    let cell = |key| table.cell(row, key);
    let decision = Decision {
        number: optional(cell("decision_number")),
        date: date(cell("decision_date"))?,
        body: optional(cell("decision_body")),
    };
    let from = date(cell("valid_from"))?;
    if let Some(decided) = decision.date {
        let at = cell("decision_date");
        if midnight(decided) > now {
            return Err(at.refuse("ngày quyết định ở tương lai", "the decision is dated in the future"));
        }
        if from.is_some_and(|from| from < decided) {
            return Err(cell("valid_from").refuse(
                "cấp độ không thể có hiệu lực trước quyết định phê duyệt (NĐ 331/2026/NĐ-CP điều 24)",
                "a level cannot be in force before the decision that approves it (ND 331/2026/NĐ-CP art. 24)",
            ));
        }
    }
    if decision.number.is_some() != decision.date.is_some() {
        let at = if table.has("decision_date") { cell("decision_date") } else { cell("decision_number") };
        return Err(at.refuse("số và ngày quyết định phải đi cùng nhau", "decision number and date belong together"));
    }
    let valid_from = from.or(decision.date).map_or(now, midnight);
    let system = System {
        id: code(cell("id"))?,
        name: required(cell("name"))?,
        level: level(cell("level"))?,
        approval: approval(cell("approval"), decision.number.is_some())?,
        owner: owner(cell("owner"))?,
        operator: required(cell("operator"))?,
        unit: if cell("unit").text.is_empty() { None } else { Some(code(cell("unit"))?) },
        retention_months: months(cell("retention_months"))?,
        monitored: yes_no(cell("monitored"), true)?,
        monitored_from: date(cell("monitored_from"))?.map(midnight),
        valid_to: end(cell("valid_to"), valid_from)?,
        valid_from,
        decision,
    };
    Ok(Dated { line: row.line, row: system, has_from: from.is_some() || !cell("decision_date").text.is_empty() })
}

pub(crate) fn asset(table: &Table, row: &Row, now: Micros) -> Read<Dated<Asset>> {
    let cell = |key| table.cell(row, key);
    let value = cell("value");
    let (kind, canonical) = place(cell("kind"), value)?;
    let from = date(cell("valid_from"))?;
    let valid_from = from.map_or(now, midnight);
    let name = cell("name").text;
    let asset = Asset {
        id: 0,
        system: code(cell("system"))?,
        kind,
        name: if name.is_empty() { canonical.clone() } else { clean(cell("name"))? },
        value: canonical,
        role: role(cell("role"))?,
        quantity: quantity(cell("quantity"))?,
        expected_source: yes_no(cell("expected_source"), false)?,
        classes: classes(cell("classes"))?,
        shared: yes_no(cell("shared"), false)?,
        valid_to: end(cell("valid_to"), valid_from)?,
        valid_from,
    };
    Ok(Dated { line: row.line, row: asset, has_from: from.is_some() })
}

pub(crate) fn organisation(table: &Table, row: &Row, now: Micros) -> Read<Dated<Organisation>> {
    let cell = |key| table.cell(row, key);
    let from = date(cell("valid_from"))?;
    let valid_from = from.map_or(now, midnight);
    let id = code(cell("id"))?;
    let parent = if cell("parent").text.is_empty() { None } else { Some(code(cell("parent"))?) };
    if parent.as_deref() == Some(id.as_str()) {
        return Err(cell("parent").refuse("đơn vị không thể là cấp trên của chính nó", "a body cannot be its own parent"));
    }
    let organisation = Organisation {
        id,
        name: required(cell("name"))?,
        tier: tier(cell("tier"))?,
        parent,
        valid_to: end(cell("valid_to"), valid_from)?,
        valid_from,
    };
    Ok(Dated { line: row.line, row: organisation, has_from: from.is_some() })
}

/// Text that may be shown anywhere: no control characters.
fn clean(cell: Cell<'_>) -> Read<String> {
    match cell.text.chars().find(|c| c.is_control()) {
        Some(_) => Err(cell.refuse("có ký tự điều khiển", "holds a control character")),
        None => Ok(cell.text.to_owned()),
    }
}

fn required(cell: Cell<'_>) -> Read<String> {
    if cell.text.is_empty() { Err(cell.refuse("không được để trống", "must not be empty")) } else { clean(cell) }
}

fn optional(cell: Cell<'_>) -> Option<String> {
    (!cell.text.is_empty()).then(|| cell.text.to_owned())
}

fn code(cell: Cell<'_>) -> Read<String> {
    let lower = required(cell)?.to_ascii_lowercase();
    let fits = lower.len() <= 64 && lower.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if !fits {
        return Err(cell.refuse(
            format!("mã “{}” chỉ được gồm chữ không dấu, số và . _ - (tối đa 64)", cell.text),
            format!("code “{}” may hold only a–z, 0–9 and . _ - (at most 64)", cell.text),
        ));
    }
    if lower == event::UNASSIGNED {
        return Err(cell.refuse("mã này dành cho nguồn chưa rõ", "this code is reserved for unknown senders"));
    }
    Ok(lower)
}

fn level(cell: Cell<'_>) -> Read<u8> {
    let folded = fold(cell.text);
    let digits = folded.trim_start_matches("capdo").trim_start_matches("cap").trim_start_matches("level").trim_start_matches('l');
    match digits.parse() {
        Ok(level @ 1..=5) => Ok(level),
        _ => Err(cell.refuse(
            format!("không có cấp độ “{}”; Luật 116/2025/QH15 điều 8.1 có cấp 1 đến 5", cell.text),
            format!("there is no level “{}”; Law 116/2025/QH15 art. 8.1 knows 1 to 5", cell.text),
        )),
    }
}

/// One owner: a list in the cell is a second owner.
fn owner(cell: Cell<'_>) -> Read<String> {
    let owner = required(cell)?;
    if owner.contains([';', '|', '/']) {
        return Err(cell.refuse(
            "một hệ thống chỉ có một chủ quản (NĐ 331/2026/NĐ-CP điều 8.1.a)",
            "a system has exactly one owner (ND 331/2026/NĐ-CP art. 8.1.a)",
        ));
    }
    Ok(owner)
}

fn approval(cell: Cell<'_>, decided: bool) -> Read<Approval> {
    let folded = fold(cell.text);
    let state = match folded.as_str() {
        "" if decided => Approval::Approved,
        "" => Approval::Draft,
        _ => match Approval::ALL.into_iter().find(|a| fold(a.name()) == folded || fold(a.label_vi()) == folded) {
            Some(state) => state,
            None => {
                return Err(cell.refuse(
                    format!("trạng thái “{}” không có trong Mẫu 08; dùng: Đang dự thảo, Đã gửi thẩm định, Đã thẩm định, Đã được phê duyệt", cell.text),
                    format!("state “{}” is not in form 08; use draft, submitted, appraised, approved", cell.text),
                ));
            }
        },
    };
    if state == Approval::Approved && !decided {
        return Err(cell.refuse("đã phê duyệt thì phải có số và ngày quyết định", "approved needs a decision number and date"));
    }
    Ok(state)
}

fn tier(cell: Cell<'_>) -> Read<Tier> {
    match fold(cell.text).as_str() {
        "tinh" | "province" => Ok(Tier::Tinh),
        "songanh" | "so" | "nganh" | "department" => Ok(Tier::SoNganh),
        "huyen" | "district" => Ok(Tier::Huyen),
        "xa" | "phuong" | "dackhu" | "commune" => Ok(Tier::Xa),
        _ => Err(cell.refuse(
            format!("không biết cấp “{}”; dùng: tinh, so_nganh, huyen, xa", cell.text),
            format!("unknown tier “{}”; use tinh, so_nganh, huyen, xa", cell.text),
        )),
    }
}

fn role(cell: Cell<'_>) -> Read<AssetRole> {
    match fold(cell.text).as_str() {
        "" | "other" | "khac" => Ok(AssetRole::Other),
        "server" | "maychu" => Ok(AssetRole::Server),
        "pc" | "maytram" | "maynguoidung" | "workstation" => Ok(AssetRole::Pc),
        "network" | "thietbimang" | "mang" => Ok(AssetRole::Network),
        "security" | "thietbibaomat" | "baomat" | "anninh" => Ok(AssetRole::Security),
        "application" | "ungdung" => Ok(AssetRole::Application),
        _ => Err(cell.refuse(
            format!("không biết loại thiết bị “{}”; dùng: server, pc, network, security, application, other", cell.text),
            format!("unknown role “{}”; use server, pc, network, security, application, other", cell.text),
        )),
    }
}

fn classes(cell: Cell<'_>) -> Read<Vec<String>> {
    let mut found = Vec::new();
    for word in cell.text.split([',', ';', ' ', '|', '+']).filter(|word| !word.is_empty()) {
        let class = match fold(word).as_str() {
            "truycap" => "access".to_owned(),
            "ungdung" => "application".to_owned(),
            "canhbao" => "alert".to_owned(),
            "tientrinh" => "process".to_owned(),
            "dulieu" => "data".to_owned(),
            folded => folded.to_owned(),
        };
        if !LOG_CLASSES.contains(&class.as_str()) {
            let known = LOG_CLASSES.join(", ");
            return Err(cell.refuse(
                format!("không biết loại nhật ký “{word}”; dùng: {known}"),
                format!("unknown log class “{word}”; use {known}"),
            ));
        }
        found.push(class);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn yes_no(cell: Cell<'_>, default: bool) -> Read<bool> {
    match fold(cell.text).as_str() {
        "" => Ok(default),
        "co" | "yes" | "true" | "1" | "x" | "y" | "dung" => Ok(true),
        "khong" | "no" | "false" | "0" | "n" | "sai" => Ok(false),
        _ => {
            Err(cell
                .refuse(format!("“{}” không phải có hoặc không", cell.text), format!("“{}” is neither yes nor no", cell.text)))
        }
    }
}

fn months(cell: Cell<'_>) -> Read<Option<u32>> {
    match cell.text {
        "" => Ok(None),
        text => match text.parse() {
            Ok(months @ 1..=240) => Ok(Some(months)),
            _ => Err(cell.refuse(
                format!("“{text}” không phải số tháng từ 1 đến 240"),
                format!("“{text}” is not a number of months from 1 to 240"),
            )),
        },
    }
}

fn quantity(cell: Cell<'_>) -> Read<u32> {
    match cell.text {
        "" => Ok(1),
        text => match text.parse() {
            Ok(count @ 1..=1_000_000) => Ok(count),
            _ => Err(cell.refuse(format!("“{text}” không phải số lượng"), format!("“{text}” is not a quantity"))),
        },
    }
}

/// dd/mm/yyyy, as people here write it, or yyyy-mm-dd.
fn date(cell: Cell<'_>) -> Read<Option<NaiveDate>> {
    if cell.text.is_empty() {
        return Ok(None);
    }
    let parsed = NaiveDate::parse_from_str(cell.text, "%Y-%m-%d").or_else(|_| NaiveDate::parse_from_str(cell.text, "%d/%m/%Y"));
    match parsed {
        Ok(day) if (1990..2200).contains(&chrono::Datelike::year(&day)) => Ok(Some(day)),
        _ => Err(cell.refuse(
            format!("“{}” không phải ngày; viết dd/mm/yyyy hoặc yyyy-mm-dd", cell.text),
            format!("“{}” is not a date; write dd/mm/yyyy or yyyy-mm-dd", cell.text),
        )),
    }
}

fn end(cell: Cell<'_>, from: Micros) -> Read<Option<Micros>> {
    let Some(to) = date(cell)?.map(midnight) else { return Ok(None) };
    if to <= from {
        return Err(cell.refuse("ngày hết hiệu lực không sau ngày bắt đầu", "the end is not after the beginning"));
    }
    Ok(Some(to))
}

/// What the value is, in canonical text.
fn place(kind: Cell<'_>, value: Cell<'_>) -> Read<(AssetKind, String)> {
    let text = required(value)?;
    let wanted = match fold(kind.text).as_str() {
        "" => None,
        "address" | "ip" | "diachi" => Some(AssetKind::Address),
        "range" | "dai" | "daidiachi" | "cidr" => Some(AssetKind::Range),
        "host" | "may" | "tenmay" => Some(AssetKind::Host),
        _ => {
            return Err(kind.refuse(
                format!("không biết loại “{}”; dùng: address, range, host", kind.text),
                format!("unknown kind “{}”; use address, range, host", kind.text),
            ));
        }
    };
    let looks_like_range = text.contains('/') || text.split('-').all(|part| part.trim().parse::<IpAddr>().is_ok());
    let kind = wanted.unwrap_or(if text.parse::<IpAddr>().is_ok() {
        AssetKind::Address
    } else if looks_like_range {
        AssetKind::Range
    } else {
        AssetKind::Host
    });
    let canonical = match kind {
        AssetKind::Address => text
            .parse::<IpAddr>()
            .map(|ip| ip.to_canonical().to_string())
            .map_err(|_| (format!("“{text}” không phải địa chỉ IP"), format!("“{text}” is not an IP address"))),
        AssetKind::Range => parse_range(&text).map(|(_, canonical)| canonical),
        AssetKind::Host => parse_host(&text),
    };
    canonical.map(|canonical| (kind, canonical)).map_err(|(vi, en)| value.refuse(vi, en))
}

fn parse_host(text: &str) -> Result<String, (String, String)> {
    let host = text.trim_end_matches('.').to_lowercase();
    let fits = !host.is_empty() && host.len() <= 253 && !host.contains(|c: char| c.is_whitespace() || "/\\:;,\"'<>".contains(c));
    if fits {
        Ok(host)
    } else {
        Err((format!("“{text}” không phải tên máy"), format!("“{text}” is not a host name")))
    }
}

/// An address, a prefix or `first-last`; returns bounds and canonical text.
pub(crate) fn parse_range(text: &str) -> Result<(Bounds, String), (String, String)> {
    let bad = || (format!("“{text}” không phải dải địa chỉ"), format!("“{text}” is not an address range"));
    if let Ok(ip) = text.parse::<IpAddr>() {
        let (v6, n) = number(ip);
        return Ok((Bounds { v6, first: n, last: n }, ip.to_canonical().to_string()));
    }
    if let Some((first, last)) = text.split_once('-') {
        let (first, last): (IpAddr, IpAddr) = (first.trim().parse().map_err(|_| bad())?, last.trim().parse().map_err(|_| bad())?);
        let ((v6, low), (other, high)) = (number(first), number(last));
        if v6 != other || low > high {
            return Err(bad());
        }
        return Ok((Bounds { v6, first: low, last: high }, format!("{}-{}", first.to_canonical(), last.to_canonical())));
    }
    let (ip, length) = text.split_once('/').ok_or_else(bad)?;
    let ip: IpAddr = ip.trim().parse().map_err(|_| bad())?;
    let (v6, n) = (
        ip.is_ipv6(),
        match ip {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => v6.into(),
        },
    );
    let width = if v6 { 128 } else { 32 };
    let length: u32 = length.trim().parse().ok().filter(|length| *length <= width).ok_or_else(bad)?;
    if length < 8 {
        return Err((
            format!("dải “{text}” quá rộng để thuộc một hệ thống"),
            format!("range “{text}” is too wide to be one system's"),
        ));
    }
    let host_bits = width - length;
    let mask = if host_bits == 0 { 0 } else { u128::MAX >> (128 - host_bits) };
    if n & mask != 0 {
        let network: IpAddr = match v6 {
            true => std::net::Ipv6Addr::from(n & !mask).into(),
            false => std::net::Ipv4Addr::from((n & !mask) as u32).into(),
        };
        return Err((
            format!("“{text}” có bit máy; ý là “{network}/{length}”?"),
            format!("“{text}” has host bits set; did you mean “{network}/{length}”?"),
        ));
    }
    Ok((Bounds { v6, first: n, last: n | mask }, format!("{ip}/{length}")))
}
