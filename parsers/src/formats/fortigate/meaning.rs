//! What each FortiOS key means in ECS. Keys that are not here are kept verbatim only.

use std::sync::LazyLock;

use event::{Field, field};

use crate::keys::KeyTable;

#[derive(Clone, Copy)]
pub enum Means {
    Text(Field),
    Int(Field),
    Lower(Field),
    Ip(Field),
    User(Field),
    Country(Field),
    Protocol,
    /// Needs other keys of the line as well.
    Role(Role),
}

#[derive(Clone, Copy)]
pub enum Role {
    Date,
    Time,
    Zone,
    EventTime,
    Kind,
    Subtype,
    Action,
    Status,
    LogId,
    Description,
    Message,
    User,
    Ui,
    Attack,
    AttackId,
    PolicyId,
    PolicyName,
    RemoteIp,
    LocalIp,
    Host,
    Url,
    Device,
    NatSource,
    NatDestination,
    Sent,
    Received,
    PacketsSent,
    PacketsReceived,
    Duration,
    Direction,
    SentDelta,
    ReceivedDelta,
    Profile,
    AppCategory,
    EventType,
    Stamp,
    QueryClass,
    QueryId,
}

pub static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use self::Role as R;
    use Means::*;
    KeyTable::new(&[
        ("date", Role(R::Date)),
        ("time", Role(R::Time)),
        ("tz", Role(R::Zone)),
        ("eventtime", Role(R::EventTime)),
        ("type", Role(R::Kind)),
        ("subtype", Role(R::Subtype)),
        ("action", Role(R::Action)),
        ("status", Role(R::Status)),
        ("logid", Role(R::LogId)),
        ("log_id", Role(R::LogId)),
        ("logdesc", Role(R::Description)),
        ("msg", Role(R::Message)),
        ("user", Role(R::User)),
        ("ui", Role(R::Ui)),
        ("attack", Role(R::Attack)),
        ("attackid", Role(R::AttackId)),
        ("virus", Role(R::Attack)),
        ("virusid", Role(R::AttackId)),
        ("policyid", Role(R::PolicyId)),
        ("policyname", Role(R::PolicyName)),
        ("remip", Role(R::RemoteIp)),
        ("locip", Role(R::LocalIp)),
        ("hostname", Role(R::Host)),
        ("url", Role(R::Url)),
        ("devname", Role(R::Device)),
        ("transip", Role(R::NatSource)),
        ("tranip", Role(R::NatDestination)),
        ("sentbyte", Role(R::Sent)),
        ("rcvdbyte", Role(R::Received)),
        ("sentpkt", Role(R::PacketsSent)),
        ("rcvdpkt", Role(R::PacketsReceived)),
        ("duration", Role(R::Duration)),
        ("direction", Role(R::Direction)),
        ("dir", Role(R::Direction)),
        ("sentdelta", Role(R::SentDelta)),
        ("rcvddelta", Role(R::ReceivedDelta)),
        ("profile", Role(R::Profile)),
        ("appcat", Role(R::AppCategory)),
        ("eventtype", Role(R::EventType)),
        ("user_name", Role(R::User)),
        ("timestamp", Role(R::Stamp)),
        ("itime", Role(R::Stamp)),
        ("qclass", Role(R::QueryClass)),
        ("xid", Role(R::QueryId)),
        ("userip", Ip(field::SOURCE_IP)),
        ("mac", Text(field::SOURCE_MAC)),
        ("assignip", Ip(field::SOURCE_NAT_IP)),
        ("tunnelip", Ip(field::SOURCE_NAT_IP)),
        ("level", Text(field::LOG_LEVEL)),
        ("devid", Text(field::OBSERVER_SERIAL_NUMBER)),
        ("srcip", Ip(field::SOURCE_IP)),
        ("srcport", Int(field::SOURCE_PORT)),
        ("remport", Int(field::SOURCE_PORT)),
        ("srcmac", Text(field::SOURCE_MAC)),
        ("srccountry", Country(field::SOURCE_GEO_COUNTRY_NAME)),
        ("srcname", Text(field::SOURCE_DOMAIN)),
        ("srcdomain", Text(field::SOURCE_DOMAIN)),
        ("srcintf", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("srcintfrole", Text(field::OBSERVER_INGRESS_ZONE)),
        ("transport", Int(field::SOURCE_NAT_PORT)),
        ("unauthuser", User(field::SOURCE_USER_NAME)),
        ("dstip", Ip(field::DESTINATION_IP)),
        ("dstport", Int(field::DESTINATION_PORT)),
        ("locport", Int(field::DESTINATION_PORT)),
        ("dstmac", Text(field::DESTINATION_MAC)),
        ("dstcountry", Country(field::DESTINATION_GEO_COUNTRY_NAME)),
        ("dstname", Text(field::DESTINATION_DOMAIN)),
        ("dstintf", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("dstintfrole", Text(field::OBSERVER_EGRESS_ZONE)),
        ("tranport", Int(field::DESTINATION_NAT_PORT)),
        ("dstuser", User(field::DESTINATION_USER_NAME)),
        ("group", Text(field::USER_GROUP_NAME)),
        ("proto", Protocol),
        ("service", Lower(field::NETWORK_PROTOCOL)),
        ("app", Lower(field::NETWORK_APPLICATION)),
        ("poluuid", Text(field::RULE_UUID)),
        ("policytype", Text(field::RULE_RULESET)),
        ("catdesc", Text(field::RULE_CATEGORY)),
        ("reason", Text(field::EVENT_REASON)),
        ("agent", Text(field::USER_AGENT_ORIGINAL)),
        ("httpmethod", Text(field::HTTP_REQUEST_METHOD)),
        ("httpcode", Int(field::HTTP_RESPONSE_STATUS_CODE)),
        ("referralurl", Text(field::HTTP_REQUEST_REFERRER)),
        ("filename", Text(field::FILE_NAME)),
        ("filesize", Int(field::FILE_SIZE)),
        ("analyticscksum", Text(field::FILE_HASH_SHA256)),
        ("filehash", Text(field::FILE_HASH_SHA256)),
        ("qname", Text(field::DNS_QUESTION_NAME)),
        ("qtype", Text(field::DNS_QUESTION_TYPE)),
        ("tlsver", Text(field::TLS_VERSION)),
        ("cipher", Text(field::TLS_CIPHER)),
    ])
});

/// Actions by which the device let nothing through.
pub fn is_blocked(action: &str) -> bool {
    matches!(
        action,
        "deny"
            | "denied"
            | "block"
            | "blocked"
            | "dropped"
            | "drop"
            | "reset"
            | "reset_client"
            | "reset_server"
            | "clear_session"
            | "quarantine"
            | "ip-conn"
            | "drop_session"
            | "block-list"
            | "redirect"
            | "failed-conn"
    )
}
