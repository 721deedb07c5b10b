//! Event number → ECS categories, types, action and outcome. Numbers that are not here keep `event.kind` only.

use event::{Event, field};

use super::Log;

type Class = (&'static str, &'static [&'static str], &'static [&'static str], Option<&'static str>);

/// Sets what the number of an event means in its log; what the record itself says under ECS names stays.
pub fn classify(event: &mut Event<'_>, log: Log, id: u32) {
    let class = match log {
        Log::Security => security(id),
        Log::Sysmon => sysmon(id),
        Log::PowerShell => powershell(id),
        Log::Defender => defender(id),
        Log::System => system(id),
        Log::Other => None,
    };
    let Some((action, categories, types, outcome)) = class else { return };
    if !event.has(field::EVENT_ACTION) {
        event.set(field::EVENT_ACTION, action);
    }
    if !event.has(field::EVENT_CATEGORY) {
        categories.iter().for_each(|category| event.set(field::EVENT_CATEGORY, *category));
    }
    if !event.has(field::EVENT_TYPE) {
        types.iter().for_each(|kind| event.set(field::EVENT_TYPE, *kind));
    }
    if let Some(outcome) = outcome
        && !event.has(field::EVENT_OUTCOME)
    {
        event.set(field::EVENT_OUTCOME, outcome);
    }
}

fn security(id: u32) -> Option<Class> {
    const OK: Option<&str> = Some("success");
    const NO: Option<&str> = Some("failure");
    const USER: &[&str] = &["iam"];
    Some(match id {
        1100 => ("logging-service-shutdown", &["process"], &["end"], OK),
        1102 => ("audit-log-cleared", &["iam"], &["admin", "change"], OK),
        4608 => ("system-started", &["host"], &["start"], OK),
        4624 => ("logged-in", &["authentication"], &["start"], OK),
        4625 => ("logon-failed", &["authentication"], &["start"], NO),
        4634 | 4647 => ("logged-out", &["authentication"], &["end"], OK),
        4648 => ("logged-in-explicit", &["authentication"], &["start"], OK),
        4656 => ("object-handle-requested", &["file"], &["access"], None),
        4657 => ("registry-value-modified", &["configuration", "registry"], &["change"], OK),
        4660 => ("object-deleted", &["file"], &["deletion"], OK),
        4663 => ("object-accessed", &["file"], &["access"], OK),
        4670 => ("permissions-changed", &["iam", "configuration"], &["admin", "change"], OK),
        4672 => ("logged-in-special", &["iam"], &["admin"], OK),
        4673 => ("privileged-service-called", &["iam"], &["admin"], None),
        4688 => ("created-process", &["process"], &["start"], OK),
        4689 => ("exited-process", &["process"], &["end"], OK),
        4697 => ("service-installed", &["iam", "configuration"], &["admin", "change"], OK),
        4698 => ("scheduled-task-created", &["iam", "configuration"], &["admin", "creation"], OK),
        4699 => ("scheduled-task-deleted", &["iam", "configuration"], &["admin", "deletion"], OK),
        4700 => ("scheduled-task-enabled", &["iam", "configuration"], &["admin", "change"], OK),
        4701 => ("scheduled-task-disabled", &["iam", "configuration"], &["admin", "change"], OK),
        4702 => ("scheduled-task-updated", &["iam", "configuration"], &["admin", "change"], OK),
        4704 => ("user-right-assigned", USER, &["admin", "change"], OK),
        4705 => ("user-right-removed", USER, &["admin", "change"], OK),
        4719 => ("changed-audit-config", &["iam", "configuration"], &["admin", "change"], OK),
        4720 => ("added-user-account", USER, &["user", "creation"], OK),
        4722 => ("enabled-user-account", USER, &["user", "change"], OK),
        4723 => ("changed-password", USER, &["user", "change"], None),
        4724 => ("reset-password", USER, &["user", "change"], OK),
        4725 => ("disabled-user-account", USER, &["user", "change"], OK),
        4726 => ("deleted-user-account", USER, &["user", "deletion"], OK),
        4727 | 4731 | 4744 | 4749 | 4754 | 4759 => ("added-group-account", USER, &["group", "creation"], OK),
        4728 | 4732 | 4746 | 4751 | 4756 | 4761 => ("added-member-to-group", USER, &["group", "change"], OK),
        4729 | 4733 | 4747 | 4752 | 4757 | 4762 => ("removed-member-from-group", USER, &["group", "change"], OK),
        4730 | 4734 | 4748 | 4753 | 4758 | 4763 => ("deleted-group-account", USER, &["group", "deletion"], OK),
        4735 | 4737 | 4745 | 4750 | 4755 | 4760 => ("modified-group-account", USER, &["group", "change"], OK),
        4738 => ("modified-user-account", USER, &["user", "change"], OK),
        4740 => ("locked-out-user-account", USER, &["user", "change"], OK),
        4741 => ("added-computer-account", USER, &["admin", "creation"], OK),
        4742 => ("changed-computer-account", USER, &["admin", "change"], OK),
        4743 => ("deleted-computer-account", USER, &["admin", "deletion"], OK),
        4767 => ("unlocked-user-account", USER, &["user", "change"], OK),
        4768 => ("kerberos-authentication-ticket-requested", &["authentication"], &["start"], None),
        4769 => ("kerberos-service-ticket-requested", &["authentication"], &["start"], None),
        4770 => ("kerberos-service-ticket-renewed", &["authentication"], &["start"], OK),
        4771 => ("kerberos-preauth-failed", &["authentication"], &["start"], NO),
        4776 => ("credential-validated", &["authentication"], &["start"], None),
        4778 => ("session-reconnected", &["authentication", "session"], &["start"], OK),
        4779 => ("session-disconnected", &["authentication", "session"], &["end"], OK),
        4781 => ("renamed-user-account", USER, &["user", "change"], OK),
        4798 | 4799 => ("group-membership-enumerated", USER, &["info"], OK),
        4946..=4948 => ("firewall-rule-changed", &["configuration"], &["change"], OK),
        5140 => ("network-share-object-accessed", &["network", "file"], &["access"], OK),
        5145 => ("network-share-object-checked", &["network", "file"], &["access"], None),
        5136 => ("directory-object-modified", USER, &["change"], OK),
        5156 => ("windows-firewall-connection", &["network"], &["connection", "allowed"], OK),
        5157 => ("windows-firewall-connection", &["network"], &["connection", "denied"], OK),
        _ => return None,
    })
}

fn sysmon(id: u32) -> Option<Class> {
    Some(match id {
        1 => ("process-created", &["process"], &["start"], None),
        2 => ("file-creation-time-changed", &["file"], &["change"], None),
        3 => ("network-connection-detected", &["network"], &["connection", "start", "protocol"], None),
        5 => ("process-terminated", &["process"], &["end"], None),
        6 => ("driver-loaded", &["driver"], &["start"], None),
        7 => ("image-loaded", &["process"], &["change"], None),
        8 => ("create-remote-thread-detected", &["process"], &["change"], None),
        9 => ("raw-access-read-detected", &["process"], &["access"], None),
        10 => ("process-accessed", &["process"], &["access"], None),
        11 => ("file-created", &["file"], &["creation"], None),
        12 => ("registry-object-added-or-deleted", &["configuration", "registry"], &["change"], None),
        13 => ("registry-value-set", &["configuration", "registry"], &["change"], None),
        14 => ("registry-object-renamed", &["configuration", "registry"], &["change"], None),
        15 => ("file-stream-created", &["file"], &["creation"], None),
        17 => ("pipe-created", &["file"], &["creation"], None),
        18 => ("pipe-connected", &["file"], &["access"], None),
        19..=21 => ("wmi-event", &["process"], &["change"], None),
        22 => ("dns-query", &["network"], &["connection", "protocol", "info"], None),
        23 | 26 => ("file-deleted", &["file"], &["deletion"], None),
        24 => ("clipboard-changed", &["process"], &["change"], None),
        25 => ("process-tampering", &["process"], &["change"], None),
        27..=29 => ("file-blocked", &["file"], &["creation", "denied"], None),
        255 => ("sysmon-error", &["process"], &["error"], None),
        _ => return None,
    })
}

fn powershell(id: u32) -> Option<Class> {
    Some(match id {
        400 => ("engine-started", &["process"], &["start"], None),
        403 => ("engine-stopped", &["process"], &["end"], None),
        600 => ("provider-started", &["process"], &["info"], None),
        800 => ("pipeline-executed", &["process"], &["info"], None),
        4103 => ("command-invoked", &["process"], &["info"], None),
        4104 => ("script-block-logged", &["process"], &["info"], None),
        4105 => ("script-block-started", &["process"], &["start"], None),
        4106 => ("script-block-stopped", &["process"], &["end"], None),
        _ => return None,
    })
}

fn defender(id: u32) -> Option<Class> {
    Some(match id {
        1006 | 1015 | 1116 => ("malware-detected", &["malware"], &["info"], None),
        1007 | 1117 => ("malware-action-taken", &["malware"], &["info", "deletion"], Some("success")),
        1008 | 1118 | 1119 => ("malware-action-failed", &["malware"], &["info"], Some("failure")),
        1009 => ("malware-restored", &["malware"], &["info"], None),
        1013 => ("malware-history-deleted", &["malware"], &["deletion"], None),
        1000 => ("scan-started", &["malware"], &["start"], None),
        1001 => ("scan-completed", &["malware"], &["end"], Some("success")),
        2000 => ("signature-updated", &["configuration"], &["change"], Some("success")),
        2001 => ("signature-update-failed", &["configuration"], &["change"], Some("failure")),
        5001 => ("real-time-protection-disabled", &["configuration"], &["change"], None),
        5007 => ("configuration-changed", &["configuration"], &["change"], None),
        _ => return None,
    })
}

fn system(id: u32) -> Option<Class> {
    Some(match id {
        104 => ("event-log-cleared", &["iam"], &["admin", "change"], Some("success")),
        6005 => ("event-log-started", &["host"], &["start"], None),
        6006 => ("event-log-stopped", &["host"], &["end"], None),
        7036 => ("service-state-changed", &["process"], &["change"], None),
        7040 => ("service-start-type-changed", &["configuration"], &["change"], None),
        7045 => ("service-installed", &["configuration"], &["creation"], Some("success")),
        _ => return None,
    })
}
