//! The columns of each PAN-OS log type by position, and what their names mean.
//!
//! Taken from the PAN-OS administrator's guide, "Syslog Field Descriptions" (4.1 to 11.2): names are the documented variable
//! names; `_` is "future use". Releases only add columns at the end, so a shorter row is an older release.
//! The JSON that Strata Logging Service (Cortex Data Lake) forwards has long names for the same; they stand beside.

use std::sync::LazyLock;

use event::{Field, field};

use crate::keys::KeyTable;

/// Columns 7 to 30 of all logs about a session.
const SESSION: &str = "src dst natsrc natdst rule srcuser dstuser app vsys from to inbound_if outbound_if logset _ sessionid \
    repeatcnt sport dport natsport natdport flags proto action";

const DEVICE: &str = "dg_hier_level_1 dg_hier_level_2 dg_hier_level_3 dg_hier_level_4 vsys_name device_name";

const DEVICES: &str = "src_category src_profile src_model src_vendor src_osfamily src_osversion src_host src_mac dst_category \
    dst_profile dst_model dst_vendor dst_osfamily dst_osversion dst_host dst_mac";

const APP: &str = "subcategory_of_app category_of_app technology_of_app risk_of_app characteristic_of_app container_of_app \
    tunneled_app is_saas_of_app sanctioned_state_of_app cloud_reportid flow_type cluster_name";

const TRAFFIC: [&str; 7] = [
    SESSION,
    "bytes bytes_sent bytes_received packets start elapsed category _ seqno actionflags srcloc dstloc _ pkts_sent pkts_received \
     session_end_reason",
    DEVICE,
    "action_source src_uuid dst_uuid tunnelid_imsi monitortag_imei parent_session_id parent_start_time tunnel assoc_id chunks \
     chunks_sent chunks_received rule_uuid http2_connection link_change_count policy_id link_switches sdwan_cluster \
     sdwan_device_type sdwan_cluster_type sdwan_site dynusergroup_name xff_ip",
    DEVICES,
    "container_id pod_namespace pod_name src_edl dst_edl hostid serialnumber src_dag dst_dag session_owner high_res_timestamp \
     nsdsai_sst nsdsai_sd",
    APP,
];

const THREAT: [&str; 7] = [
    SESSION,
    "misc threatid category severity direction seqno actionflags srcloc dstloc _ contenttype pcap_id filedigest cloud url_idx \
     user_agent filetype xff referer sender subject recipient reportid",
    DEVICE,
    "_ src_uuid dst_uuid http_method tunnelid_imsi monitortag_imei parent_session_id parent_start_time tunnel thr_category \
     contentver _ assoc_id ppid http_headers url_category_list rule_uuid http2_connection dynusergroup_name xff_ip",
    DEVICES,
    "container_id pod_namespace pod_name src_edl dst_edl hostid serialnumber domain_edl src_dag dst_dag partial_hash \
     high_res_timestamp reason justification nsdsai_sst",
    APP,
];

const DECRYPTION: [&str; 3] = [
    SESSION,
    "tunnel _ _ src_uuid dst_uuid rule_uuid hs_stage_c2f hs_stage_f2s tls_version tls_keyxchg tls_enc tls_auth policy_name \
     ec_curve err_index root_status chain_status proxy_type cert_serial fingerprint notbefore notafter cert_ver cert_size cn_len \
     issuer_len rootcn_len sni_len cert_flags cn issuer_cn root_cn sni error container_id pod_namespace pod_name src_edl dst_edl \
     src_dag dst_dag high_res_timestamp",
    "src_category src_profile src_model src_vendor src_osfamily src_osversion src_host src_mac dst_category dst_profile dst_model \
     dst_vendor dst_osfamily dst_osversion dst_host dst_mac seqno actionflags dg_hier_level_1 dg_hier_level_2 dg_hier_level_3 \
     dg_hier_level_4 vsys_name device_name",
];

const TUNNEL: [&str; 4] = [
    SESSION,
    "severity seqno actionflags srcloc dstloc",
    DEVICE,
    "tunnelid_imsi monitortag_imei parent_session_id parent_start_time tunnel bytes bytes_sent bytes_received packets pkts_sent \
     pkts_received max_encap unknown_proto strict_check tunnel_fragment sessions_created sessions_closed session_end_reason \
     action_source start elapsed tunnel_insp_rule remote_user_ip remote_user_id rule_uuid pcap_id dynusergroup_name src_edl \
     dst_edl high_res_timestamp",
];

const GTP: [&str; 2] = [
    SESSION,
    "event_type msisdn apn rat msg_type end_ip_adr teid1 teid2 gtp_interface cause_code severity mcc mnc area_code cell_id \
     event_code _ _ srcloc dstloc _ _ _ _ _ _ _ imsi imei _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ start elapsed tunnel_insp_rule \
     remote_user_ip remote_user_id rule_uuid pcap_id high_res_timestamp",
];

const SCTP: [&str; 3] = [
    SESSION,
    DEVICE,
    "seqno _ assoc_id ppid severity sctp_chunk_type _ verif_tag_1 verif_tag_2 sctp_cause_code diam_app_id diam_cmd_code \
     diam_avp_code stream_id assoc_end_reason op_code cpssn cpgt sctp_filter chunks chunks_sent chunks_received packets pkts_sent \
     pkts_received rule_uuid high_res_timestamp",
];

const SYSTEM: [&str; 3] = ["vsys eventid object _ _ module severity opaque seqno actionflags", DEVICE, "_ _ high_res_timestamp"];

const CONFIG: [&str; 3] = [
    "host vsys cmd admin client result path before_change_detail after_change_detail seqno actionflags",
    DEVICE,
    "dg_id comment _ high_res_timestamp",
];

/// Without the details of the change, which are only in some formats.
const CONFIG_SHORT: [&str; 3] =
    ["host vsys cmd admin client result path seqno actionflags", DEVICE, "dg_id comment _ high_res_timestamp"];

const GLOBALPROTECT: [&str; 3] = [
    "vsys eventid stage auth_method tunnel_type srcuser srcregion machinename public_ip public_ipv6 private_ip private_ipv6 hostid \
     serialnumber client_ver client_os client_os_ver repeatcnt reason error opaque status location login_duration connect_method \
     error_code portal seqno actionflags high_res_timestamp selection_type response_time priority attempted_gateways gateway",
    DEVICE,
    "vsys_id cluster_name",
];

const HIPMATCH: [&str; 3] = [
    "srcuser vsys machinename os src matchname repeatcnt matchtype _ _ seqno actionflags",
    DEVICE,
    "vsys_id srcipv6 hostid serialnumber mac high_res_timestamp",
];

const USERID: [&str; 3] = [
    "vsys ip user datasourcename eventid repeatcnt timeout beginport endport datasource datasourcetype seqno actionflags",
    DEVICE,
    "vsys_id factortype factorcompletiontime factorno ugflags userbysource tag_name high_res_timestamp origindatasource _ cluster_name",
];

const IPTAG: [&str; 3] = [
    "vsys ip tag_name event_id repeatcnt timeout datasourcename datasource_type datasource_subtype seqno actionflags",
    DEVICE,
    "vsys_id high_res_timestamp",
];

const AUTHENTICATION: [&str; 4] = [
    "vsys ip user normalize_user object authpolicy repeatcnt authid vendor logset serverprofile desc clienttype event factorno seqno \
     actionflags",
    DEVICE,
    "vsys_id authproto rule_uuid high_res_timestamp src_category src_profile src_model src_vendor src_osfamily src_osversion src_host \
     src_mac region _ user_agent sessionid",
    "cluster_name",
];

const CORRELATION: [&str; 3] = ["src srcuser vsys category severity", DEVICE, "vsys_id objectname object_id evidence"];

/// One column: its name and meaning.
pub type Column = (&'static str, Option<Means>);

/// The columns from the eighth on.
pub struct Layout {
    pub kind: &'static str,
    pub columns: Vec<Column>,
}

pub static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| {
    let layout = |kind: &'static str, parts: &[&'static str]| {
        let columns = parts.iter().flat_map(|part| part.split_ascii_whitespace()).map(|name| (name, NAMES.get(name))).collect();
        Layout { kind, columns }
    };
    vec![
        layout("TRAFFIC", &TRAFFIC),
        layout("THREAT", &THREAT),
        layout("SYSTEM", &SYSTEM),
        layout("CONFIG", &CONFIG),
        layout("CONFIG_SHORT", &CONFIG_SHORT),
        layout("GLOBALPROTECT", &GLOBALPROTECT),
        layout("HIPMATCH", &HIPMATCH),
        layout("HIP-MATCH", &HIPMATCH),
        layout("USERID", &USERID),
        layout("IPTAG", &IPTAG),
        layout("AUTHENTICATION", &AUTHENTICATION),
        layout("AUTH", &AUTHENTICATION),
        layout("DECRYPTION", &DECRYPTION),
        layout("START", &TUNNEL),
        layout("END", &TUNNEL),
        layout("TUNNEL", &TUNNEL),
        layout("GTP", &GTP),
        layout("SCTP", &SCTP),
        layout("CORRELATION", &CORRELATION),
    ]
});

pub fn layout(kind: &str) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.kind == kind)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    Text(Field),
    Int(Field),
    Lower(Field),
    Nat(Field),
    NatPort(Field),
    Source,
    Destination,
    SourceUser,
    DestinationUser,
    User,
    Protocol,
    Rule,
    Start,
    Elapsed,
    Hash,
    Tls,
    Resolution,
    /// Needs the log type or other columns.
    Role(Role),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Kind,
    Subtype,
    Serial,
    Received,
    Generated,
    Action,
    Severity,
    Misc,
    FileName,
    ThreatId,
    ThreatName,
    Direction,
    EventId,
    Description,
    Result,
    Command,
    Status,
    PublicIp,
    PrivateIp,
    Machine,
    Host,
    SentBytes,
    ReceivedBytes,
    Device,
    Domain,
}

pub static NAMES: LazyLock<KeyTable<Means>> = LazyLock::new(|| {
    use self::Role as R;
    use Means::*;
    KeyTable::new(&[
        ("src", Source),
        ("SourceAddress", Source),
        ("ip", Source),
        ("dst", Destination),
        ("DestinationAddress", Destination),
        ("DNSResolverIP", Destination),
        ("natsrc", Nat(field::SOURCE_NAT_IP)),
        ("NATSource", Nat(field::SOURCE_NAT_IP)),
        ("natdst", Nat(field::DESTINATION_NAT_IP)),
        ("NATDestination", Nat(field::DESTINATION_NAT_IP)),
        ("natsport", NatPort(field::SOURCE_NAT_PORT)),
        ("NATSourcePort", NatPort(field::SOURCE_NAT_PORT)),
        ("natdport", NatPort(field::DESTINATION_NAT_PORT)),
        ("NATDestinationPort", NatPort(field::DESTINATION_NAT_PORT)),
        ("sport", Int(field::SOURCE_PORT)),
        ("SourcePort", Int(field::SOURCE_PORT)),
        ("dport", Int(field::DESTINATION_PORT)),
        ("DestinationPort", Int(field::DESTINATION_PORT)),
        ("srcuser", SourceUser),
        ("SourceUser", SourceUser),
        ("SourceUserName", SourceUser),
        ("dstuser", DestinationUser),
        ("DestinationUser", DestinationUser),
        ("DestinationUserName", DestinationUser),
        ("user", User),
        ("normalize_user", User),
        ("admin", User),
        ("rule", Rule),
        ("Rule", Rule),
        ("tunnel_insp_rule", Rule),
        ("authpolicy", Rule),
        ("objectname", Rule),
        ("rule_uuid", Text(field::RULE_UUID)),
        ("RuleUUID", Text(field::RULE_UUID)),
        ("category", Text(field::RULE_CATEGORY)),
        ("app", Lower(field::NETWORK_APPLICATION)),
        ("Application", Lower(field::NETWORK_APPLICATION)),
        ("proto", Protocol),
        ("Protocol", Protocol),
        ("from", Text(field::OBSERVER_INGRESS_ZONE)),
        ("FromZone", Text(field::OBSERVER_INGRESS_ZONE)),
        ("to", Text(field::OBSERVER_EGRESS_ZONE)),
        ("ToZone", Text(field::OBSERVER_EGRESS_ZONE)),
        ("inbound_if", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("InboundInterface", Text(field::OBSERVER_INGRESS_INTERFACE_NAME)),
        ("outbound_if", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("OutboundInterface", Text(field::OBSERVER_EGRESS_INTERFACE_NAME)),
        ("bytes", Int(field::NETWORK_BYTES)),
        ("Bytes", Int(field::NETWORK_BYTES)),
        ("bytes_sent", Role(R::SentBytes)),
        ("BytesSent", Role(R::SentBytes)),
        ("bytes_received", Role(R::ReceivedBytes)),
        ("BytesReceived", Role(R::ReceivedBytes)),
        ("packets", Int(field::NETWORK_PACKETS)),
        ("PacketsTotal", Int(field::NETWORK_PACKETS)),
        ("pkts_sent", Int(field::SOURCE_PACKETS)),
        ("PacketsSent", Int(field::SOURCE_PACKETS)),
        ("pkts_received", Int(field::DESTINATION_PACKETS)),
        ("PacketsReceived", Int(field::DESTINATION_PACKETS)),
        ("start", Start),
        ("SessionStartTime", Start),
        ("elapsed", Elapsed),
        ("SessionDuration", Elapsed),
        ("login_duration", Elapsed),
        ("session_end_reason", Text(field::EVENT_REASON)),
        ("SessionEndReason", Text(field::EVENT_REASON)),
        ("reason", Text(field::EVENT_REASON)),
        ("seqno", Int(field::EVENT_SEQUENCE)),
        ("SequenceNo", Int(field::EVENT_SEQUENCE)),
        ("action", Role(R::Action)),
        ("Action", Role(R::Action)),
        ("severity", Role(R::Severity)),
        ("VendorSeverity", Role(R::Severity)),
        ("Severity", Role(R::Severity)),
        ("misc", Role(R::Misc)),
        ("URL", Role(R::Misc)),
        ("FileName", Role(R::FileName)),
        ("threatid", Role(R::ThreatId)),
        ("ThreatID", Role(R::ThreatId)),
        ("ThreatName", Role(R::ThreatName)),
        ("ThreatNameFirewall", Role(R::ThreatName)),
        ("direction", Role(R::Direction)),
        ("DirectionOfAttack", Role(R::Direction)),
        ("user_agent", Text(field::USER_AGENT_ORIGINAL)),
        ("UserAgent", Text(field::USER_AGENT_ORIGINAL)),
        ("referer", Text(field::HTTP_REQUEST_REFERRER)),
        ("Referer", Text(field::HTTP_REQUEST_REFERRER)),
        ("http_method", Text(field::HTTP_REQUEST_METHOD)),
        ("HTTPMethod", Text(field::HTTP_REQUEST_METHOD)),
        ("filedigest", Hash),
        ("FileHash", Hash),
        ("src_host", Text(field::SOURCE_DOMAIN)),
        ("src_mac", Text(field::SOURCE_MAC)),
        ("dst_host", Text(field::DESTINATION_DOMAIN)),
        ("dst_mac", Text(field::DESTINATION_MAC)),
        ("srcloc", Text(field::SOURCE_GEO_COUNTRY_NAME)),
        ("SourceLocation", Text(field::SOURCE_GEO_COUNTRY_NAME)),
        ("srcregion", Text(field::SOURCE_GEO_COUNTRY_NAME)),
        ("dstloc", Text(field::DESTINATION_GEO_COUNTRY_NAME)),
        ("DestinationLocation", Text(field::DESTINATION_GEO_COUNTRY_NAME)),
        ("tls_version", Tls),
        ("tls_enc", Text(field::TLS_CIPHER)),
        ("sni", Role(R::Domain)),
        ("device_name", Role(R::Device)),
        ("DeviceName", Role(R::Device)),
        ("LogSourceName", Role(R::Device)),
        ("eventid", Role(R::EventId)),
        ("event_id", Role(R::EventId)),
        ("EventName", Role(R::EventId)),
        ("opaque", Role(R::Description)),
        ("EventDescription", Role(R::Description)),
        ("desc", Role(R::Description)),
        ("result", Role(R::Result)),
        ("cmd", Role(R::Command)),
        ("path", Text(field::MESSAGE)),
        ("status", Role(R::Status)),
        ("public_ip", Role(R::PublicIp)),
        ("private_ip", Role(R::PrivateIp)),
        ("public_ipv6", Role(R::PublicIp)),
        ("private_ipv6", Role(R::PrivateIp)),
        ("machinename", Role(R::Machine)),
        ("host", Role(R::Host)),
        ("mac", Text(field::SOURCE_MAC)),
        ("beginport", Int(field::SOURCE_PORT)),
        ("endport", Int(field::DESTINATION_PORT)),
        ("high_res_timestamp", Resolution),
        ("RecordType", Lower(field::DNS_QUESTION_TYPE)),
        ("LogType", Role(R::Kind)),
        ("Subtype", Role(R::Subtype)),
        ("SubType", Role(R::Subtype)),
        ("DeviceSN", Role(R::Serial)),
        ("LogSourceID", Role(R::Serial)),
        ("TimeReceived", Role(R::Received)),
        ("LogTime", Role(R::Received)),
        ("TimeGenerated", Role(R::Generated)),
        ("EventTime", Role(R::Generated)),
    ])
});
