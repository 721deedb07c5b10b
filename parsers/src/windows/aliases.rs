//! Data fields → ECS: processes, accounts, peers, files. One function per kind of thing, guided by the log and the number.

use event::{Event, Field, RawRecord, Value, field};

use super::{Data, Log, Slot, process_id, split_account};
use crate::{ecs, text, time};

pub fn set<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, log: Log, id: u32, data: &Data<'r>) {
    match log {
        Log::Security => {
            security_process(event, id, data);
            security_account(event, id, data);
            logon(event, data);
        }
        Log::Sysmon => sysmon(raw, event, id, data),
        Log::PowerShell => powershell(event, data),
        Log::Defender => defender(event, data),
        Log::TaskScheduler => task(event, data),
        Log::DnsServer => dns_server(event, data),
        Log::Firewall => firewall(event, data),
        Log::AppLocker => {
            if let Some(path) = data.first(&[Slot::FullFilePath, Slot::FilePath]) {
                file(event, path);
                executable(event, path);
            }
            if let Some(sid) = data.get(Slot::TargetUser) {
                put(event, field::USER_ID, sid);
            }
        }
        Log::Adfs => adfs(event, id, data),
        Log::System | Log::Wmi | Log::TerminalServices | Log::Other => {
            if let Some(account) = data.first(&[Slot::User, Slot::Param1]).filter(|account| account.contains('\\')) {
                account_field(event, account);
            } else if log == Log::TerminalServices
                && let Some(account) = data.first(&[Slot::User, Slot::Param1, Slot::UserName])
            {
                account_field(event, account);
                if let Some(domain) = data.get(Slot::Param2) {
                    put(event, field::USER_DOMAIN, domain);
                }
                if let Some(address) = data.get(Slot::Param3)
                    && !event.has(field::SOURCE_IP)
                {
                    ecs::ip_only(event, field::SOURCE_IP, address);
                }
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

fn sysmon<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, id: u32, data: &Data<'r>) {
    // The event log's own time is when the record was written; Sysmon's is when it happened. It is UTC and says no zone.
    if let Some((stamp, "")) = data.get(Slot::UtcTime).and_then(time::iso) {
        let time = time::Stamp { offset: Some(0), ..stamp }.resolve(raw);
        event.set(field::TIMESTAMP, Value::Time(time));
    }
    if let Some(rule) = data.get(Slot::RuleName) {
        put(event, field::RULE_NAME, rule);
    }
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
    if let Some(path) = data.get(Slot::TargetObject) {
        registry(event, path);
    }
    if id == 13
        && let Some(details) = data.get(Slot::Details)
    {
        put(event, field::REGISTRY_DATA_STRINGS, details);
    }
    if id == 22 {
        put(event, field::NETWORK_PROTOCOL, "dns");
        if let Some(results) = data.get(Slot::QueryResults) {
            dns_results(event, results);
        }
    }
    if matches!(id, 17 | 18)
        && let Some(name) = data.get(Slot::PipeName)
    {
        put(event, field::FILE_NAME, name);
    }
    if let Some(guid) = data.first(&[Slot::ParentProcessGuid, Slot::ParentProcessGUID]) {
        extra(event, "process.parent.entity_id", guid);
    }
    if id == 9
        && let Some(device) = data.get(Slot::Device)
    {
        put(event, field::FILE_PATH, device);
    }
    if let Some(account) = data.get(Slot::User) {
        account_field(event, account);
    }
    if let Some(hashes) = data.get(Slot::Hashes) {
        set_hashes(event, id, hashes);
    }
    if let Some(line) = data.get(Slot::CommandLine) {
        arguments(event, field::PROCESS_ARGS, line);
    }
}

/// Sets a field of ECS that may have no column of its own.
fn extra<'r>(event: &mut Event<'r>, name: &'static str, value: &'r str) {
    if !event.extra().iter().any(|(known, _)| known.prefix.is_empty() && known.key == name) {
        event.set_named(name, value);
    }
}

/// `HKLM\\Software\\…\\Value`: the hive, the key and the value of a registry path.
fn registry<'r>(event: &mut Event<'r>, path: &'r str) {
    let (hive, rest) = path.split_once('\\').unwrap_or((path, ""));
    extra(event, "registry.hive", hive);
    if !rest.is_empty() {
        extra(event, "registry.key", rest);
    }
    extra(event, "registry.value", text::file_name(path));
}

/// `type:  5 name;::ffff:192.0.2.1;192.0.2.2;`: names of the chain, then addresses.
fn dns_results<'r>(event: &mut Event<'r>, results: &'r str) {
    for answer in results.split(';').take(64) {
        let answer = answer.trim();
        let data = match answer.strip_prefix("type:") {
            Some(rest) => rest.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start(),
            None => answer,
        };
        if ecs::is_nothing(data) {
            continue;
        }
        match ecs::ip(data) {
            Some(address) => {
                event.set(field::DNS_ANSWERS_DATA, data.strip_prefix("::ffff:").unwrap_or(data));
                event.set(field::RELATED_IP, address);
            }
            None => event.set(field::DNS_ANSWERS_DATA, data),
        }
    }
}

/// The words of a command line by the rules of `CommandLineToArgvW`, as far as quotes go: a quoted word loses its quotes.
pub fn arguments<'r>(event: &mut Event<'r>, list: Field, line: &'r str) {
    if event.has(list) {
        return;
    }
    let mut rest = line.trim();
    for _ in 0..256 {
        if rest.is_empty() {
            return;
        }
        let word = match rest.strip_prefix('"') {
            Some(inside) => {
                let (word, after) = inside.split_once('"').unwrap_or((inside, ""));
                rest = after;
                word
            }
            None => {
                let mut is_quoted = false;
                let end = rest
                    .bytes()
                    .position(|b| {
                        is_quoted ^= b == b'"';
                        !is_quoted && matches!(b, b' ' | b'\t')
                    })
                    .unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                rest = after;
                word
            }
        };
        if !word.is_empty() {
            event.set(list, word);
        }
        rest = rest.trim_start();
    }
}

fn task<'r>(event: &mut Event<'r>, data: &Data<'r>) {
    if let Some(account) = data.first(&[Slot::UserContext, Slot::UserName, Slot::User]) {
        account_field(event, account);
    }
    if let Some(path) = data.first(&[Slot::Path, Slot::ActionName]) {
        executable(event, path);
    }
    if let Some(name) = data.get(Slot::TaskName) {
        extra(event, "winlog.task_name", name);
    }
}

fn dns_server<'r>(event: &mut Event<'r>, data: &Data<'r>) {
    put(event, field::NETWORK_PROTOCOL, "dns");
    if let Some(name) = data.first(&[Slot::QNAME, Slot::NAME]) {
        put(event, field::DNS_QUESTION_NAME, name.trim_end_matches('.'));
    }
    if let Some(kind) = data.first(&[Slot::QTYPE, Slot::Type]) {
        let kind = kind.parse().ok().and_then(crate::windows::dns_type).unwrap_or(kind);
        put(event, field::DNS_QUESTION_TYPE, kind);
    }
    if let Some(code) = data.get(Slot::RCODE) {
        put(event, field::DNS_RESPONSE_CODE, crate::windows::dns_response(code));
    }
    if let Some(address) = data.get(Slot::Source)
        && !event.has(field::SOURCE_IP)
    {
        ecs::ip_only(event, field::SOURCE_IP, address);
    }
    if let Some(address) = data.get(Slot::Destination)
        && !event.has(field::DESTINATION_IP)
    {
        ecs::ip_only(event, field::DESTINATION_IP, address);
    }
    match data.get(Slot::TCP) {
        Some("0" | "false") => put(event, field::NETWORK_TRANSPORT, "udp"),
        Some(_) => put(event, field::NETWORK_TRANSPORT, "tcp"),
        None => {}
    }
}

fn firewall<'r>(event: &mut Event<'r>, data: &Data<'r>) {
    if let Some(name) = data.get(Slot::RuleName) {
        put(event, field::RULE_NAME, name);
    }
    if let Some(id) = data.get(Slot::RuleId) {
        put(event, field::RULE_ID, id);
    }
    if let Some(path) = data.get(Slot::ModifyingApplication) {
        executable(event, path);
    }
    if let Some(sid) = data.get(Slot::ModifyingUser) {
        put(event, field::USER_ID, sid);
    }
}

/// Audits of AD FS: an instance id, then the values by place; 1200 to 1207 hold an XML of the request.
fn adfs<'r>(event: &mut Event<'r>, id: u32, data: &Data<'r>) {
    let unnamed = data.unnamed();
    // Agents that do not pass the data pass the text, and the XML in it.
    let message = event.text(field::MESSAGE);
    for value in unnamed.iter().copied().chain(message) {
        if let Some(xml) = value.find("<AuditBase").map(|at| &value[at..]) {
            let inside = |tag: &str| {
                let open = crate::text::find(xml.as_bytes(), tag.as_bytes())? + tag.len();
                let rest = xml[open..].strip_prefix('>')?;
                Some(rest.split('<').next().unwrap_or(rest)).filter(|text| !ecs::is_nothing(text) && *text != "N/A")
            };
            if let Some(account) = inside("<UserId") {
                account_field(event, account);
            }
            if let Some(list) = inside("<IpAddress")
                && !event.has(field::SOURCE_IP)
            {
                ecs::ip_only(event, field::SOURCE_IP, list.split(',').next().unwrap_or(list).trim());
            }
            if let Some(agent) = inside("<UserAgentString") {
                put(event, field::USER_AGENT_ORIGINAL, agent);
            }
            if let Some(url) = inside("<RelyingParty").filter(|url| url.contains("://") && !event.has(field::URL_ORIGINAL)) {
                crate::web::url(event, url);
            } else if let Some(path) = inside("<Endpoint") {
                put(event, field::URL_PATH, path);
            }
            if let Some(reason) = inside("<FailureType").or_else(|| inside("<AuditResult")) {
                put(event, field::EVENT_REASON, reason);
            }
        }
    }
    // 411: activity, token type, error, client addresses. 403: activity, address, user agent …
    let address = match id {
        411 => unnamed.iter().rev().find(|value| ecs::ip(value.split(',').next().unwrap_or(value).trim()).is_some()).copied(),
        403 | 410 => unnamed.iter().find(|value| ecs::ip(value).is_some()).copied(),
        _ => None,
    };
    if let Some(address) = address.and_then(|list| list.split(',').next())
        && !event.has(field::SOURCE_IP)
    {
        ecs::ip_only(event, field::SOURCE_IP, address.trim());
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
        arguments(event, field::PROCESS_ARGS, line);
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
    // Certificate services: who asked for the certificate; a subject, where there is one, is the service itself.
    if matches!(id, 4886..=4888)
        && let Some(requester) = data.get(Slot::Requester)
    {
        account_field(event, requester);
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
    if let Some(name) = data.get(Slot::NewTargetUserName) {
        extra(event, "user.changes.name", name);
    }
    if let Some(name) = target.or_else(|| data.get(Slot::OldTargetUserName)) {
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
        // Domain controllers write IPv4 clients as mapped IPv6.
        ecs::ip_only(event, field::SOURCE_IP, address.strip_prefix("::ffff:").unwrap_or(address));
    }
    number(
        event,
        field::SOURCE_PORT,
        data.first(&[Slot::SourcePort, Slot::IpPort, Slot::ClientPort]).filter(|port| *port != "0"),
    );
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
    if event.has(field::DESTINATION_IP)
        && let Some(Value::Ip(address)) = event.get(field::SOURCE_IP)
    {
        extra(event, "network.type", if address.is_ipv4() { "ipv4" } else { "ipv6" });
    }
    match data.get(Slot::Direction) {
        Some("%%14592") => put(event, field::NETWORK_DIRECTION, "inbound"),
        Some("%%14593") => put(event, field::NETWORK_DIRECTION, "outbound"),
        Some(word) if word.eq_ignore_ascii_case("inbound") => put(event, field::NETWORK_DIRECTION, "inbound"),
        Some(word) if word.eq_ignore_ascii_case("outbound") => put(event, field::NETWORK_DIRECTION, "outbound"),
        _ => {}
    }
    if let Some(name) = data.get(Slot::DestinationPortName) {
        put(event, field::NETWORK_PROTOCOL, name);
    }
    match data.get(Slot::Initiated) {
        Some("true") => put(event, field::NETWORK_DIRECTION, "egress"),
        Some("false") => put(event, field::NETWORK_DIRECTION, "ingress"),
        _ => {}
    }
}

/// Script blocks carry a path; the classic log has lines of `name=value` in its unnamed data, 4103 lines of `name = value`.
fn powershell<'r>(event: &mut Event<'r>, data: &Data<'r>) {
    let details = data.first(&[Slot::ContextInfo, Slot::Data]).unwrap_or("");
    let detail = |name: &str| {
        details.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            let value = value.trim();
            (key.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
        })
    };
    if let Some(path) =
        data.first(&[Slot::Path, Slot::ScriptName]).or_else(|| detail("ScriptName")).or_else(|| detail("Script Name"))
    {
        file(event, path);
    }
    let application =
        data.get(Slot::HostApplication).or_else(|| detail("HostApplication")).or_else(|| detail("Host Application"));
    if let Some(line) = application {
        put(event, field::PROCESS_COMMAND_LINE, line);
        arguments(event, field::PROCESS_ARGS, line);
        let program = match line.strip_prefix('"') {
            Some(inside) => inside.split('"').next().unwrap_or(inside),
            None => program_of(line),
        };
        executable_name(event, program);
    }
    if let Some(id) = detail("HostId").or_else(|| detail("Host ID")) {
        put(event, field::PROCESS_ENTITY_ID, id);
    }
    if let Some(account) = detail("UserId").or_else(|| detail("User")) {
        account_field(event, account);
    }
    if let Some(account) = detail("Connected User") {
        let (name, domain) = split_account(account);
        put(event, field::SOURCE_USER_NAME, name);
        if let Some(domain) = domain {
            extra(event, "source.user.domain", domain);
        }
    }
}

/// The program of a line that is not quoted: as far as `.exe` if there is one, else the first word.
fn program_of(line: &str) -> &str {
    let exe = line.as_bytes().windows(4).position(|part| part.eq_ignore_ascii_case(b".exe"));
    match exe {
        Some(at) => &line[..at + 4],
        None => line.split(' ').next().unwrap_or(line),
    }
}

/// A program by path or by name only.
fn executable_name<'r>(event: &mut Event<'r>, program: &'r str) {
    if program.contains('\\') {
        executable(event, program);
    } else {
        put(event, field::PROCESS_NAME, program);
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
    if let Some(id) = data.get(Slot::ThreatID) {
        put(event, field::RULE_ID, id);
    }
    if let Some(category) = data.get(Slot::CategoryName) {
        put(event, field::RULE_CATEGORY, category);
    }
}
