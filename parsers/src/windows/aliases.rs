//! Data fields → ECS: processes, accounts, peers, files. One function per kind of thing, guided by the log and the number.

use event::{Event, Field, field};

use super::{Data, Log, Slot, process_id, split_account};
use crate::{ecs, text};

pub fn set<'r>(event: &mut Event<'r>, log: Log, id: u32, data: &Data<'r>) {
    match log {
        Log::Security => {
            security_process(event, id, data);
            security_account(event, id, data);
            logon(event, data);
        }
        Log::Sysmon => sysmon(event, id, data),
        Log::PowerShell => powershell(event, data),
        Log::Defender => defender(event, data),
        Log::System | Log::Other => {
            if let Some(account) = data.first(&[Slot::User, Slot::Param1]).filter(|account| account.contains('\\')) {
                account_field(event, account);
            }
        }
    }
    peers(event, data);
    if let Some(service) = data.get(Slot::ServiceName) {
        put(event, field::SERVICE_NAME, service);
    }
    if let Some(path) = data.first(&[Slot::ServiceFileName, Slot::ImagePath]) {
        put(event, field::FILE_PATH, path);
    }
}

/// Sets a field unless the record brought it.
fn put<'r>(event: &mut Event<'r>, field: Field, text: &'r str) {
    if !event.has(field) {
        event.set(field, text);
    }
}

fn executable<'r>(event: &mut Event<'r>, path: &'r str) {
    put(event, field::PROCESS_EXECUTABLE, path);
    put(event, field::PROCESS_NAME, text::file_name(path));
}

fn parent<'r>(event: &mut Event<'r>, path: &'r str) {
    put(event, field::PROCESS_PARENT_EXECUTABLE, path);
    put(event, field::PROCESS_PARENT_NAME, text::file_name(path));
}

fn number(event: &mut Event<'_>, field: Field, text: Option<&str>) {
    if let Some(number) = text.and_then(process_id)
        && !event.has(field)
    {
        event.set(field, number);
    }
}

fn account_field<'r>(event: &mut Event<'r>, account: &'r str) {
    if event.has(field::USER_NAME) {
        return;
    }
    let (name, domain) = split_account(account);
    ecs::user(event, field::USER_NAME, name);
    if let Some(domain) = domain {
        event.set(field::USER_DOMAIN, domain);
    }
}

fn sysmon<'r>(event: &mut Event<'r>, id: u32, data: &Data<'r>) {
    if let Some(image) = data.first(&[Slot::Image, Slot::SourceImage]) {
        executable(event, image);
    }
    number(event, field::PROCESS_PID, data.first(&[Slot::ProcessId, Slot::SourceProcessId]));
    for (slot, field) in [
        (Slot::CommandLine, field::PROCESS_COMMAND_LINE),
        (Slot::CurrentDirectory, field::PROCESS_WORKING_DIRECTORY),
        (Slot::ProcessGuid, field::PROCESS_ENTITY_ID),
        (Slot::SourceProcessGUID, field::PROCESS_ENTITY_ID),
        (Slot::ParentCommandLine, field::PROCESS_PARENT_COMMAND_LINE),
        (Slot::TargetObject, field::REGISTRY_PATH),
        (Slot::QueryName, field::DNS_QUESTION_NAME),
    ] {
        if let Some(text) = data.get(slot) {
            put(event, field, text);
        }
    }
    if let Some(image) = data.get(Slot::ParentImage) {
        parent(event, image);
    }
    number(event, field::PROCESS_PARENT_PID, data.get(Slot::ParentProcessId));
    if let Some(path) = data.first(&[Slot::TargetFilename, Slot::ImageLoaded]) {
        file(event, path);
    }
    if id == 13
        && let Some(details) = data.get(Slot::Details)
    {
        put(event, field::REGISTRY_DATA_STRINGS, details);
    }
    if let Some(account) = data.get(Slot::User) {
        account_field(event, account);
    }
    if let Some(hashes) = data.get(Slot::Hashes) {
        set_hashes(event, id, hashes);
    }
}

fn file<'r>(event: &mut Event<'r>, path: &'r str) {
    put(event, field::FILE_PATH, path);
    let name = text::file_name(path);
    put(event, field::FILE_NAME, name);
    if let Some((stem, extension)) = name.rsplit_once('.')
        && !stem.is_empty()
        && extension.len() <= 8
    {
        put(event, field::FILE_EXTENSION, extension);
    }
}

/// `SHA1=…,MD5=…,SHA256=…,IMPHASH=…`: of the process where it starts one, else of the file.
fn set_hashes<'r>(event: &mut Event<'r>, id: u32, hashes: &'r str) {
    let of_file = id != 1;
    for (name, value) in hashes.split(',').filter_map(|part| part.split_once('=')) {
        let value = text::lower(event, value);
        event.set(field::RELATED_HASH, value);
        let (file, process) = match name {
            "MD5" => (field::FILE_HASH_MD5, "hash.md5"),
            "SHA1" => (field::FILE_HASH_SHA1, "hash.sha1"),
            "SHA256" => (field::FILE_HASH_SHA256, "hash.sha256"),
            _ => continue,
        };
        if of_file {
            put(event, file, value);
        } else {
            event.set_extra("process.", process, value);
        }
    }
}

fn security_process<'r>(event: &mut Event<'r>, id: u32, data: &Data<'r>) {
    if id == 4688 {
        if let Some(path) = data.get(Slot::NewProcessName) {
            executable(event, path);
        }
        number(event, field::PROCESS_PID, data.get(Slot::NewProcessId));
        if let Some(path) = data.get(Slot::ParentProcessName) {
            parent(event, path);
        }
        number(event, field::PROCESS_PARENT_PID, data.get(Slot::ProcessId));
    } else {
        if let Some(path) = data.first(&[Slot::ProcessName, Slot::CallingProcessName, Slot::Application]) {
            executable(event, path);
        }
        number(event, field::PROCESS_PID, data.get(Slot::ProcessId).filter(|id| *id != "0x0"));
    }
    if let Some(line) = data.get(Slot::CommandLine) {
        put(event, field::PROCESS_COMMAND_LINE, line);
    }
    if let Some(name) = data.get(Slot::ObjectName) {
        let field = if id == 4657 || name.starts_with("\\REGISTRY\\") { field::REGISTRY_PATH } else { field::FILE_PATH };
        put(event, field, name);
    }
    if let Some(share) = data.get(Slot::ShareName) {
        match data.get(Slot::RelativeTargetName) {
            Some(name) => {
                let path = text::join(event, share, "\\", name);
                put(event, field::FILE_PATH, path);
            }
            None => put(event, field::FILE_PATH, share),
        }
    }
}

/// Who acted and on whom: in log-on events the account is the target, in all others the subject.
fn security_account<'r>(event: &mut Event<'r>, id: u32, data: &Data<'r>) {
    let is_logon = matches!(id, 4624 | 4625 | 4634 | 4647 | 4768..=4776 | 4778 | 4779 | 4964);
    let is_group = matches!(id, 4727..=4735 | 4737 | 4744..=4764 | 4799);
    let target = data.get(Slot::TargetUserName);
    if is_logon {
        let name = target.or_else(|| data.get(Slot::AccountName));
        person(event, name, data.get(Slot::TargetDomainName), data.first(&[Slot::TargetUserSid, Slot::TargetSid]));
        return;
    }
    person(event, data.get(Slot::SubjectUserName), data.get(Slot::SubjectDomainName), data.get(Slot::SubjectUserSid));
    if is_group {
        if let Some(group) = target {
            put(event, field::GROUP_NAME, group);
        }
        if let Some(id) = data.get(Slot::TargetSid) {
            put(event, field::GROUP_ID, id);
        }
        if let Some(member) = data.get(Slot::MemberName) {
            ecs::user(event, field::USER_TARGET_NAME, common_name(member));
        }
        if let Some(id) = data.get(Slot::MemberSid) {
            put(event, field::USER_TARGET_ID, id);
        }
        return;
    }
    if let Some(name) = target.or_else(|| data.get(Slot::NewTargetUserName)) {
        if !event.has(field::USER_TARGET_NAME) {
            ecs::user(event, field::USER_TARGET_NAME, name);
        }
        if let Some(id) = data.first(&[Slot::TargetSid, Slot::TargetUserSid]) {
            put(event, field::USER_TARGET_ID, id);
        }
    }
}

fn person<'r>(event: &mut Event<'r>, name: Option<&'r str>, domain: Option<&'r str>, id: Option<&'r str>) {
    if event.has(field::USER_NAME) {
        return;
    }
    if let Some(name) = name {
        ecs::user(event, field::USER_NAME, name);
    }
    if let Some(domain) = domain {
        put(event, field::USER_DOMAIN, domain);
    }
    if let Some(id) = id {
        put(event, field::USER_ID, id);
    }
}

/// `CN=an,OU=…` → `an`.
fn common_name(name: &str) -> &str {
    name.strip_prefix("CN=").or_else(|| name.strip_prefix("cn=")).map_or(name, |rest| rest.split(',').next().unwrap_or(rest))
}

/// Log-on type in words, and why a log-on failed.
fn logon<'r>(event: &mut Event<'r>, data: &Data<'r>) {
    let word = match data.get(Slot::LogonType) {
        Some("2") => "Interactive",
        Some("3") => "Network",
        Some("4") => "Batch",
        Some("5") => "Service",
        Some("7") => "Unlock",
        Some("8") => "NetworkCleartext",
        Some("9") => "NewCredentials",
        Some("10") => "RemoteInteractive",
        Some("11") => "CachedInteractive",
        _ => return,
    };
    event.set_extra("winlog.", "logon.type", word);
    let reason =
        data.get(Slot::SubStatus).filter(|code| *code != "0x0").or_else(|| data.get(Slot::Status)).and_then(status_words);
    if let Some(reason) = reason {
        put(event, field::EVENT_REASON, reason);
    }
}

/// NTSTATUS values of failed log-ons (Microsoft, event 4625).
fn status_words(code: &str) -> Option<&'static str> {
    let number = u32::from_str_radix(code.trim_start_matches("0x"), 16).ok()?;
    Some(match number {
        0xC000_0064 => "user name does not exist",
        0xC000_006A => "wrong password",
        0xC000_006D => "bad user name or password",
        0xC000_006E => "account restriction",
        0xC000_006F => "outside of permitted hours",
        0xC000_0070 => "workstation not permitted",
        0xC000_0071 => "password expired",
        0xC000_0072 => "account disabled",
        0xC000_0133 => "clocks out of step",
        0xC000_015B => "log-on type not granted",
        0xC000_0193 => "account expired",
        0xC000_0224 => "password must change",
        0xC000_0234 => "account locked out",
        _ => return None,
    })
}

fn peers<'r>(event: &mut Event<'r>, data: &Data<'r>) {
    let source = data.first(&[Slot::SourceIp, Slot::SourceAddress, Slot::IpAddress, Slot::ClientAddress, Slot::Address]);
    if let Some(address) = source
        && !event.has(field::SOURCE_IP)
        && address != "LOCAL"
    {
        ecs::ip_only(event, field::SOURCE_IP, address);
    }
    number(event, field::SOURCE_PORT, data.first(&[Slot::SourcePort, Slot::IpPort]).filter(|port| *port != "0"));
    if let Some(name) = data.first(&[Slot::SourceHostname, Slot::WorkstationName, Slot::Workstation, Slot::ClientName]) {
        put(event, field::SOURCE_DOMAIN, name);
    }
    if let Some(address) = data.first(&[Slot::DestinationIp, Slot::DestAddress])
        && !event.has(field::DESTINATION_IP)
    {
        ecs::ip_only(event, field::DESTINATION_IP, address);
    }
    number(event, field::DESTINATION_PORT, data.first(&[Slot::DestinationPort, Slot::DestPort]));
    if let Some(name) = data.get(Slot::DestinationHostname) {
        put(event, field::DESTINATION_DOMAIN, name);
    }
    if let Some(protocol) = data.get(Slot::Protocol).filter(|_| event.has(field::DESTINATION_IP)) {
        match protocol.parse::<u8>() {
            Ok(number) => ecs::protocol(event, i64::from(number)),
            Err(_) => {
                let name = text::lower(event, protocol);
                put(event, field::NETWORK_TRANSPORT, name);
            }
        }
    }
    match data.get(Slot::Initiated) {
        Some("true") => put(event, field::NETWORK_DIRECTION, "egress"),
        Some("false") => put(event, field::NETWORK_DIRECTION, "ingress"),
        _ => {}
    }
}

/// Script blocks carry a path; the classic log has `HostApplication=…` inside a text of lines.
fn powershell<'r>(event: &mut Event<'r>, data: &Data<'r>) {
    if let Some(path) = data.first(&[Slot::Path, Slot::ScriptName]) {
        file(event, path);
    }
    let application = data.get(Slot::HostApplication).or_else(|| {
        let (_, rest) = data.get(Slot::Data)?.split_once("HostApplication=")?;
        Some(rest.split(['\r', '\n']).next().unwrap_or(rest).trim())
    });
    if let Some(line) = application.filter(|line| !line.is_empty()) {
        put(event, field::PROCESS_COMMAND_LINE, line);
    }
}

fn defender<'r>(event: &mut Event<'r>, data: &Data<'r>) {
    if let Some(name) = data.get(Slot::ThreatName) {
        put(event, field::RULE_NAME, name);
    }
    if let Some(path) = data.get(Slot::Path) {
        let path = path.strip_prefix("file:_").unwrap_or(path);
        file(event, path.split("; ").next().unwrap_or(path));
    }
    if let Some(path) = data.get(Slot::ProcessName) {
        executable(event, path);
    }
    if let Some(account) = data.first(&[Slot::DetectionUser, Slot::User]) {
        account_field(event, account);
    }
}
