//! The text of an event as a person reads it in the event viewer, back to its data fields: agents such as Snare, Evtsys and
//! the Azure extension send the text only.
//!
//! Reference: Microsoft, "Security auditing" (the text of each event beside its XML). Lines are `Label:` and a value; a label
//! without a value opens a section (`Subject:`), and the same label means another field in each section. Agents write line
//! ends and tabs as blanks (two or more), `#015#012#011` (rsyslog) or `\r\n\t`, so a field ends at any of these.

use event::Event;

use super::{Data, set_data};
use crate::json::Leaf;

/// Whose data the labels of a section are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Head,
    Subject,
    Target,
    Member,
    Group,
    Process,
    Network,
    Other,
}

/// Fields one text may give.
const PARTS_MAX: usize = 512;

/// Sets the fields that a text holds.
pub fn read<'r>(event: &mut Event<'r>, data: &mut Data<'r>, id: u32, text: &'r str) {
    let mut section = Section::Head;
    let mut label: Option<&'r str> = None;
    for part in parts(text).take(PARTS_MAX) {
        let (word, value) = cut(part);
        let Some(word) = word else {
            if let Some(label) = label.take() {
                field(event, data, id, section, label, part);
            }
            continue;
        };
        // A label that nothing followed: a section, or an empty value.
        if let Some(known) = label.take().and_then(section_of) {
            section = known;
        }
        match value {
            Some(value) => field(event, data, id, section, word, value),
            None => match section_of(word) {
                Some(known) => section = known,
                None => label = Some(word),
            },
        }
    }
}

/// The pieces between line ends, tabs and runs of blanks.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let (end, gap) = gap(rest);
            let part = rest[..end].trim();
            rest = &rest[end + gap..];
            if !part.is_empty() {
                return Some(part);
            }
        }
    })
}

/// Where the next separator stands, and how long it is.
fn gap(text: &str) -> (usize, usize) {
    let b = text.as_bytes();
    for at in 0..b.len() {
        match b[at] {
            b'\r' | b'\n' | b'\t' => return (at, 1),
            b' ' if b.get(at + 1) == Some(&b' ') => return (at, 2),
            b'#' if matches!(b.get(at + 1..at + 4), Some(b"015" | b"012" | b"011")) => return (at, 4),
            b'\\' if matches!(b.get(at + 1), Some(b'r' | b'n' | b't')) && is_escape(b, at) => return (at, 2),
            _ => {}
        }
    }
    (text.len(), 0)
}

/// `\r\n`, `\n\t`, `\t\t`: a backslash of a path is not followed by another escape or stands behind a letter.
fn is_escape(b: &[u8], at: usize) -> bool {
    let next = b.get(at + 2) == Some(&b'\\') && matches!(b.get(at + 3), Some(b'r' | b'n' | b't'));
    let last = at >= 2 && b[at - 2] == b'\\' && matches!(b[at - 1], b'r' | b'n' | b't');
    at == 0 || next || last
}

/// `Label:`, `Label: value`, or a value.
fn cut(part: &str) -> (Option<&str>, Option<&str>) {
    if let Some(label) = part.strip_suffix(':') {
        return (Some(label.trim_end()), None);
    }
    match part.split_once(": ") {
        Some((label, value)) if is_label(label) => (Some(label), Some(value.trim())),
        _ => (None, None),
    }
}

/// Labels start with a capital and are short; sentences with a colon are not taken for one.
fn is_label(text: &str) -> bool {
    text.len() <= 40 && text.starts_with(|c: char| c.is_ascii_uppercase()) && !text.contains(['.', '\\', '/', ':', '"'])
}

fn section_of(label: &str) -> Option<Section> {
    Some(match label {
        "Subject" => Section::Subject,
        "New Logon"
        | "Account For Which Logon Failed"
        | "Account Whose Credentials Were Used"
        | "Target Account"
        | "Target Subject"
        | "New Account"
        | "Account That Was Locked Out"
        | "Account Information"
        | "New Computer Account"
        | "Computer Account That Was Changed"
        | "Target Computer"
        | "User" => Section::Target,
        "Member" => Section::Member,
        "Group" | "New Group" | "Deleted Group" => Section::Group,
        "Process Information" | "Process" | "Application Information" => Section::Process,
        "Network Information" => Section::Network,
        "Logon Information"
        | "Failure Information"
        | "Detailed Authentication Information"
        | "Additional Information"
        | "Attributes"
        | "Changed Attributes"
        | "Object"
        | "Access Request Information"
        | "Share Information"
        | "Filter Information"
        | "Target Server"
        | "Service Information"
        | "Service"
        | "Task Information"
        | "Service Request Information"
        | "Privileges" => Section::Other,
        _ => return None,
    })
}

fn field<'r>(event: &mut Event<'r>, data: &mut Data<'r>, id: u32, section: Section, label: &'r str, value: &'r str) {
    if let Some(name) = name(id, section, label) {
        set_data(event, data, name, Leaf::Str(value));
    }
}

/// The data field that a label is the caption of.
fn name(id: u32, section: Section, label: &str) -> Option<&'static str> {
    use Section::*;
    let is_share = matches!(id, 5140 | 5142..=5145);
    Some(match (section, label) {
        (Subject, "Security ID") => "SubjectUserSid",
        (Subject, "Account Name") => "SubjectUserName",
        (Subject, "Account Domain") => "SubjectDomainName",
        (Subject, "Logon ID") => "SubjectLogonId",
        (Member, "Security ID") => "MemberSid",
        (Member, "Account Name") => "MemberName",
        (Group, "Security ID") => "TargetSid",
        (Group, "Group Name" | "Account Name") => "TargetUserName",
        (Group, "Group Domain" | "Account Domain") => "TargetDomainName",
        (_, "Security ID" | "User ID") if matches!(id, 4624 | 4625 | 4634 | 4647 | 4648 | 4672 | 4768 | 4769) => "TargetUserSid",
        (_, "Security ID" | "User ID") => "TargetSid",
        (_, "Account Name" | "Logon Account" | "Supplied Realm Name Account") => "TargetUserName",
        (_, "Account Domain" | "Supplied Realm Name" | "Caller Computer Name") => "TargetDomainName",
        (_, "Logon ID") => "TargetLogonId",
        (_, "Logon GUID") => "LogonGuid",
        (_, "Logon Type") => "LogonType",
        (_, "Logon Process") => "LogonProcessName",
        (_, "Authentication Package") => "AuthenticationPackageName",
        (_, "Transited Services") => "TransmittedServices",
        (_, "Package Name (NTLM only)") => "LmPackageName",
        (_, "Key Length") => "KeyLength",
        (_, "Impersonation Level") => "ImpersonationLevel",
        (_, "Elevated Token") => "ElevatedToken",
        (_, "Failure Reason") => "FailureReason",
        (_, "Status" | "Result Code" | "Failure Code" | "Error Code") => "Status",
        (_, "Sub Status") => "SubStatus",
        (_, "Old Account Name") => "OldTargetUserName",
        (_, "New Account Name") => "NewTargetUserName",
        (_, "New Process ID") => "NewProcessId",
        (_, "New Process Name") => "NewProcessName",
        (_, "Creator Process Name") => "ParentProcessName",
        (_, "Process ID" | "Caller Process ID" | "Creator Process ID") => "ProcessId",
        (_, "Process Name" | "Caller Process Name") => "ProcessName",
        (_, "Process Command Line") => "CommandLine",
        (_, "Token Elevation Type") => "TokenElevationType",
        (_, "Mandatory Label") => "MandatoryLabel",
        (_, "Exit Status") => "Status",
        (_, "Application Name") => "Application",
        (_, "Workstation Name") => "WorkstationName",
        (_, "Source Workstation") => "Workstation",
        (_, "Source Network Address" | "Client Address" | "Network Address") => "IpAddress",
        (_, "Client Port") => "IpPort",
        (Network, "Port") => "IpPort",
        (_, "Source Address") if is_share => "IpAddress",
        (_, "Source Port") if is_share || matches!(id, 4624 | 4625) => "IpPort",
        (_, "Source Address") => "SourceAddress",
        (_, "Source Port") => "SourcePort",
        (_, "Destination Address") => "DestAddress",
        (_, "Destination Port") => "DestPort",
        (_, "Protocol") => "Protocol",
        (_, "Direction") => "Direction",
        (_, "Target Server Name") => "TargetServerName",
        (_, "Service Name") => "ServiceName",
        (_, "Service ID") => "ServiceSid",
        (_, "Service File Name") => "ServiceFileName",
        (_, "Service Type") => "ServiceType",
        (_, "Service Start Type") => "ServiceStartType",
        (_, "Service Account") => "ServiceAccount",
        (_, "Ticket Options") => "TicketOptions",
        (_, "Ticket Encryption Type") => "TicketEncryptionType",
        (_, "Pre-Authentication Type") => "PreAuthType",
        (_, "Object Server") => "ObjectServer",
        (_, "Object Type") => "ObjectType",
        (_, "Object Name") => "ObjectName",
        (_, "Object Value Name") => "ObjectValueName",
        (_, "Handle ID") => "HandleId",
        (_, "Accesses") => "AccessList",
        (_, "Access Mask") => "AccessMask",
        (_, "Share Name") => "ShareName",
        (_, "Share Path") => "ShareLocalPath",
        (_, "Relative Target Name") => "RelativeTargetName",
        (_, "Privileges") => "PrivilegeList",
        (_, "Task Name") => "TaskName",
        (_, "SAM Account Name") => "SamAccountName",
        (_, "Display Name") => "DisplayName",
        (_, "Rule Name") => "RuleName",
        (_, "Rule ID") => "RuleId",
        (_, "Session Name") => "SessionName",
        (_, "Client Name") => "ClientName",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;
    use crate::windows::Slot;

    #[test]
    fn the_same_text_with_any_white_space() {
        let lines = "An account failed to log on.\r\n\r\nSubject:\r\n\tSecurity ID:\t\tS-1-5-18\r\n\tAccount Name:\t\tSRV01$\r\n\tAccount Domain:\t\tQNM\r\n\tLogon ID:\t\t0x3E7\r\n\r\nLogon Type:\t\t\t3\r\n\r\nAccount For Which Logon Failed:\r\n\tSecurity ID:\t\tS-1-0-0\r\n\tAccount Name:\t\tan.nguyen\r\n\tAccount Domain:\t\t\r\n\r\nFailure Information:\r\n\tFailure Reason:\t\tUnknown user name or bad password.\r\n\tStatus:\t\t\t0xC000006D\r\n\tSub Status:\t\t0xC0000064\r\n\r\nNetwork Information:\r\n\tWorkstation Name:\tPC-09\r\n\tSource Network Address:\t192.0.2.14\r\n\tSource Port:\t\t53211\r\n";
        for text in [
            lines.to_owned(),
            lines.replace("\r\n", "#015#012").replace('\t', "#011"),
            lines.replace("\r\n", "  ").replace('\t', "  "),
            lines
                .replace("\r\n", "\\r\\n")
                .replace('\t', "\\t")
                .replace(":\\tS", ":\\t\\tS")
                .replace(":\\tP", ":\\t\\tP")
                .replace(":\\t1", ":\\t\\t1"),
        ] {
            let arena = Bump::new();
            let mut event = Event::new(&arena);
            let mut data = Data::default();
            read(&mut event, &mut data, 4625, arena.alloc_str(&text));
            assert_eq!(data.get(Slot::SubjectUserName), Some("SRV01$"), "{text}");
            assert_eq!(data.get(Slot::TargetUserName), Some("an.nguyen"), "{text}");
            assert_eq!(data.get(Slot::LogonType), Some("3"), "{text}");
            assert_eq!(data.get(Slot::SubStatus), Some("0xC0000064"), "{text}");
            assert_eq!(data.get(Slot::IpAddress), Some("192.0.2.14"), "{text}");
        }
    }
}
