//! What the words of Huawei's logs mean. Their spelling changes between modules, so a word is compared by its letters and digits
//! alone, in lower case.

use std::sync::LazyLock;

use event::field;

use crate::{keys::KeyTable, vendor::Means};

/// Values that several rules weigh.
pub mod note {
    pub const USER: u8 = 0;
    pub const ACTION: u8 = 1;
    pub const HOST: u8 = 2;
    pub const PAGE: u8 = 3;
    pub const COUNT: usize = 4;
}

/// Longest word that can mean something.
const WORD_BYTES_MAX: usize = 32;

static WORDS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    KeyTable::new(&[
        ("sourceip", Ip(field::SOURCE_IP)),
        ("srcip", Ip(field::SOURCE_IP)),
        ("sourceaddress", Ip(field::SOURCE_IP)),
        ("sourceipaddress", Ip(field::SOURCE_IP)),
        ("ip", Ip(field::SOURCE_IP)),
        ("ipaddress", Ip(field::SOURCE_IP)),
        ("userip", Ip(field::SOURCE_IP)),
        ("useripaddress", Ip(field::SOURCE_IP)),
        ("loginip", Ip(field::SOURCE_IP)),
        ("clientip", Ip(field::SOURCE_IP)),
        ("peerip", Ip(field::SOURCE_IP)),
        ("remoteip", Ip(field::SOURCE_IP)),
        ("remoteaddress", Ip(field::SOURCE_IP)),
        ("src", Endpoint(field::SOURCE_IP, field::SOURCE_ADDRESS, field::SOURCE_PORT)),
        ("dst", Endpoint(field::DESTINATION_IP, field::DESTINATION_ADDRESS, field::DESTINATION_PORT)),
        ("destinationip", Ip(field::DESTINATION_IP)),
        ("dstip", Ip(field::DESTINATION_IP)),
        ("destip", Ip(field::DESTINATION_IP)),
        ("destinationaddress", Ip(field::DESTINATION_IP)),
        ("serverip", Ip(field::DESTINATION_IP)),
        ("sourceport", Int(field::SOURCE_PORT)),
        ("srcport", Int(field::SOURCE_PORT)),
        ("destinationport", Int(field::DESTINATION_PORT)),
        ("dstport", Int(field::DESTINATION_PORT)),
        ("destport", Int(field::DESTINATION_PORT)),
        ("sourcenatip", Ip(field::SOURCE_NAT_IP)),
        ("srcnatip", Ip(field::SOURCE_NAT_IP)),
        ("sourcenatport", Int(field::SOURCE_NAT_PORT)),
        ("srcnatport", Int(field::SOURCE_NAT_PORT)),
        ("destinationnatip", Ip(field::DESTINATION_NAT_IP)),
        ("dstnatip", Ip(field::DESTINATION_NAT_IP)),
        ("destinationnatport", Int(field::DESTINATION_NAT_PORT)),
        ("dstnatport", Int(field::DESTINATION_NAT_PORT)),
        ("usermac", Mac(field::SOURCE_MAC)),
        ("macaddress", Mac(field::SOURCE_MAC)),
        ("sourcemac", Mac(field::SOURCE_MAC)),
        ("mac", Mac(field::SOURCE_MAC)),
        ("proto", Protocol),
        ("protocol", Protocol),
        ("application", Lower(field::NETWORK_APPLICATION)),
        ("applicationname", Lower(field::NETWORK_APPLICATION)),
        ("sourcezone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("srczone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("destinationzone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("dstzone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("receiveinterface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("interface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("interfacename", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("ininterface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("outinterface", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("sendpkts", Int(field::SOURCE_PACKETS)),
        ("sendbytes", Int(field::SOURCE_BYTES)),
        ("rcvpkts", Int(field::DESTINATION_PACKETS)),
        ("rcvbytes", Int(field::DESTINATION_BYTES)),
        ("totalpackets", Int(field::NETWORK_PACKETS)),
        ("begintime", Time(field::EVENT_START)),
        ("endtime", Time(field::EVENT_END)),
        ("vsys", Text(field::NETWORK_NAME)),
        ("policy", Text(field::RULE_NAME)),
        ("policyname", Text(field::RULE_NAME)),
        ("rulename", Text(field::RULE_NAME)),
        ("signname", Text(field::RULE_NAME)),
        ("signaturename", Text(field::RULE_NAME)),
        ("virusname", Text(field::RULE_NAME)),
        ("attacktype", Text(field::RULE_NAME)),
        ("profile", Text(field::RULE_RULESET)),
        ("signid", Text(field::RULE_ID)),
        ("signatureid", Text(field::RULE_ID)),
        ("ruleid", Text(field::RULE_ID)),
        ("category", Text(field::RULE_CATEGORY)),
        ("closereason", Text(field::EVENT_REASON)),
        ("reason", Text(field::EVENT_REASON)),
        ("failreason", Text(field::EVENT_REASON)),
        ("reference", Name("rule.reference")),
        ("user", Note(note::USER)),
        ("username", Note(note::USER)),
        ("action", Note(note::ACTION)),
        ("host", Note(note::HOST)),
        ("page", Note(note::PAGE)),
        ("referer", Text(field::HTTP_REQUEST_REFERRER)),
        ("filename", FilePath),
        ("hash", Hash),
        ("md5", Hash),
        ("command", Text(field::PROCESS_COMMAND_LINE)),
        ("accesstype", Lower(field::NETWORK_PROTOCOL)),
        ("servicetype", Lower(field::NETWORK_PROTOCOL)),
    ])
});

/// What a word means, whatever its spelling.
pub fn word_means(word: &str) -> Option<Means> {
    let mut plain = [0u8; WORD_BYTES_MAX];
    let mut len = 0;
    for b in word.bytes().filter(u8::is_ascii_alphanumeric) {
        *plain.get_mut(len)? = b.to_ascii_lowercase();
        len += 1;
    }
    WORDS.get(std::str::from_utf8(&plain[..len]).ok()?)
}

/// Modules that only firewalls have.
pub fn is_security(module: &str) -> bool {
    is_detection(module)
        || matches!(module, "POLICY" | "SECLOG" | "SESSION" | "URL" | "CONTENT" | "FILE" | "APPCTL" | "MAIL" | "DLP" | "NAT")
}

/// Modules that report attacks.
pub fn is_detection(module: &str) -> bool {
    matches!(module, "IPS" | "AV" | "ATK" | "APT" | "SANDBOX" | "DDOS" | "BOTNET" | "CNC" | "ANTIATTACK" | "BLACKLIST")
}
