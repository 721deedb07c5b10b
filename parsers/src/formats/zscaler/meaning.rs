//! What the fields of Zscaler's feeds mean.

use std::sync::LazyLock;

use event::field;

use crate::{keys::KeyTable, vendor::Means};

/// Values that several rules weigh.
pub mod note {
    pub const TIME: u8 = 0;
    pub const ACTION: u8 = 1;
    pub const FEED: u8 = 2;
    pub const PROTOCOL: u8 = 3;
    pub const URL: u8 = 4;
    pub const USER: u8 = 5;
    pub const DNS_NAME: u8 = 6;
    pub const TUNNEL: u8 = 7;
    pub const MILLIS: u8 = 8;
    pub const HOST: u8 = 9;
    pub const METHOD: u8 = 10;
    pub const CONNECTOR_KIND: u8 = 11;
    pub const PUBLIC_IP: u8 = 12;
    pub const AUDIT: u8 = 13;
    pub const COUNT: usize = 14;
}

/// Internet Access; JSON feeds put the record under `event`.
pub static NSS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    let plain: &[(&'static str, Means)] = &[
        ("time", Note(note::TIME)),
        ("datetime", Note(note::TIME)),
        ("action", Note(note::ACTION)),
        ("reqaction", Note(note::ACTION)),
        ("login", Note(note::USER)),
        ("user", Note(note::USER)),
        ("adminid", Note(note::USER)),
        ("proto", Note(note::PROTOCOL)),
        ("protocol", Note(note::PROTOCOL)),
        ("eurl", Note(note::URL)),
        ("url", Note(note::URL)),
        ("host", Machine(field::DESTINATION_DOMAIN)),
        ("hostname", Machine(field::DESTINATION_DOMAIN)),
        ("appname", Text(field::NETWORK_APPLICATION)),
        ("nwapp", Text(field::NETWORK_APPLICATION)),
        ("nwsvc", Lower(field::NETWORK_PROTOCOL)),
        ("reqsize", Int(field::HTTP_REQUEST_BODY_BYTES)),
        ("requestsize", Int(field::HTTP_REQUEST_BODY_BYTES)),
        ("respsize", Int(field::HTTP_RESPONSE_BODY_BYTES)),
        ("responsesize", Int(field::HTTP_RESPONSE_BODY_BYTES)),
        ("cip", Ip(field::SOURCE_NAT_IP)),
        ("cintip", Ip(field::SOURCE_IP)),
        ("clientip", Ip(field::SOURCE_IP)),
        ("ClientIP", Ip(field::SOURCE_IP)),
        ("clientpublicIP", Ip(field::SOURCE_NAT_IP)),
        ("csip", Ip(field::SOURCE_IP)),
        ("clt_sip", Ip(field::SOURCE_IP)),
        ("sourceip", Ip(field::SOURCE_IP)),
        ("sip", Ip(field::DESTINATION_IP)),
        ("serverip", Ip(field::DESTINATION_IP)),
        ("srv_dip", Ip(field::DESTINATION_IP)),
        ("destinationip", Ip(field::DESTINATION_IP)),
        ("sdip", Ip(field::DESTINATION_IP)),
        ("csport", Int(field::SOURCE_PORT)),
        ("sourceport", Int(field::SOURCE_PORT)),
        ("sdport", Int(field::DESTINATION_PORT)),
        ("srv_dport", Int(field::DESTINATION_PORT)),
        ("outbytes", Int(field::SOURCE_BYTES)),
        ("inbytes", Int(field::DESTINATION_BYTES)),
        ("txbytes", Int(field::SOURCE_BYTES)),
        ("rxbytes", Int(field::DESTINATION_BYTES)),
        ("durationms", Note(note::MILLIS)),
        ("tunneltype", Note(note::TUNNEL)),
        ("reqmethod", Text(field::HTTP_REQUEST_METHOD)),
        ("requestmethod", Text(field::HTTP_REQUEST_METHOD)),
        ("respcode", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("status", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("eua", Encoded(field::USER_AGENT_ORIGINAL)),
        ("ua", Text(field::USER_AGENT_ORIGINAL)),
        ("useragent", Text(field::USER_AGENT_ORIGINAL)),
        ("ereferer", Encoded(field::HTTP_REQUEST_REFERRER)),
        ("refererURL", Text(field::HTTP_REQUEST_REFERRER)),
        ("rulelabel", Text(field::RULE_NAME)),
        ("reqrulelabel", Text(field::RULE_NAME)),
        ("ruletype", Text(field::RULE_RULESET)),
        ("urlcat", Text(field::RULE_CATEGORY)),
        ("urlcategory", Text(field::RULE_CATEGORY)),
        ("reason", Text(field::EVENT_REASON)),
        ("deviceowner", User(field::SOURCE_USER_NAME)),
        ("devicehostname", Host),
        ("dns_req", Both(field::DNS_QUESTION_NAME, note::DNS_NAME)),
        ("dns_reqtype", Text(field::DNS_QUESTION_TYPE)),
        ("dns_resp", Name("dns.answers.data")),
        ("bamd5", Hash),
        ("filename", FilePath),
        ("result", Outcome),
        ("sourcetype", Note(note::FEED)),
    ];
    let mut all = plain.to_vec();
    // The words under `event.` mean the same; the table is built once and its names live as long as the program.
    all.extend(plain.iter().map(|(key, means)| {
        let name: &'static str = Box::leak(format!("event.{key}").into_boxed_str());
        (name, *means)
    }));
    KeyTable::new(&all)
});

/// Private Access.
pub static PRIVATE: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("LogTimestamp", Note(note::TIME)),
        ("ModifiedTime", Note(note::TIME)),
        ("Username", User(field::USER_NAME)),
        ("NameID", User(field::USER_NAME)),
        ("ModifiedBy", User(field::USER_NAME)),
        ("User", User(field::USER_NAME)),
        ("AuditOperationType", Note(note::AUDIT)),
        ("ClientPublicIP", Ip(field::CLIENT_IP)),
        ("ClientPublicIp", Ip(field::CLIENT_IP)),
        ("PublicIP", Note(note::PUBLIC_IP)),
        ("ServerIP", Ip(field::SERVER_IP)),
        ("ServerPort", Int(field::DESTINATION_PORT)),
        ("IPProtocol", Protocol),
        ("Hostname", Name("host.hostname")),
        ("Host", Note(note::HOST)),
        ("SessionType", Note(note::CONNECTOR_KIND)),
        ("ConnectionStatus", Note(note::ACTION)),
        ("SessionStatus", Note(note::ACTION)),
        ("Policy", Text(field::RULE_NAME)),
        ("Application", Text(field::NETWORK_APPLICATION)),
        ("InternalReason", Text(field::EVENT_REASON)),
        ("ConnectionReason", Text(field::EVENT_REASON)),
        ("Method", Both(field::HTTP_REQUEST_METHOD, note::METHOD)),
        ("Protocol", Note(note::PROTOCOL)),
        ("URL", Note(note::URL)),
        ("UserAgent", Text(field::USER_AGENT_ORIGINAL)),
        ("StatusCode", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("RequestSize", Int(field::HTTP_REQUEST_BODY_BYTES)),
        ("ResponseSize", Int(field::HTTP_RESPONSE_BODY_BYTES)),
    ])
});
