//! The extension dictionary of CEF in ECS words: short keys and full names.

use std::sync::LazyLock;

use event::{Field, field};

use crate::keys::KeyTable;

#[derive(Clone, Copy)]
pub enum Means {
    Text(Field),
    Lower(Field),
    Int(Field),
    Address(Field, Field),
    User(Field),
    Time(Field),
    Host,
    Transport,
    Outcome,
    Direction,
    Url,
    Hash,
}

pub static KEYS: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use Means::*;
    const SOURCE: Means = Address(field::SOURCE_IP, field::SOURCE_ADDRESS);
    const DESTINATION: Means = Address(field::DESTINATION_IP, field::DESTINATION_ADDRESS);
    KeyTable::new(&[
        ("src", SOURCE),
        ("sourceAddress", SOURCE),
        ("c6a2", SOURCE),
        ("spt", Int(field::SOURCE_PORT)),
        ("sourcePort", Int(field::SOURCE_PORT)),
        ("smac", Text(field::SOURCE_MAC)),
        ("shost", Text(field::SOURCE_DOMAIN)),
        ("sourceHostName", Text(field::SOURCE_DOMAIN)),
        ("suser", User(field::SOURCE_USER_NAME)),
        ("sourceUserName", User(field::SOURCE_USER_NAME)),
        ("sourceTranslatedAddress", Address(field::SOURCE_NAT_IP, field::SOURCE_ADDRESS)),
        ("sourceTranslatedPort", Int(field::SOURCE_NAT_PORT)),
        ("in", Int(field::SOURCE_BYTES)),
        ("bytesIn", Int(field::SOURCE_BYTES)),
        ("dst", DESTINATION),
        ("destinationAddress", DESTINATION),
        ("c6a3", DESTINATION),
        ("dpt", Int(field::DESTINATION_PORT)),
        ("destinationPort", Int(field::DESTINATION_PORT)),
        ("dmac", Text(field::DESTINATION_MAC)),
        ("dhost", Text(field::DESTINATION_DOMAIN)),
        ("destinationHostName", Text(field::DESTINATION_DOMAIN)),
        ("duser", User(field::DESTINATION_USER_NAME)),
        ("destinationUserName", User(field::DESTINATION_USER_NAME)),
        ("destinationTranslatedAddress", Address(field::DESTINATION_NAT_IP, field::DESTINATION_ADDRESS)),
        ("destinationTranslatedPort", Int(field::DESTINATION_NAT_PORT)),
        ("out", Int(field::DESTINATION_BYTES)),
        ("bytesOut", Int(field::DESTINATION_BYTES)),
        ("act", Text(field::EVENT_ACTION)),
        ("deviceAction", Text(field::EVENT_ACTION)),
        ("app", Lower(field::NETWORK_PROTOCOL)),
        ("applicationProtocol", Lower(field::NETWORK_PROTOCOL)),
        ("proto", Transport),
        ("transportProtocol", Transport),
        ("deviceDirection", Direction),
        ("rt", Time(field::TIMESTAMP)),
        ("deviceReceiptTime", Time(field::TIMESTAMP)),
        ("start", Time(field::EVENT_START)),
        ("startTime", Time(field::EVENT_START)),
        ("end", Time(field::EVENT_END)),
        ("endTime", Time(field::EVENT_END)),
        ("msg", Text(field::MESSAGE)),
        ("message", Text(field::MESSAGE)),
        ("outcome", Outcome),
        ("eventOutcome", Outcome),
        ("reason", Text(field::EVENT_REASON)),
        ("request", Url),
        ("requestUrl", Url),
        ("requestMethod", Text(field::HTTP_REQUEST_METHOD)),
        ("requestContext", Text(field::HTTP_REQUEST_REFERRER)),
        ("requestClientApplication", Text(field::USER_AGENT_ORIGINAL)),
        ("fname", Text(field::FILE_NAME)),
        ("filename", Text(field::FILE_NAME)),
        ("filePath", Text(field::FILE_PATH)),
        ("fsize", Int(field::FILE_SIZE)),
        ("fileHash", Hash),
        ("dvchost", Host),
        ("deviceHostName", Host),
        ("deviceExternalId", Text(field::OBSERVER_SERIAL_NUMBER)),
        ("deviceInboundInterface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("deviceOutboundInterface", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("dtz", Text(field::EVENT_TIMEZONE)),
        ("sproc", Text(field::PROCESS_NAME)),
        ("spid", Int(field::PROCESS_PID)),
        ("dproc", Text(field::PROCESS_NAME)),
        ("dpid", Int(field::PROCESS_PID)),
        ("deviceProcessName", Text(field::PROCESS_NAME)),
        ("dvcpid", Int(field::PROCESS_PID)),
    ])
});
