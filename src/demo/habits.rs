//! What an ordinary day sounds like: lines of hosts at their daily work, by kind of system.
//!
//! Nothing here is an attack; but ordinary days hold typing errors, old links, crawlers, and scanners that bounce off the
//! firewall.

use std::net::{IpAddr, Ipv4Addr};

use event::Micros;

use super::{
    Line,
    estate::{Estate, Host, Kind, SOURCE_ANTIMALWARE, SOURCE_FIREWALL, SOURCE_SYSLOG, SOURCE_WINDOWS, System, WRONG_CLOCK},
    lines::{
        PEOPLE, antimalware,
        fortigate::{self, Firewall, Traffic},
        linux::{self, From, Header, Proof},
        mail,
        web::{self, Request},
        windows::{self, Logon, Server},
    },
    random::Random,
};

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-A155F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
];
const PORTAL: [&str; 12] = [
    "/",
    "/dang-nhap",
    "/tra-cuu-ho-so",
    "/thu-tuc/danh-sach?trang=2",
    "/thu-tuc/1.004227",
    "/thu-tuc/2.000815",
    "/ho-so/nop-truc-tuyen",
    "/api/v1/thong-ke/nam-nay",
    "/assets/app.4f1c2b.js",
    "/assets/style.9d07aa.css",
    "/images/logo-tinh.svg",
    "/huong-dan/thanh-toan-truc-tuyen",
];
const SITES: [&str; 8] = [
    "/",
    "/tin-tuc",
    "/tin-tuc/hoi-nghi-chuyen-doi-so",
    "/van-ban?loai=quyet-dinh",
    "/lich-cong-tac",
    "/lien-he",
    "/images/banner.jpg",
    "/css/site.css",
];
const INNER: [&str; 8] = [
    "/api/v1/van-ban/den?trang=1",
    "/api/v1/van-ban/di",
    "/api/v1/van-ban/trinh-ky",
    "/api/v1/thong-bao",
    "/api/v1/lich",
    "/services/VanBanService?wsdl",
    "/login",
    "/api/v1/bao-cao/tuan",
];
const DAILY: [&str; 6] = [
    "/usr/bin/systemctl status nginx",
    "/usr/bin/journalctl -u chrony --since today",
    "/usr/bin/apt-get update",
    "/usr/bin/df -h",
    "/usr/bin/tail -n 200 /var/log/syslog",
    "/usr/bin/systemctl reload nginx",
];
const CRON: [&str; 4] = [
    "   cd / && run-parts --report /etc/cron.hourly",
    "/opt/backup/sao-luu.sh --incremental",
    "/usr/lib/sysstat/sa1 1 1",
    "test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily",
];

/// Lines of one host at about one moment.
pub struct Habit<'a> {
    pub system: &'a System,
    pub host: &'a Host,
    pub at: Micros,
}

/// Appends one ordinary line of a host.
pub fn line(habit: &Habit<'_>, random: &mut Random, lines: &mut Vec<Line>) {
    let mut text = String::with_capacity(320);
    let is_database = habit.host.name.contains("-db") || habit.host.name.contains("-vc");
    let source = match habit.system.kind {
        Kind::Windows => windows_line(&mut text, habit, random),
        _ if is_database => linux_line(&mut text, habit, random),
        Kind::Web if random.chance(82) => web_line(&mut text, habit, random),
        Kind::Apache if random.chance(85) => web_line(&mut text, habit, random),
        Kind::Mail if random.chance(88) => mail_line(&mut text, habit, random),
        Kind::Firewall => firewall_line(&mut text, habit, random),
        Kind::Antimalware => antimalware_line(&mut text, habit, random),
        _ => linux_line(&mut text, habit, random),
    };
    lines.push(Line { received: habit.at, source, sender: habit.host.address, text });
}

pub fn from<'a>(system: &System, host: &'a Host, at: Micros) -> From<'a> {
    let header = if system.id == WRONG_CLOCK {
        Header::CalledUtc
    } else if host.address.to_string().ends_with('2') {
        Header::Modern
    } else {
        Header::Bsd
    };
    From { at, host: &host.name, header }
}

/// Somebody at home in the country: addresses of the range for benchmarks (RFC 2544), which nobody has.
pub fn citizen(random: &mut Random) -> IpAddr {
    let n = random.below(1 << 17) as u32;
    IpAddr::V4(Ipv4Addr::from_bits(0xC612_0000 | n))
}

/// An official's PC.
pub fn desk(random: &mut Random) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 20, random.below(100) as u8, random.between(10, 99) as u8))
}

fn admin(random: &mut Random) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 10, 250, random.between(11, 16) as u8))
}

fn linux_line(out: &mut String, habit: &Habit<'_>, random: &mut Random) -> &'static str {
    let from = from(habit.system, habit.host, habit.at);
    let (pid, port) = (random.between(900, 60_000), random.between(1025, 65_000));
    let user = random.pick(&["quantri", "deploy", "vanhanh"]);
    match random.below(100) {
        0..28 => linux::cron(out, from, pid, "root", random.pick(&CRON)),
        28..42 => linux::session(out, from, pid, "CRON", "root", random.chance(50)),
        42..56 => linux::ssh_accepted(out, from, pid, user, admin(random), port, Proof::Key),
        56..66 => linux::session(out, from, pid, "sshd", user, random.chance(50)),
        66..72 => linux::ssh_disconnected(out, from, pid, user, admin(random), port),
        72..84 => linux::sudo(out, from, pid, user, "/home/quantri", random.pick(&DAILY)),
        84..86 => linux::ssh_failed(out, from, pid, user, true, admin(random), port),
        86..93 => linux::systemd(out, from, "Started Session 4412 of User quantri."),
        _ => linux::daemon(out, from, "chronyd", pid, "Selected source 10.10.250.5"),
    }
    SOURCE_SYSLOG
}

fn web_line(out: &mut String, habit: &Habit<'_>, random: &mut Random) -> &'static str {
    let from = From { header: Header::Bsd, ..from(habit.system, habit.host, habit.at) };
    let is_inner = matches!(habit.system.id.as_str(), "ioffice" | "truc-vb" | "lgsp" | "ccvc" | "baocao" | "cong-xa");
    let targets: &[&str] = match habit.system.kind {
        _ if is_inner => &INNER,
        Kind::Apache => &SITES,
        _ => &PORTAL,
    };
    let client = if is_inner { desk(random) } else { citizen(random) };
    let (status, bytes) = match random.below(100) {
        0..84 => (200, random.between(400, 90_000)),
        84..91 => (304, 0),
        91..95 => (302, 154),
        95..98 => (404, 548),
        98 => (403, 146),
        _ => (502, 552),
    };
    let target = random.pick(targets);
    let method =
        if target.contains("dang-nhap") || target.contains("nop-truc-tuyen") || target == "/login" { "POST" } else { "GET" };
    let request = Request { client, method, target, status, bytes, referrer: "-", agent: random.pick(&AGENTS) };
    if status == 502 {
        let what = "upstream timed out (110: Connection timed out) while reading response header from upstream";
        web::nginx_error(out, from, 812, random.below(900_000), what, request);
    } else if habit.system.kind == Kind::Apache {
        web::apache_access(out, from, 2211, request);
    } else {
        web::nginx_access(out, from, request);
    }
    SOURCE_SYSLOG
}

fn mail_line(out: &mut String, habit: &Habit<'_>, random: &mut Random) -> &'static str {
    let from = from(habit.system, habit.host, habit.at);
    let (pid, queue) = (random.between(900, 60_000), random.next() & 0xff_ffff_ffff);
    let person = format!("{}@ngocrinh.example.vn", random.pick(&PEOPLE));
    match random.below(100) {
        0..45 => mail::imap_login(out, from, pid, &person, desk(random), habit.host.address),
        45..60 => mail::received(out, from, pid, queue, "mail.example.vn", citizen(random)),
        60..78 => mail::queued(out, from, pid, queue, &person, random.between(2_000, 4_000_000), random.between(1, 6)),
        78..97 => mail::delivered(out, from, pid, queue, &person, random.between(80, 2_000)),
        _ => mail::imap_failed(out, from, pid, &person, desk(random), habit.host.address),
    }
    SOURCE_SYSLOG
}

fn firewall_line(out: &mut String, habit: &Habit<'_>, random: &mut Random) -> &'static str {
    if habit.host.name.contains("-vc") {
        return linux_line(out, habit, random);
    }
    let from = Firewall { at: habit.at, name: &habit.host.name };
    let session = random.between(1_000_000, 90_000_000);
    let source_port = random.between(1025, 65_000);
    let outbound = Traffic {
        source: desk(random),
        source_port,
        source_country: "Reserved",
        target: citizen(random),
        target_port: 443,
        target_country: "Viet Nam",
        service: "HTTPS",
        is_inbound: false,
        session,
        sent: random.between(600, 60_000),
        received: random.between(1_000, 4_000_000),
        seconds: random.between(1, 180),
    };
    let inbound = Traffic {
        source: citizen(random),
        source_country: "Viet Nam",
        target: IpAddr::V4(Ipv4Addr::new(10, 10, 1, 11)),
        target_country: "Reserved",
        is_inbound: true,
        ..outbound
    };
    match random.below(1000) {
        0..560 => fortigate::accepted(out, from, outbound),
        560..860 => fortigate::accepted(out, from, inbound),
        860..984 => {
            let (port, service) = random.pick(&[(23, "TELNET"), (445, "SMB"), (3389, "RDP"), (8080, "tcp/8080"), (5060, "SIP")]);
            fortigate::denied(out, from, Traffic { target_port: port, service, ..inbound });
        }
        984..994 => {
            let inside = IpAddr::V4(Ipv4Addr::new(10, 212, 134, random.between(2, 200) as u8));
            fortigate::vpn(out, from, random.chance(55), random.pick(&PEOPLE), citizen(random), inside, session);
        }
        994..997 => fortigate::admin_login(out, from, "quantri.tuonglua", admin(random), true),
        _ => fortigate::vpn_failed(out, from, random.pick(&PEOPLE), citizen(random)),
    }
    SOURCE_FIREWALL
}

fn windows_line(out: &mut String, habit: &Habit<'_>, random: &mut Random) -> &'static str {
    let server = Server { at: habit.at, name: &habit.host.name, record: random.between(10_000, 9_000_000) };
    let user = random.pick(&PEOPLE);
    let address = desk(random).to_string();
    let workstation = format!("PC-{:04}", random.below(5528));
    let logon = Logon { user, kind: 3, address: &address, workstation: &workstation };
    match random.below(100) {
        0..38 => windows::logon(out, server, logon),
        38..62 => windows::logoff(out, server, user),
        62..80 => windows::ticket(out, server, user, &address),
        80..83 => windows::logon_failed(out, server, logon, true),
        83..86 => windows::logon(out, server, Logon { user: "svc_saoluu", kind: 5, address: "-", workstation: "-" }),
        _ => {
            let (image, command) = random.pick(&[
                ("C:\\Windows\\System32\\conhost.exe", "\\??\\C:\\Windows\\system32\\conhost.exe 0xffffffff -ForceV1"),
                ("C:\\Windows\\System32\\taskhostw.exe", "taskhostw.exe Install $(Arg0)"),
                ("C:\\Windows\\System32\\wbem\\WmiPrvSE.exe", "C:\\Windows\\system32\\wbem\\wmiprvse.exe -secured -Embedding"),
                ("C:\\Windows\\System32\\gpupdate.exe", "gpupdate.exe /target:computer"),
            ]);
            windows::process(out, server, "SYSTEM", "C:\\Windows\\System32\\svchost.exe", image, command);
        }
    }
    SOURCE_WINDOWS
}

/// Everyday findings: junk that the agent removes.
fn antimalware_line(out: &mut String, habit: &Habit<'_>, random: &mut Random) -> &'static str {
    let address = desk(random).to_string();
    let host = format!("PC-{:04}", random.below(5528));
    let finding = antimalware::Finding {
        host: &host,
        address: &address,
        group: "Ngoc Rinh",
        user: &format!("NGOCRINH\\{}", random.pick(&PEOPLE)),
        file: "E:\\Thu muc moi.lnk",
        name: random.pick(&["Worm.Win32.AutoRun.hpt", "not-a-virus:AdWare.Win32.Agent.gen", "Trojan.WinLNK.Agent.gen"]),
        hash: "44d88612fea8a8f36de82e1278abb02f",
    };
    if random.chance(50) {
        antimalware::found(out, habit.at, &habit.host.name, finding);
    } else {
        antimalware::deleted(out, habit.at, &habit.host.name, finding);
    }
    SOURCE_ANTIMALWARE
}

/// What every day has once: each host's nightly jobs, the agent on servers of level 3, the console's report.
pub fn once_a_day(estate: &Estate, day: Micros, now: Micros, is_last: bool, random: &mut Random, lines: &mut Vec<Line>) {
    for system in estate.systems.iter() {
        for (i, host) in system.hosts.iter().enumerate() {
            let at = day + random.below(20 * super::civil::HOUR as u64) as Micros;
            if !Estate::speaks(&system.id, at, now) {
                continue;
            }
            let mut text = String::new();
            let from = from(system, host, at);
            let is_windows = system.kind == Kind::Windows;
            if is_windows || host.name.contains("-fw") {
                // These have no jobs that syslog tells of.
            } else {
                linux::sudo(&mut text, from, 4100 + i as u64, "vanhanh", "/opt/backup", "/opt/backup/sao-luu.sh --full");
                lines.push(Line { received: at, source: SOURCE_SYSLOG, sender: host.address, text: std::mem::take(&mut text) });
            }
            if system.level >= 3 && !host.name.contains("-fw") {
                let target = host.address.to_string();
                let source = citizen(random).to_string();
                let what = "Identified Suspicious HTTP Header Length";
                antimalware::server_intrusion(&mut text, at + 7, &host.name, (1_000_128, what), &source, &target, 80);
                lines.push(Line { received: at + 7, source: SOURCE_SYSLOG, sender: host.address, text });
            }
        }
    }
    console_report(estate, day, is_last, random, lines);
}

fn console_report(estate: &Estate, day: Micros, is_last: bool, random: &mut Random, lines: &mut Vec<Line>) {
    use super::civil::{DAY, MINUTE, SECOND};
    let Some(console) = estate.system("may-tram").and_then(|system| system.hosts.first()) else { return };
    let begin = day + 2 * super::civil::HOUR;
    let mut push = |at: Micros, text: String| {
        lines.push(Line { received: at, source: SOURCE_ANTIMALWARE, sender: console.address, text });
    };
    for (u, unit) in estate.units.iter().enumerate() {
        let at = begin + u as Micros * SECOND;
        let managed = unit.pcs - unit.pcs * random.between(1, 4) / 100;
        let outdated = managed * random.between(0, 6) / 100;
        let state = antimalware::State {
            unit: &unit.id,
            expected: unit.pcs,
            managed,
            protected: managed - managed * random.below(3) / 100,
            outdated,
            age_days: random.between(0, 2),
        };
        let mut text = String::new();
        antimalware::unit_state(&mut text, at, &console.name, state);
        push(at, text);
    }
    if !is_last {
        return;
    }
    let mut number = 0;
    for unit in &estate.units {
        for pc in 0..unit.pcs {
            let at = begin + 5 * MINUTE + number * 300_000;
            let (host, address) =
                (format!("pc-{number:04}"), format!("{}.{}.{}.{}", unit.net[0], unit.net[1], unit.net[2], pc + 10));
            number += 1;
            // A few PCs have no agent at all: the console does not know them.
            if random.chance(2) {
                continue;
            }
            let age = if random.chance(4) { random.between(8, 30) } else { random.below(3) };
            let mut text = String::new();
            antimalware::pc_state(&mut text, at, &host, &address, &unit.id, !random.chance(2), at - age as Micros * DAY);
            push(at, text);
        }
    }
}
