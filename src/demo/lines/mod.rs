//! Lines as devices write them, one file a family. Each function appends one whole line, header included.
//!
//! References stand in the files. A function says what happened, never how suspicious it is.

pub mod antimalware;
pub mod fortigate;
pub mod linux;
pub mod mail;
pub mod web;
pub mod windows;

/// Names of invented officials, as account names.
pub const PEOPLE: [&str; 24] = [
    "nvan.binh",
    "ntthu.ha",
    "lvan.dung",
    "ythi.blan",
    "atung.rin",
    "pthi.lan",
    "hvan.nam",
    "dthi.mai",
    "nvan.hung",
    "yhoa.kpa",
    "abuk.eban",
    "tthi.huong",
    "vvan.long",
    "nthi.thao",
    "lthi.ngoc",
    "tvan.phuc",
    "nduc.anh",
    "hthi.yen",
    "pvan.khoa",
    "dvan.quang",
    "ythuy.byeh",
    "asiu.thanh",
    "nvan.tai",
    "bthi.hoa",
];
