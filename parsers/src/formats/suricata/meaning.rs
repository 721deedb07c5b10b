//! What the members of an EVE object mean, and what its event types are.

use std::sync::LazyLock;

use event::field;

use crate::{keys::KeyTable, vendor::Means};

/// Values that several rules weigh.
pub mod note {
    pub const TYPE: u8 = 0;
    pub const VERDICT: u8 = 1;
    pub const APP_PROTOCOL: u8 = 2;
    pub const FLOW_START: u8 = 3;
    pub const FLOW_END: u8 = 4;
    pub const HOST: u8 = 5;
    pub const URL: u8 = 6;
    pub const HTTP_VERSION: u8 = 7;
    pub const STATUS: u8 = 8;
    pub const DNS_QUERIES: u8 = 9;
    pub const DNS_ANSWERS: u8 = 10;
    pub const SNI: u8 = 11;
    pub const TLS_VERSION: u8 = 12;
    pub const FILE: u8 = 13;
    pub const CVE: u8 = 14;
    pub const SIGNATURE: u8 = 15;
    pub const COUNT: usize = 16;
}

/// An event type.
pub struct Type {
    pub name: &'static str,
    pub dataset: &'static str,
    /// Empty where the type is of no protocol.
    pub protocol: &'static str,
    pub categories: &'static [&'static str],
    pub types: &'static [&'static str],
}

const fn protocol(name: &'static str, dataset: &'static str, protocol: &'static str) -> Type {
    Type { name, dataset, protocol, categories: &["network"], types: &["protocol"] }
}

pub const TYPES: &[Type] = &[
    Type { name: "alert", dataset: "suricata.alert", protocol: "", categories: &["intrusion_detection", "network"], types: &[] },
    Type { name: "anomaly", dataset: "suricata.anomaly", protocol: "", categories: &["network"], types: &["info"] },
    Type { name: "drop", dataset: "suricata.drop", protocol: "", categories: &["network"], types: &["connection"] },
    Type { name: "flow", dataset: "suricata.flow", protocol: "", categories: &["network"], types: &["connection", "end"] },
    Type { name: "netflow", dataset: "suricata.flow", protocol: "", categories: &["network"], types: &["connection", "info"] },
    Type {
        name: "http",
        dataset: "suricata.http",
        protocol: "http",
        categories: &["network", "web"],
        types: &["access", "protocol"],
    },
    Type {
        name: "http2",
        dataset: "suricata.http",
        protocol: "http2",
        categories: &["network", "web"],
        types: &["access", "protocol"],
    },
    Type { name: "fileinfo", dataset: "suricata.fileinfo", protocol: "", categories: &["network", "file"], types: &["info"] },
    Type { name: "smtp", dataset: "suricata.smtp", protocol: "smtp", categories: &["network", "email"], types: &["protocol"] },
    Type { name: "stats", dataset: "suricata.stats", protocol: "", categories: &["network"], types: &["info"] },
    Type {
        name: "krb5",
        dataset: "suricata.krb5",
        protocol: "kerberos",
        categories: &["network", "authentication"],
        types: &["protocol"],
    },
    protocol("dns", "suricata.dns", "dns"),
    protocol("mdns", "suricata.dns", "mdns"),
    protocol("tls", "suricata.tls", "tls"),
    protocol("quic", "suricata.tls", "quic"),
    protocol("ssh", "suricata.ssh", "ssh"),
    protocol("ftp", "suricata.ftp", "ftp"),
    protocol("ftp_data", "suricata.ftp", "ftp-data"),
    protocol("tftp", "suricata.tftp", "tftp"),
    protocol("smb", "suricata.smb", "smb"),
    protocol("nfs", "suricata.nfs", "nfs"),
    protocol("rdp", "suricata.rdp", "rdp"),
    protocol("rfb", "suricata.rfb", "rfb"),
    protocol("mqtt", "suricata.mqtt", "mqtt"),
    protocol("dhcp", "suricata.dhcp", "dhcp"),
    protocol("snmp", "suricata.snmp", "snmp"),
    protocol("sip", "suricata.sip", "sip"),
    protocol("ike", "suricata.ike", "ike"),
    protocol("ikev2", "suricata.ike", "ike"),
    protocol("modbus", "suricata.modbus", "modbus"),
    protocol("dnp3", "suricata.dnp3", "dnp3"),
    protocol("enip", "suricata.enip", "enip"),
    protocol("pgsql", "suricata.pgsql", "pgsql"),
    protocol("bittorrent_dht", "suricata.bittorrent", "bittorrent"),
    protocol("websocket", "suricata.websocket", "websocket"),
    protocol("ldap", "suricata.ldap", "ldap"),
    protocol("pop3", "suricata.pop3", "pop3"),
    protocol("arp", "suricata.arp", "arp"),
];

pub static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("timestamp", Time(field::TIMESTAMP)),
        ("event_type", Note(note::TYPE)),
        ("src_ip", Ip(field::SOURCE_IP)),
        ("src_port", Int(field::SOURCE_PORT)),
        ("dest_ip", Ip(field::DESTINATION_IP)),
        ("dest_port", Int(field::DESTINATION_PORT)),
        ("proto", Protocol),
        ("app_proto", Note(note::APP_PROTOCOL)),
        ("in_iface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("host", Observer),
        ("community_id", Text(field::NETWORK_COMMUNITY_ID)),
        ("ether.src_mac", Mac(field::SOURCE_MAC)),
        ("ether.dest_mac", Mac(field::DESTINATION_MAC)),
        ("alert.action", Note(note::VERDICT)),
        ("alert.signature", Both(field::RULE_NAME, note::SIGNATURE)),
        ("alert.signature_id", Text(field::RULE_ID)),
        ("alert.category", Text(field::RULE_CATEGORY)),
        ("alert.severity", Int(field::EVENT_SEVERITY)),
        ("alert.metadata.cve", Note(note::CVE)),
        ("drop.reason", Text(field::EVENT_REASON)),
        ("anomaly.event", Text(field::EVENT_REASON)),
        ("flow.pkts_toserver", Int(field::SOURCE_PACKETS)),
        ("flow.pkts_toclient", Int(field::DESTINATION_PACKETS)),
        ("flow.bytes_toserver", Int(field::SOURCE_BYTES)),
        ("flow.bytes_toclient", Int(field::DESTINATION_BYTES)),
        ("flow.start", Note(note::FLOW_START)),
        ("flow.end", Note(note::FLOW_END)),
        ("netflow.pkts", Int(field::SOURCE_PACKETS)),
        ("netflow.bytes", Int(field::SOURCE_BYTES)),
        ("netflow.start", Note(note::FLOW_START)),
        ("netflow.end", Note(note::FLOW_END)),
        ("http.hostname", Note(note::HOST)),
        ("http.url", Note(note::URL)),
        ("http.http_user_agent", Text(field::USER_AGENT_ORIGINAL)),
        ("http.http_refer", Text(field::HTTP_REQUEST_REFERRER)),
        ("http.http_method", Text(field::HTTP_REQUEST_METHOD)),
        ("http.protocol", Note(note::HTTP_VERSION)),
        ("http.status", Both(field::HTTP_RESPONSE_STATUS_CODE, note::STATUS)),
        ("http.length", Int(field::HTTP_RESPONSE_BODY_BYTES)),
        ("dns.id", Name("dns.id")),
        ("dns.rrname", Text(field::DNS_QUESTION_NAME)),
        ("dns.rrtype", Text(field::DNS_QUESTION_TYPE)),
        ("dns.rcode", Text(field::DNS_RESPONSE_CODE)),
        ("dns.rdata", Name("dns.answers.data")),
        ("dns.queries", Note(note::DNS_QUERIES)),
        ("dns.query", Note(note::DNS_QUERIES)),
        ("dns.answers", Note(note::DNS_ANSWERS)),
        ("tls.sni", Note(note::SNI)),
        ("tls.version", Note(note::TLS_VERSION)),
        ("tls.subject", Name("tls.server.subject")),
        ("tls.issuerdn", Name("tls.server.issuer")),
        ("tls.fingerprint", Name("tls.server.hash.sha1")),
        ("tls.notbefore", Name("tls.server.not_before")),
        ("tls.notafter", Name("tls.server.not_after")),
        ("tls.ja3.hash", Name("tls.client.ja3")),
        ("tls.ja3s.hash", Name("tls.server.ja3s")),
        ("tls.ja4", Name("tls.client.ja4")),
        ("fileinfo.filename", Note(note::FILE)),
        ("fileinfo.size", Int(field::FILE_SIZE)),
        ("fileinfo.md5", Hash),
        ("fileinfo.sha1", Hash),
        ("fileinfo.sha256", Hash),
        ("smb.filename", Note(note::FILE)),
        ("smtp.mail_from", Name("email.from.address")),
        ("smtp.rcpt_to", Name("email.to.address")),
        ("email.from", Name("email.from.address")),
        ("email.to", Name("email.to.address")),
        ("email.subject", Name("email.subject")),
        ("email.message_id", Name("email.message_id")),
        ("krb5.cname", User(field::USER_NAME)),
        ("krb5.realm", Text(field::USER_DOMAIN)),
        ("ftp.command", Name("suricata.ftp_command")),
        ("dhcp.client_mac", Mac(field::SOURCE_MAC)),
        ("dhcp.hostname", Machine(field::SOURCE_DOMAIN)),
        ("pgsql.request.message", Text(field::MESSAGE)),
    ])
});
