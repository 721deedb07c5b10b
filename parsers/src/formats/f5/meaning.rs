//! What the fields and messages of BIG-IP mean.

use std::sync::LazyLock;

use event::field;

use crate::{
    keys::KeyTable,
    phrases::{Class, LOGIN, LOGIN_FAILED, LOGOUT, NETWORK, Phrase},
    vendor::Means,
};

/// Values that several rules weigh.
pub mod note {
    pub const REQUEST_STATUS: u8 = 0;
    pub const VIOLATIONS: u8 = 1;
    pub const ACTION: u8 = 2;
    pub const ACL_RULE: u8 = 3;
    pub const DROP_REASON: u8 = 4;
    pub const DATE_TIME: u8 = 5;
    pub const TELEMETRY_TIME: u8 = 6;
    pub const END_OF_CYCLE: u8 = 7;
    pub const URI: u8 = 8;
    pub const QUERY: u8 = 9;
    pub const POLICY_RESULT: u8 = 10;
    pub const SOURCE_KIND: u8 = 11;
    pub const BYTES_IN: u8 = 12;
    pub const BYTES_OUT: u8 = 13;
    pub const COUNT: usize = 14;
}

pub static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        // ASM.
        ("unit_hostname", Host),
        ("hostname", Host),
        ("management_ip_address", IpName("observer.ip")),
        ("bigip_mgmt_ip", IpName("observer.ip")),
        ("policy_name", Text(field::RULE_RULESET)),
        ("violations", Note(note::VIOLATIONS)),
        ("request_status", Note(note::REQUEST_STATUS)),
        ("support_id", Text(field::HTTP_REQUEST_ID)),
        ("response_code", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("method", Text(field::HTTP_REQUEST_METHOD)),
        ("protocol", Lower(field::NETWORK_PROTOCOL)),
        ("query_string", Note(note::QUERY)),
        ("uri", Note(note::URI)),
        ("x_forwarded_for_header_value", IpName("network.forwarded_ip")),
        ("sig_ids", Text(field::RULE_ID)),
        ("sig_names", Text(field::RULE_NAME)),
        ("attack_type", Text(field::RULE_CATEGORY)),
        ("date_time", Note(note::DATE_TIME)),
        ("severity", Lower(field::LOG_LEVEL)),
        ("username", User(field::USER_NAME)),
        ("ip_client", Ip(field::CLIENT_IP)),
        ("src_port", Int(field::SOURCE_PORT)),
        ("dest_port", Int(field::DESTINATION_PORT)),
        ("dest_ip", Ip(field::DESTINATION_IP)),
        // AFM.
        ("acl_policy_name", Text(field::RULE_RULESET)),
        ("acl_rule_name", Both(field::RULE_NAME, note::ACL_RULE)),
        ("acl_rule_uuid", Text(field::RULE_UUID)),
        ("action", Note(note::ACTION)),
        ("drop_reason", Note(note::DROP_REASON)),
        ("ip_protocol", Protocol),
        ("source_ip", Ip(field::SOURCE_IP)),
        ("source_port", Int(field::SOURCE_PORT)),
        ("src_ip", Ip(field::SOURCE_IP)),
        ("translated_source_ip", Ip(field::SOURCE_NAT_IP)),
        ("translated_source_port", Int(field::SOURCE_NAT_PORT)),
        ("translated_dest_ip", Ip(field::DESTINATION_NAT_IP)),
        ("translated_dest_port", Int(field::DESTINATION_NAT_PORT)),
        ("source_user", User(field::SOURCE_USER_NAME)),
        ("vlan", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        // APM, AVR, LTM through Telemetry Streaming.
        ("f5telemetry_timestamp", Note(note::TELEMETRY_TIME)),
        ("event_timestamp", Note(note::TELEMETRY_TIME)),
        ("EOCTimestamp", Note(note::END_OF_CYCLE)),
        ("event_source", Note(note::SOURCE_KIND)),
        ("application", LowerName("network.application")),
        ("Client_IP", Ip(field::CLIENT_IP)),
        ("ClientIP", Ip(field::CLIENT_IP)),
        ("client_ip", Ip(field::CLIENT_IP)),
        ("server_ip", Ip(field::SERVER_IP)),
        ("SourceIP", Ip(field::SOURCE_IP)),
        ("POOLIP", Ip(field::DESTINATION_IP)),
        ("POOLPort", Int(field::DESTINATION_PORT)),
        ("Bytes_In", Note(note::BYTES_IN)),
        ("Bytes_Out", Note(note::BYTES_OUT)),
        ("User_Agent", Text(field::USER_AGENT_ORIGINAL)),
        ("UserAgent", Text(field::USER_AGENT_ORIGINAL)),
        ("Username", User(field::USER_NAME)),
        ("Access_Profile", Text(field::RULE_NAME)),
        ("Access_Policy_Result", Note(note::POLICY_RESULT)),
        ("Client_Hostname", Machine(field::SOURCE_DOMAIN)),
        ("URL", Note(note::URI)),
        ("http_uri", Note(note::URI)),
        ("Method", Text(field::HTTP_REQUEST_METHOD)),
        ("http_method", Text(field::HTTP_REQUEST_METHOD)),
        ("ResponseCode", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("http_statcode", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("QueryName", Text(field::DNS_QUESTION_NAME)),
        ("QueryType", Text(field::DNS_QUESTION_TYPE)),
    ])
});

/// Pairs of an AUDIT message.
pub static AUDIT: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[("host", Ip(field::SOURCE_IP)), ("pid", Int(field::PROCESS_PID)), ("status", Text(field::EVENT_REASON))])
});

const USER: Option<Means> = Some(Means::User(field::USER_NAME));
const ACCOUNT: Option<Means> = Some(Means::Account(field::USER_NAME));
const FROM: Option<Means> = Some(Means::Endpoint(field::SOURCE_IP, field::SOURCE_ADDRESS, field::SOURCE_PORT));
const TO: Option<Means> = Some(Means::Endpoint(field::DESTINATION_IP, field::DESTINATION_ADDRESS, field::DESTINATION_PORT));
const RULE: Option<Means> = Some(Means::Text(field::RULE_NAME));
const RULESET: Option<Means> = Some(Means::Text(field::RULE_RULESET));
const PROTOCOL: Option<Means> = Some(Means::Protocol);
const AGENT: Option<Means> = Some(Means::Text(field::USER_AGENT_ORIGINAL));
const SENT: Option<Means> = Some(Means::Int(field::SOURCE_BYTES));
const RECEIVED: Option<Means> = Some(Means::Int(field::DESTINATION_BYTES));
const MACHINE: Option<Means> = Some(Means::Machine(field::SOURCE_DOMAIN));
const NAT: Option<Means> = Some(Means::Ip(field::SOURCE_NAT_IP));

const INFO: Class = Class::new(&["authentication"], &["info"], "", "");
const ALLOWED: Class = Class::new(&["network"], &["connection", "info", "allowed"], "allow", "success");
const DENIED: Class = Class::new(&["network"], &["connection", "info", "denied"], "discard", "success");
const POLICY_ALLOW: Class = Class::new(&["authentication"], &["info", "allowed"], "", "success");
const POLICY_DENY: Class = Class::new(&["authentication"], &["info", "denied"], "", "failure");
const COMMAND: Class = Class::new(&["process"], &["start"], "", "");

pub const PHRASES: &[Phrase] = &[
    Phrase { text: "Username '*'", means: &[ACCOUNT], class: INFO },
    Phrase { text: "New session from client IP * (*) at VIP * Listener *", means: &[FROM, None, TO, None], class: INFO },
    Phrase { text: "AD module: authenticate with '*' successful", means: &[ACCOUNT], class: LOGIN },
    Phrase { text: "AD module: authenticate with '*' failed", means: &[ACCOUNT], class: LOGIN_FAILED },
    Phrase { text: "LDAP module: authenticate with '*' successful", means: &[ACCOUNT], class: LOGIN },
    Phrase { text: "LDAP module: authenticate with '*' failed", means: &[ACCOUNT], class: LOGIN_FAILED },
    Phrase { text: "RADIUS module: authenticate with '*' successful", means: &[ACCOUNT], class: LOGIN },
    Phrase { text: "RADIUS module: authenticate with '*' failed", means: &[ACCOUNT], class: LOGIN_FAILED },
    Phrase { text: "Following rule '*' from item '*' to ending 'Deny'", means: &[RULE, None], class: POLICY_DENY },
    Phrase { text: "Following rule '*' from item '*' to *", means: &[RULE, None, None], class: POLICY_ALLOW },
    Phrase { text: "Access policy result: Logon_Deny", means: &[], class: POLICY_DENY },
    Phrase { text: "Access policy result: *", means: &[None], class: POLICY_ALLOW },
    Phrase { text: "Session deleted ", means: &[], class: LOGOUT },
    Phrase { text: "Session statistics - bytes in: *, bytes out: *", means: &[SENT, RECEIVED], class: INFO },
    Phrase { text: "Received User-Agent header: *", means: &[AGENT], class: INFO },
    Phrase { text: "Received client info - Hostname: * Type: *", means: &[MACHINE, None], class: INFO },
    Phrase { text: "session.user.clientip is *", means: &[FROM], class: INFO },
    Phrase { text: "Assigned PPP Dynamic IPv4: * Tunnel Type: * Client IP: *", means: &[NAT, None, FROM], class: INFO },
    Phrase { text: "discard ACL: *:* packet: * * -> *", means: &[RULE, None, PROTOCOL, FROM, TO], class: DENIED },
    Phrase { text: "reject ACL: *:* packet: * * -> *", means: &[RULE, None, PROTOCOL, FROM, TO], class: DENIED },
    Phrase { text: "allow ACL: *:* packet: * * -> *", means: &[RULE, None, PROTOCOL, FROM, TO], class: ALLOWED },
    Phrase { text: "pam_radius_auth: pam_radius_auth: user * successfully authenticated", means: &[USER], class: LOGIN },
    Phrase { text: "pam_bigip_authz: authenticated user * with role", means: &[USER], class: LOGIN },
    Phrase { text: "(*) CMD (*)", means: &[USER, Some(Means::Text(field::PROCESS_COMMAND_LINE))], class: COMMAND },
    Phrase { text: "Pool * member * monitor status *", means: &[RULESET, TO, None], class: NETWORK },
    Phrase {
        text: "[ssl_acc] * - * [*] * * ",
        means: &[FROM, USER, None, Some(Means::Path), Some(Means::Int(field::HTTP_RESPONSE_STATUS_CODE))],
        class: NETWORK,
    },
];

/// True for a message of an access session that went wrong.
pub fn is_refusal(text: &str) -> bool {
    ["fail", "Fail", "Deny", "denied", "not successful", "invalid", "error", "Error"].iter().any(|word| text.contains(word))
}
