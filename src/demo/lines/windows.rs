//! Windows servers: what Winlogbeat 8 sends, one JSON object an event (fields as its ECS mapping documents them).
//!
//! Reference: Winlogbeat "Exported fields"; Microsoft, "Security auditing" by event number.

use std::fmt::Write as _;

use event::Micros;

use crate::demo::civil;

/// The server that writes.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    pub at: Micros,
    pub name: &'a str,
    pub record: u64,
}

const SECURITY: (&str, &str) = ("Security", "Microsoft-Windows-Security-Auditing");

/// One event of the log, with its event data in order.
fn event(
    out: &mut String,
    from: Server<'_>,
    log: (&str, &str),
    (code, task): (u32, &str),
    outcome: &str,
    message: &str,
    data: &[(&str, &str)],
) {
    out.push_str("{\"@timestamp\":\"");
    civil::iso_utc(out, from.at);
    let computer = from.name.to_ascii_uppercase();
    let _ = write!(
        out,
        "\",\"@metadata\":{{\"beat\":\"winlogbeat\",\"type\":\"_doc\",\"version\":\"8.17.0\"}},\"message\":\"{message}\",\"log\":{{\"level\":\"information\"}},\"host\":{{\"name\":\"{0}.ngocrinh.local\",\"hostname\":\"{computer}\"}},\"agent\":{{\"type\":\"winlogbeat\",\"version\":\"8.17.0\",\"name\":\"{computer}\"}},\"ecs\":{{\"version\":\"8.0.0\"}},\"event\":{{\"code\":\"{code}\",\"kind\":\"event\",\"provider\":\"{1}\",\"action\":\"{task}\"",
        from.name, log.1
    );
    if !outcome.is_empty() {
        let _ = write!(out, ",\"outcome\":\"{outcome}\"");
    }
    let keywords = match outcome {
        "success" => "[\"Audit Success\"]",
        "failure" => "[\"Audit Failure\"]",
        _ => "[]",
    };
    let _ = write!(
        out,
        "}},\"winlog\":{{\"api\":\"wineventlog\",\"channel\":\"{}\",\"provider_name\":\"{}\",\"event_id\":\"{code}\",\"record_id\":{},\"computer_name\":\"{}.ngocrinh.local\",\"task\":\"{task}\",\"keywords\":{keywords},\"opcode\":\"Info\",\"process\":{{\"pid\":712,\"thread\":{{\"id\":{}}}}}",
        log.0,
        log.1,
        from.record,
        from.name,
        from.record % 4000 + 100
    );
    out.push_str(if code == 1102 { ",\"user_data\":{" } else { ",\"event_data\":{" });
    for (i, (key, value)) in data.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(out, "{comma}\"{key}\":\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    }
    out.push_str("}}}");
}

/// Who logs on, from where and how.
#[derive(Clone, Copy, Debug)]
pub struct Logon<'a> {
    pub user: &'a str,
    /// 2 console, 3 network, 5 service, 10 remote desktop.
    pub kind: u8,
    pub address: &'a str,
    pub workstation: &'a str,
}

pub fn logon(out: &mut String, from: Server<'_>, logon: Logon<'_>) {
    let kind = logon.kind.to_string();
    let id = format!("0x{:x}", from.record * 977 + 0x1000);
    event(
        out,
        from,
        SECURITY,
        (4624, "Logon"),
        "success",
        "An account was successfully logged on.",
        &[
            ("SubjectUserSid", "S-1-5-18"),
            ("SubjectUserName", &computer_account(from.name)),
            ("SubjectDomainName", "NGOCRINH"),
            ("SubjectLogonId", "0x3e7"),
            ("TargetUserSid", &sid(logon.user)),
            ("TargetUserName", logon.user),
            ("TargetDomainName", "NGOCRINH"),
            ("TargetLogonId", &id),
            ("LogonType", &kind),
            ("LogonProcessName", if logon.kind == 10 { "User32" } else { "Kerberos" }),
            ("AuthenticationPackageName", if logon.kind == 10 { "Negotiate" } else { "Kerberos" }),
            ("WorkstationName", logon.workstation),
            ("ProcessName", "C:\\Windows\\System32\\svchost.exe"),
            ("IpAddress", logon.address),
            ("IpPort", "50112"),
        ],
    );
}

pub fn logon_failed(out: &mut String, from: Server<'_>, logon: Logon<'_>, is_known: bool) {
    let kind = logon.kind.to_string();
    event(
        out,
        from,
        SECURITY,
        (4625, "Logon"),
        "failure",
        "An account failed to log on.",
        &[
            ("SubjectUserSid", "S-1-0-0"),
            ("SubjectUserName", "-"),
            ("SubjectDomainName", "-"),
            ("SubjectLogonId", "0x0"),
            ("TargetUserSid", "S-1-0-0"),
            ("TargetUserName", logon.user),
            ("TargetDomainName", "NGOCRINH"),
            ("Status", "0xc000006d"),
            ("FailureReason", "%%2313"),
            ("SubStatus", if is_known { "0xc000006a" } else { "0xc0000064" }),
            ("LogonType", &kind),
            ("LogonProcessName", "NtLmSsp "),
            ("AuthenticationPackageName", "NTLM"),
            ("WorkstationName", logon.workstation),
            ("ProcessName", "-"),
            ("IpAddress", logon.address),
            ("IpPort", "49822"),
        ],
    );
}

pub fn logoff(out: &mut String, from: Server<'_>, user: &str) {
    event(
        out,
        from,
        SECURITY,
        (4634, "Logoff"),
        "success",
        "An account was logged off.",
        &[
            ("TargetUserSid", &sid(user)),
            ("TargetUserName", user),
            ("TargetDomainName", "NGOCRINH"),
            ("TargetLogonId", "0x1f3a77"),
            ("LogonType", "3"),
        ],
    );
}

pub fn ticket(out: &mut String, from: Server<'_>, user: &str, address: &str) {
    event(
        out,
        from,
        SECURITY,
        (4768, "Kerberos Authentication Service"),
        "success",
        "A Kerberos authentication ticket (TGT) was requested.",
        &[
            ("TargetUserName", user),
            ("TargetDomainName", "NGOCRINH"),
            ("TargetSid", &sid(user)),
            ("ServiceName", "krbtgt"),
            ("TicketOptions", "0x40810010"),
            ("Status", "0x0"),
            ("TicketEncryptionType", "0x12"),
            ("PreAuthType", "2"),
            ("IpAddress", address),
            ("IpPort", "50433"),
        ],
    );
}

/// A process that starts another.
pub fn process(out: &mut String, from: Server<'_>, user: &str, parent: &str, image: &str, command: &str) {
    let pid = format!("0x{:x}", from.record % 30_000 + 512);
    event(
        out,
        from,
        SECURITY,
        (4688, "Process Creation"),
        "success",
        "A new process has been created.",
        &[
            ("SubjectUserSid", &sid(user)),
            ("SubjectUserName", user),
            ("SubjectDomainName", "NGOCRINH"),
            ("SubjectLogonId", "0x1f3a77"),
            ("NewProcessId", &pid),
            ("NewProcessName", image),
            ("TokenElevationType", "%%1936"),
            ("ProcessId", "0x2a4"),
            ("CommandLine", command),
            ("TargetUserSid", "S-1-0-0"),
            ("TargetUserName", "-"),
            ("TargetDomainName", "-"),
            ("TargetLogonId", "0x0"),
            ("ParentProcessName", parent),
            ("MandatoryLabel", "S-1-16-12288"),
        ],
    );
}

pub fn user_created(out: &mut String, from: Server<'_>, by: &str, name: &str) {
    event(
        out,
        from,
        SECURITY,
        (4720, "User Account Management"),
        "success",
        "A user account was created.",
        &[
            ("TargetUserName", name),
            ("TargetDomainName", "NGOCRINH"),
            ("TargetSid", &sid(name)),
            ("SubjectUserSid", &sid(by)),
            ("SubjectUserName", by),
            ("SubjectDomainName", "NGOCRINH"),
            ("SubjectLogonId", "0x1f3a77"),
            ("SamAccountName", name),
            ("DisplayName", "%%1793"),
        ],
    );
}

pub fn group_member_added(out: &mut String, from: Server<'_>, by: &str, name: &str, group: &str) {
    event(
        out,
        from,
        SECURITY,
        (4728, "Security Group Management"),
        "success",
        "A member was added to a security-enabled global group.",
        &[
            ("MemberName", &format!("CN={name},CN=Users,DC=ngocrinh,DC=local")),
            ("MemberSid", &sid(name)),
            ("TargetUserName", group),
            ("TargetDomainName", "NGOCRINH"),
            ("TargetSid", "S-1-5-21-1004336348-1177238915-682003330-512"),
            ("SubjectUserSid", &sid(by)),
            ("SubjectUserName", by),
            ("SubjectDomainName", "NGOCRINH"),
            ("SubjectLogonId", "0x1f3a77"),
        ],
    );
}

pub fn service_installed(out: &mut String, from: Server<'_>, name: &str, image: &str) {
    event(
        out,
        from,
        ("System", "Service Control Manager"),
        (7045, "None"),
        "",
        "A service was installed in the system.",
        &[
            ("ServiceName", name),
            ("ImagePath", image),
            ("ServiceType", "user mode service"),
            ("StartType", "demand start"),
            ("AccountName", "LocalSystem"),
        ],
    );
}

pub fn log_cleared(out: &mut String, from: Server<'_>, by: &str) {
    event(
        out,
        from,
        ("Security", "Microsoft-Windows-Eventlog"),
        (1102, "Log clear"),
        "success",
        "The audit log was cleared.",
        &[
            ("SubjectUserSid", &sid(by)),
            ("SubjectUserName", by),
            ("SubjectDomainName", "NGOCRINH"),
            ("SubjectLogonId", "0x1f3a77"),
        ],
    );
}

fn computer_account(name: &str) -> String {
    format!("{}$", name.to_ascii_uppercase())
}

fn sid(user: &str) -> String {
    let n = user.bytes().fold(17u64, |n, b| n.wrapping_mul(31).wrapping_add(u64::from(b)));
    format!("S-1-5-21-1004336348-1177238915-682003330-{}", 1100 + n % 7000)
}
