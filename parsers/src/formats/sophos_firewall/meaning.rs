//! What the fields of a Sophos Firewall log mean, in both spellings of each.

use std::sync::LazyLock;

use event::field;

use crate::{keys::KeyTable, vendor::Means};

/// Values that several rules weigh.
pub mod note {
    pub const LOG_ID: u8 = 0;
    pub const TIMESTAMP: u8 = 1;
    pub const DATE: u8 = 2;
    pub const TIME: u8 = 3;
    pub const TIMEZONE: u8 = 4;
    pub const PRIORITY: u8 = 5;
    pub const TYPE: u8 = 6;
    pub const COMPONENT: u8 = 7;
    pub const SUBTYPE: u8 = 8;
    pub const STATUS: u8 = 9;
    pub const USER: u8 = 10;
    pub const NAME: u8 = 11;
    pub const SOURCE_ZONE_TYPE: u8 = 12;
    pub const DESTINATION_ZONE_TYPE: u8 = 13;
    pub const URL: u8 = 14;
    pub const DOMAIN: u8 = 15;
    pub const QUERY: u8 = 16;
    pub const WEB_PROTOCOL: u8 = 17;
    pub const HTTP_STATUS: u8 = 18;
    pub const ORIGIN: u8 = 19;
    pub const CONNECTION_EVENT: u8 = 20;
    pub const CATEGORY: u8 = 21;
    pub const CLASSIFICATION: u8 = 22;
    pub const MESSAGE: u8 = 23;
    pub const SEVERITY: u8 = 24;
    pub const COUNT: usize = 25;
}

pub static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("log_id", Note(note::LOG_ID)),
        ("timestamp", Note(note::TIMESTAMP)),
        ("date", Note(note::DATE)),
        ("time", Note(note::TIME)),
        ("timezone", Note(note::TIMEZONE)),
        ("priority", Note(note::PRIORITY)),
        ("severity", Note(note::SEVERITY)),
        ("log_type", Note(note::TYPE)),
        ("log_component", Note(note::COMPONENT)),
        ("log_subtype", Note(note::SUBTYPE)),
        ("status", Note(note::STATUS)),
        ("device_id", Text(field::OBSERVER_SERIAL_NUMBER)),
        ("device_serial_id", Text(field::OBSERVER_SERIAL_NUMBER)),
        ("device_name", Observer),
        ("user_name", Note(note::USER)),
        ("user", Note(note::USER)),
        ("login_user", Note(note::USER)),
        ("name", Note(note::NAME)),
        ("user_gp", Name("source.user.group.name")),
        ("user_group", Name("source.user.group.name")),
        ("usergroupname", Name("source.user.group.name")),
        ("duration", Seconds),
        ("responsetime", Micros),
        ("fw_rule_id", Text(field::RULE_ID)),
        ("fw_rule_name", Text(field::RULE_NAME)),
        ("policy_type", Text(field::RULE_RULESET)),
        ("fw_rule_type", Text(field::RULE_RULESET)),
        ("application", Lower(field::NETWORK_APPLICATION)),
        ("app_name", Lower(field::NETWORK_APPLICATION)),
        ("application_name", Lower(field::NETWORK_APPLICATION)),
        ("vlan_id", Name("network.vlan.id")),
        ("in_interface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("out_interface", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("src_zone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("srczone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("dst_zone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("dstzone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("src_zone_type", Note(note::SOURCE_ZONE_TYPE)),
        ("srczonetype", Note(note::SOURCE_ZONE_TYPE)),
        ("dst_zone_type", Note(note::DESTINATION_ZONE_TYPE)),
        ("dstzonetype", Note(note::DESTINATION_ZONE_TYPE)),
        ("src_mac", Mac(field::SOURCE_MAC)),
        ("client_physical_address", Mac(field::SOURCE_MAC)),
        ("dst_mac", Mac(field::DESTINATION_MAC)),
        ("src_ip", Ip(field::SOURCE_IP)),
        ("sourceip", Ip(field::SOURCE_IP)),
        ("source_ip", Ip(field::SOURCE_IP)),
        ("ep_ip", Ip(field::SOURCE_IP)),
        ("reported_ip", Ip(field::SOURCE_IP)),
        ("ipaddress", Ip(field::SOURCE_IP)),
        ("clients_ip", Ip(field::SOURCE_IP)),
        ("remoteinterfaceip", Ip(field::SOURCE_IP)),
        ("dst_ip", Ip(field::DESTINATION_IP)),
        ("destinationip", Ip(field::DESTINATION_IP)),
        ("destination_ip", Ip(field::DESTINATION_IP)),
        ("localip", Ip(field::DESTINATION_IP)),
        ("localinterfaceip", Ip(field::DESTINATION_IP)),
        ("src_port", Int(field::SOURCE_PORT)),
        ("dst_port", Int(field::DESTINATION_PORT)),
        ("src_trans_ip", Ip(field::SOURCE_NAT_IP)),
        ("tran_src_ip", Ip(field::SOURCE_NAT_IP)),
        ("dst_trans_ip", Ip(field::DESTINATION_NAT_IP)),
        ("tran_dst_ip", Ip(field::DESTINATION_NAT_IP)),
        ("src_trans_port", Int(field::SOURCE_NAT_PORT)),
        ("tran_src_port", Int(field::SOURCE_NAT_PORT)),
        ("dst_trans_port", Int(field::DESTINATION_NAT_PORT)),
        ("tran_dst_port", Int(field::DESTINATION_NAT_PORT)),
        ("src_domainname", Machine(field::SOURCE_DOMAIN)),
        ("src_domain", Machine(field::SOURCE_DOMAIN)),
        ("reported_host", Machine(field::SOURCE_DOMAIN)),
        ("client_host_name", Machine(field::SOURCE_DOMAIN)),
        ("ep_name", Machine(field::SOURCE_DOMAIN)),
        ("dst_domainname", Machine(field::DESTINATION_DOMAIN)),
        ("dst_domain", Machine(field::DESTINATION_DOMAIN)),
        ("dstdomain", Machine(field::DESTINATION_DOMAIN)),
        ("protocol", Protocol),
        ("sent_pkts", Int(field::SOURCE_PACKETS)),
        ("packets_sent", Int(field::SOURCE_PACKETS)),
        ("recv_pkts", Int(field::DESTINATION_PACKETS)),
        ("packets_received", Int(field::DESTINATION_PACKETS)),
        ("sent_bytes", Int(field::SOURCE_BYTES)),
        ("bytes_sent", Int(field::SOURCE_BYTES)),
        ("bytessent", Int(field::SOURCE_BYTES)),
        ("recv_bytes", Int(field::DESTINATION_BYTES)),
        ("bytes_received", Int(field::DESTINATION_BYTES)),
        ("bytesrcv", Int(field::DESTINATION_BYTES)),
        ("connevent", Note(note::CONNECTION_EVENT)),
        ("con_event", Note(note::CONNECTION_EVENT)),
        ("message", Both(field::MESSAGE, note::MESSAGE)),
        ("reason", Text(field::EVENT_REASON)),
        // Web, files, mail.
        ("url", Note(note::URL)),
        ("domain", Note(note::DOMAIN)),
        ("domainname", Note(note::DOMAIN)),
        ("server", Note(note::DOMAIN)),
        ("website", Note(note::DOMAIN)),
        ("querystring", Note(note::QUERY)),
        ("query_string", Note(note::QUERY)),
        ("ws_protocol", Note(note::WEB_PROTOCOL)),
        ("status_code", Note(note::HTTP_STATUS)),
        ("http_status", Note(note::HTTP_STATUS)),
        ("httpstatus", Note(note::HTTP_STATUS)),
        ("responsecode", Note(note::HTTP_STATUS)),
        ("method", Text(field::HTTP_REQUEST_METHOD)),
        ("referer", Text(field::HTTP_REQUEST_REFERRER)),
        ("user_agent", Text(field::USER_AGENT_ORIGINAL)),
        ("useragent", Text(field::USER_AGENT_ORIGINAL)),
        ("contenttype", Name("http.response.mime_type")),
        ("content_type", Name("http.response.mime_type")),
        ("category", Note(note::CATEGORY)),
        ("http_category", Note(note::CATEGORY)),
        ("source", Note(note::ORIGIN)),
        ("filename", Text(field::FILE_NAME)),
        ("file_name", Text(field::FILE_NAME)),
        ("download_file_name", Text(field::FILE_NAME)),
        ("upload_file_name", Text(field::FILE_NAME)),
        ("file_path", Text(field::FILE_PATH)),
        ("execution_path", FilePath),
        ("filesize", Int(field::FILE_SIZE)),
        ("file_size", Int(field::FILE_SIZE)),
        ("filetype", Name("file.mime_type")),
        ("sha1sum", Hash),
        ("sha256sum", Hash),
        ("md5sum", Hash),
        ("from_email_address", Name("email.from.address")),
        ("sender", Name("email.from.address")),
        ("to_email_address", Name("email.to.address")),
        ("recipient", Name("email.to.address")),
        ("email_subject", Name("email.subject")),
        ("subject", Name("email.subject")),
        ("mailid", Name("email.message_id")),
        ("message_id", Name("email.message_id")),
        // Detections.
        ("signature_id", Text(field::RULE_ID)),
        ("signature_msg", Text(field::RULE_NAME)),
        ("classification", Note(note::CLASSIFICATION)),
        ("virus", Text(field::RULE_NAME)),
        ("malware", Text(field::RULE_NAME)),
        ("threatname", Text(field::RULE_NAME)),
        ("threat_name", Text(field::RULE_NAME)),
    ])
});
