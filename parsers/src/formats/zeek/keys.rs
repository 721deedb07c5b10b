//! What the fields of Zeek's logs mean, whatever log they stand in, and by which of them a line is known.

use std::sync::LazyLock;

use event::field;

use crate::{keys::KeyTable, vendor::Means};

/// Values that several rules weigh.
pub mod note {
    pub const PATH: u8 = 0;
    pub const SERVICE: u8 = 1;
    pub const ACTION: u8 = 2;
    pub const STATUS: u8 = 3;
    pub const SUCCESS: u8 = 4;
    pub const REJECTED: u8 = 5;
    pub const RCODE: u8 = 6;
    pub const EXCEPTION: u8 = 7;
    pub const URI: u8 = 8;
    pub const HOST: u8 = 9;
    pub const CLIENT: u8 = 10;
    pub const VERSION: u8 = 11;
    pub const SHARE: u8 = 12;
    pub const NAME: u8 = 13;
    pub const NOTE: u8 = 14;
    pub const SOURCE: u8 = 15;
    pub const DESTINATION: u8 = 16;
    pub const DROPPED: u8 = 17;
    pub const CLIENT_ADDRESS: u8 = 18;
    pub const SERVER_ADDRESS: u8 = 19;
    pub const SOURCE_IP_BYTES: u8 = 20;
    pub const SOURCE_BYTES: u8 = 21;
    pub const DESTINATION_IP_BYTES: u8 = 22;
    pub const DESTINATION_BYTES: u8 = 23;
    pub const LOCAL_SOURCE: u8 = 24;
    pub const LOCAL_DESTINATION: u8 = 25;
    pub const STATE: u8 = 26;
    pub const PROTOCOL: u8 = 27;
    pub const CLASS: u8 = 28;
    pub const COUNT: usize = 29;
}

/// By the name of the field.
pub static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("ts", Time(field::TIMESTAMP)),
        ("_path", Note(note::PATH)),
        ("id.orig_h", Ip(field::SOURCE_IP)),
        ("id.orig_p", Int(field::SOURCE_PORT)),
        ("id.resp_h", Ip(field::DESTINATION_IP)),
        ("id.resp_p", Int(field::DESTINATION_PORT)),
        ("id_orig_h", Ip(field::SOURCE_IP)),
        ("id_orig_p", Int(field::SOURCE_PORT)),
        ("id_resp_h", Ip(field::DESTINATION_IP)),
        ("id_resp_p", Int(field::DESTINATION_PORT)),
        ("src_addr", Note(note::SOURCE)),
        ("src_port", Int(field::SOURCE_PORT)),
        ("dst_addr", Note(note::DESTINATION)),
        ("dst_port", Int(field::DESTINATION_PORT)),
        ("src", Note(note::SOURCE)),
        ("dst", Note(note::DESTINATION)),
        ("orig_l2_addr", Mac(field::SOURCE_MAC)),
        ("resp_l2_addr", Mac(field::DESTINATION_MAC)),
        ("mac", Mac(field::SOURCE_MAC)),
        ("vlan", Name("network.vlan.id")),
        ("proto", Protocol),
        ("service", Note(note::SERVICE)),
        ("duration", Seconds),
        ("community_id", Text(field::NETWORK_COMMUNITY_ID)),
        ("orig_bytes", Note(note::SOURCE_BYTES)),
        ("resp_bytes", Note(note::DESTINATION_BYTES)),
        ("orig_ip_bytes", Note(note::SOURCE_IP_BYTES)),
        ("resp_ip_bytes", Note(note::DESTINATION_IP_BYTES)),
        ("orig_pkts", Int(field::SOURCE_PACKETS)),
        ("resp_pkts", Int(field::DESTINATION_PACKETS)),
        ("local_orig", Note(note::LOCAL_SOURCE)),
        ("local_resp", Note(note::LOCAL_DESTINATION)),
        ("conn_state", Note(note::STATE)),
        ("peer", Observer),
        // DNS.
        ("trans_id", Name("dns.id")),
        ("query", Text(field::DNS_QUESTION_NAME)),
        ("qclass_name", Note(note::CLASS)),
        ("qtype_name", Text(field::DNS_QUESTION_TYPE)),
        ("rcode", Note(note::RCODE)),
        ("rcode_name", Text(field::DNS_RESPONSE_CODE)),
        ("rejected", Note(note::REJECTED)),
        ("answers", Name("dns.answers.data")),
        // HTTP.
        ("method", Both(field::HTTP_REQUEST_METHOD, note::ACTION)),
        ("host", Note(note::HOST)),
        ("uri", Note(note::URI)),
        ("referrer", Text(field::HTTP_REQUEST_REFERRER)),
        ("version", Note(note::VERSION)),
        ("user_agent", Text(field::USER_AGENT_ORIGINAL)),
        ("request_body_len", Int(field::HTTP_REQUEST_BODY_BYTES)),
        ("response_body_len", Int(field::HTTP_RESPONSE_BODY_BYTES)),
        ("status_code", Both(field::HTTP_RESPONSE_STATUS_CODE, note::STATUS)),
        // TLS, files, certificates.
        ("cipher", Text(field::TLS_CIPHER)),
        ("server_name", Name("tls.client.server_name")),
        ("curve", Name("tls.curve")),
        ("ja3", Name("tls.client.ja3")),
        ("ja3s", Name("tls.server.ja3s")),
        ("tx_hosts", Ip(field::SERVER_IP)),
        ("rx_hosts", Ip(field::CLIENT_IP)),
        ("filename", FilePath),
        ("mime_type", Name("file.mime_type")),
        ("total_bytes", Int(field::FILE_SIZE)),
        ("size", Int(field::FILE_SIZE)),
        ("file_size", Int(field::FILE_SIZE)),
        ("md5", Hash),
        ("sha1", Hash),
        ("sha256", Hash),
        // People and services.
        ("user", User(field::USER_NAME)),
        ("username", User(field::USER_NAME)),
        ("domainname", Text(field::USER_DOMAIN)),
        ("hostname", Machine(field::SOURCE_DOMAIN)),
        ("host_name", Machine(field::SOURCE_DOMAIN)),
        ("client", Note(note::CLIENT)),
        ("client_addr", Note(note::CLIENT_ADDRESS)),
        ("server_addr", Note(note::SERVER_ADDRESS)),
        ("request_type", Note(note::ACTION)),
        ("success", Note(note::SUCCESS)),
        ("auth_success", Note(note::SUCCESS)),
        ("result", Note(note::SUCCESS)),
        ("status", Note(note::STATUS)),
        ("exception", Note(note::EXCEPTION)),
        ("error_msg", Text(field::EVENT_REASON)),
        ("failure_reason", Text(field::EVENT_REASON)),
        ("operation", Note(note::ACTION)),
        ("command", Note(note::ACTION)),
        ("cmd", Note(note::ACTION)),
        ("func", Note(note::ACTION)),
        ("fc_request", Note(note::ACTION)),
        ("action", Note(note::ACTION)),
        ("path", Note(note::SHARE)),
        ("name", Note(note::NAME)),
        ("from", Name("email.from.address")),
        ("to", Name("email.to.address")),
        ("msg_id", Name("email.message_id")),
        // Detections.
        ("note", Note(note::NOTE)),
        ("msg", Text(field::MESSAGE)),
        ("dropped", Note(note::DROPPED)),
        ("sig_id", Text(field::RULE_ID)),
        ("event_msg", Text(field::MESSAGE)),
        ("seen.indicator", Name("threat.indicator.name")),
        ("severity", Lower(field::LOG_LEVEL)),
        ("message", Text(field::MESSAGE)),
    ])
});

/// What a line must hold, beside its `ts`, to be taken for Zeek's when it does not say so: these words are Zeek's own.
pub const MARKS: &[&str] = &[
    "\"id.orig_h\"",
    "\"id\":{\"orig_h\"",
    "\"uid\":\"C",
    "\"uid\": \"C",
    "\"fuid\":\"F",
    "\"certificate.subject\"",
    "\"percent_lost\"",
    "\"ts_delta\"",
    "\"pkts_proc\"",
    "\"uids\":[",
    "\"certStatus\"",
    "\"issuer_subject\"",
    "\"software_type\"",
    "\"is_exe\"",
    "\"port_proto\"",
    "\"sig_id\"",
];
