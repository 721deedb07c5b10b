//! The province on paper: organisations, systems and assets as CSV files that the register imports, and what the generator
//! needs of them.
//!
//! The CSV files are the truth; hosts that send lines are the assets marked as expected sources. Dates that hang on the
//! moment of the demo stand in braces and are filled in ([`Estate::systems_csv`]).

use std::net::IpAddr;

use event::Micros;
use ingest::settings::SourceSettings;

use super::civil::{self, DAY};

const ORGANISATIONS: &str = include_str!("data/organisations.csv");
const SYSTEMS: &str = include_str!("data/systems.csv");
const ASSETS: &str = include_str!("data/assets.csv");

/// Days of history before the dense day.
pub const HISTORY_DAYS: i64 = 120;
/// A system whose last line came this many days ago.
pub const SILENT: (&str, i64) = ("khcn", 9);
/// A system that writes local time and calls it UTC.
pub const WRONG_CLOCK: &str = "nong-nghiep";
/// A system without lines from the first to the second number of days ago.
pub const HOLE: (&str, i64, i64) = ("tnmt", 68, 56);
/// A system that is watched only since so many days.
pub const YOUNG: (&str, i64) = ("ioc", 40);

pub const SOURCE_SYSLOG: &str = "syslog";
pub const SOURCE_FIREWALL: &str = "firewall";
pub const SOURCE_WINDOWS: &str = "windows";
pub const SOURCE_ANTIMALWARE: &str = "antimalware";

/// What a system's hosts run; decides the lines they send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nginx and Linux.
    Web,
    /// Apache and Linux.
    Apache,
    Linux,
    Mail,
    Windows,
    Firewall,
    Antimalware,
}

/// A host that sends lines.
#[derive(Clone, Debug)]
pub struct Host {
    pub name: String,
    pub address: IpAddr,
}

/// A system as the generator sees it.
#[derive(Clone, Debug)]
pub struct System {
    pub id: String,
    pub level: u8,
    pub kind: Kind,
    pub hosts: Vec<Host>,
    /// Share of the dense day's lines, in parts of the sum.
    pub weight: u64,
    /// Lines of one thin day.
    pub thin: u64,
}

/// A body with PCs.
#[derive(Clone, Debug)]
pub struct Unit {
    pub id: String,
    pub name: String,
    pub pcs: u64,
    /// First three bytes of its PCs' addresses.
    pub net: [u8; 3],
}

/// The province.
#[derive(Clone, Debug)]
pub struct Estate {
    pub systems: Vec<System>,
    pub units: Vec<Unit>,
}

impl Default for Estate {
    fn default() -> Self {
        Self::new()
    }
}

impl Estate {
    pub fn new() -> Self {
        let assets: Vec<Vec<String>> = rows(ASSETS).collect();
        let systems = rows(SYSTEMS).map(|row| system(&row, &assets)).collect();
        Self { systems, units: units(&assets) }
    }

    /// `organisations.csv`, for the register.
    pub fn organisations_csv() -> &'static str {
        ORGANISATIONS
    }

    /// `systems.csv`, for the register, as of `now`.
    pub fn systems_csv(now: Micros) -> String {
        SYSTEMS.replace("{start}", &civil::date(now - HISTORY_DAYS * DAY)).replace("{young}", &civil::date(now - YOUNG.1 * DAY))
    }

    /// `assets.csv`, for the register, as of `now`; imported after the systems.
    pub fn assets_csv(now: Micros) -> String {
        ASSETS.replace("{from}", &civil::date(now - (HISTORY_DAYS + 30) * DAY))
    }

    pub fn system(&self, id: &str) -> Option<&System> {
        self.systems.iter().find(|system| system.id == id)
    }

    /// True when the system has lines that arrive at this time.
    pub fn speaks(system: &str, at: Micros, now: Micros) -> bool {
        let ago = |days: i64| now - days * DAY;
        match system {
            id if id == SILENT.0 => at < ago(SILENT.1),
            id if id == HOLE.0 => !(ago(HOLE.1)..ago(HOLE.2)).contains(&at),
            id if id == YOUNG.0 => at >= ago(YOUNG.1),
            _ => true,
        }
    }
}

/// The sources that the demo's lines come by: all by the default syslog listener's rules, told apart by name.
pub fn sources() -> Vec<SourceSettings> {
    [SOURCE_FIREWALL, SOURCE_WINDOWS, SOURCE_ANTIMALWARE].map(SourceSettings::named).into()
}

fn system(row: &[String], assets: &[Vec<String>]) -> System {
    let id = row[0].clone();
    let hosts: Vec<Host> = assets
        .iter()
        .filter(|asset| asset[0] == id && asset[5] == "yes")
        .map(|asset| Host { name: asset[3].clone(), address: asset[2].parse().expect("assets.csv holds addresses") })
        .collect();
    let (kind, weight) = habit(&id);
    System { level: row[2].parse().expect("systems.csv holds levels"), kind, weight, thin: 36 + weight / 2, hosts, id }
}

fn habit(id: &str) -> (Kind, u64) {
    match id {
        "dvc" => (Kind::Web, 150),
        "lgsp" => (Kind::Web, 60),
        "ioffice" => (Kind::Web, 90),
        "truc-vb" => (Kind::Web, 35),
        "smas" => (Kind::Web, 40),
        "tnmt" | "phan-anh" | "ioc" => (Kind::Web, 20),
        "thu" => (Kind::Mail, 80),
        "cong-ttdt" => (Kind::Apache, 60),
        "cong-so" | "cong-huyen" => (Kind::Apache, 20),
        "cong-xa" | "du-lich" => (Kind::Apache, 10),
        "ttdl" => (Kind::Firewall, 160),
        "wan" => (Kind::Firewall, 80),
        "ad" => (Kind::Windows, 90),
        "tai-chinh" | "y-te" => (Kind::Windows, 25),
        "may-tram" => (Kind::Antimalware, 4),
        "chieng" | "luu-tru" | "nong-nghiep" | "camera" | "thu-vien" => (Kind::Linux, 8),
        _ => (Kind::Web, 10),
    }
}

fn units(assets: &[Vec<String>]) -> Vec<Unit> {
    let organisations: Vec<_> = rows(ORGANISATIONS).filter(|row| row[2] != "tinh").collect();
    let ranges = assets.iter().filter(|asset| asset[4] == "pc");
    let unit = |(range, organisation): (&Vec<String>, &Vec<String>)| {
        let mut bytes = range[2].split(['.', '/']).map(|part| part.parse().expect("assets.csv holds ranges"));
        let mut byte = || bytes.next().expect("a range has four bytes");
        Unit {
            id: organisation[0].clone(),
            name: organisation[1].clone(),
            pcs: range[7].parse().expect("assets.csv holds quantities"),
            net: [byte(), byte(), byte()],
        }
    };
    ranges.zip(&organisations).map(unit).collect()
}

/// Rows of our own CSV files: a comma, quotes where a comma is meant, nothing else.
fn rows(csv: &'static str) -> impl Iterator<Item = Vec<String>> {
    csv.lines().skip(1).map(|line| {
        let (mut fields, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                c => {
                    if let Some(field) = fields.last_mut() {
                        field.push(c);
                    }
                }
            }
        }
        fields
    })
}
