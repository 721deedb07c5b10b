//! Accounting and authentication rows of the Network Policy Server and of Routing and Remote Access, database format.
//!
//! Reference: Microsoft, "Interpret NPS database format log files" (fields by position, packet types, reason codes).

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{Parser, Sniff, csv, ecs, windows::dates};

const PREFIX: &str = "windows.nps.";

const FIELDS_MAX: usize = 72;

/// Fields by position.
const NAMES: [&str; 67] = [
    "computer_name",
    "service_name",
    "record_date",
    "record_time",
    "packet_type",
    "user_name",
    "fully_qualified_user_name",
    "called_station_id",
    "calling_station_id",
    "callback_number",
    "framed_ip_address",
    "nas_identifier",
    "nas_ip_address",
    "nas_port",
    "client_vendor",
    "client_ip_address",
    "client_friendly_name",
    "event_timestamp",
    "port_limit",
    "nas_port_type",
    "connect_info",
    "framed_protocol",
    "service_type",
    "authentication_type",
    "policy_name",
    "reason_code",
    "class",
    "session_timeout",
    "idle_timeout",
    "termination_action",
    "eap_friendly_name",
    "acct_status_type",
    "acct_delay_time",
    "acct_input_octets",
    "acct_output_octets",
    "acct_session_id",
    "acct_authentic",
    "acct_session_time",
    "acct_input_packets",
    "acct_output_packets",
    "acct_terminate_cause",
    "acct_multi_session_id",
    "acct_link_count",
    "acct_interim_interval",
    "tunnel_type",
    "tunnel_medium_type",
    "tunnel_client_endpoint",
    "tunnel_server_endpoint",
    "acct_tunnel_connection",
    "tunnel_private_group_id",
    "tunnel_assignment_id",
    "tunnel_preference",
    "ms_acct_auth_type",
    "ms_acct_eap_type",
    "ms_ras_version",
    "ms_ras_vendor",
    "ms_chap_error",
    "ms_chap_domain",
    "ms_mppe_encryption_types",
    "ms_mppe_encryption_policy",
    "proxy_policy_name",
    "provider_type",
    "provider_name",
    "remote_server_address",
    "ms_ras_client_name",
    "ms_ras_client_version",
    "reserved",
];

pub struct Nps;

impl Parser for Nps {
    fn name(&self) -> &'static str {
        "nps"
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        let is = raw.text().starts_with('"')
            && raw.text().as_bytes()[..raw.text().len().min(80)].windows(3).any(|part| part == b"\",\"")
            && Row::new(raw.text()).is_row();
        Sniff::yes_if(is)
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let row = Row::new(raw.text());
        if !row.is_row() {
            return Outcome::Unreadable("no row of the Network Policy Server");
        }
        event.set_dataset("windows.nps");
        event.set(field::EVENT_KIND, "event");
        let stamp = crate::text::join(event, row.fields[2], " ", row.fields[3]);
        match dates::read(stamp, true) {
            Some((stamp, _)) => event.set(field::TIMESTAMP, Value::Time(stamp.resolve(raw))),
            None => event.problem("the date could not be read"),
        }
        for (key, value) in NAMES.iter().zip(&row.fields[..row.len]) {
            if !value.is_empty() {
                event.set_extra(PREFIX, key, *value);
            }
        }
        row.set(event);
        Outcome::Parsed
    }
}

struct Row<'r> {
    fields: [&'r str; FIELDS_MAX],
    len: usize,
}

impl<'r> Row<'r> {
    fn new(text: &'r str) -> Self {
        let mut row = Self { fields: [""; FIELDS_MAX], len: 0 };
        for (slot, field) in row.fields.iter_mut().zip(csv::Fields::new(text, b',')) {
            *slot = field.raw();
            row.len += 1;
        }
        row
    }

    fn is_row(&self) -> bool {
        self.len >= 26
            && matches!(self.fields[1], "IAS" | "RAS" | "NPS" | "DirectAccess")
            && self.fields[2].len() == 10
            && self.fields[2].as_bytes()[2] == b'/'
            && self.fields[4].parse::<u8>().is_ok()
    }

    fn set(&self, event: &mut Event<'r>) {
        let get = |at: usize| self.fields[at];
        let (action, category, kind, outcome) = match get(4) {
            "1" => ("access-request", "authentication", "info", ""),
            "2" => ("access-accept", "authentication", "allowed", "success"),
            "3" => ("access-reject", "authentication", "denied", "failure"),
            "4" => match get(31) {
                "1" => ("accounting-start", "session", "start", ""),
                "2" => ("accounting-stop", "session", "end", ""),
                "3" => ("accounting-update", "session", "info", ""),
                _ => ("accounting-request", "session", "info", ""),
            },
            "5" => ("accounting-response", "session", "info", ""),
            "11" => ("access-challenge", "authentication", "info", ""),
            "12" => ("status-server", "network", "info", ""),
            "13" => ("status-client", "network", "info", ""),
            _ => ("", "network", "info", ""),
        };
        event.set_present(field::EVENT_ACTION, action);
        event.set(field::EVENT_CATEGORY, category);
        if category != "network" {
            event.set(field::EVENT_CATEGORY, "network");
        }
        event.set(field::EVENT_TYPE, kind);
        event.set_present(field::EVENT_OUTCOME, outcome);
        event.set_present(field::EVENT_CODE, get(4));
        event.set(field::OBSERVER_VENDOR, "Microsoft");
        event.set(field::OBSERVER_PRODUCT, "Network Policy Server");
        event.set_present(field::OBSERVER_NAME, get(0));
        ecs::host(event, get(0));
        event.set_present(field::SERVICE_NAME, get(1));
        let account = if get(6).is_empty() { get(5) } else { get(6) };
        match account.rsplit_once('\\') {
            Some((domain, name)) => {
                event.set_present(field::USER_DOMAIN, domain);
                ecs::user(event, field::USER_NAME, name);
            }
            None => ecs::user(event, field::USER_NAME, account),
        }
        if get(5).contains('@') {
            event.set(field::USER_EMAIL, get(5));
        }
        // The address of the tunnel's far end, else the station that called, else the client of RADIUS.
        let client = [get(15), get(12)].into_iter().find(|text| ecs::ip(text).is_some());
        if let Some(client) = client {
            ecs::source(event, client);
        }
        if let Some(station) = Some(get(8)).filter(|text| ecs::ip(text).is_some()) {
            ecs::ip_only(event, field::SOURCE_NAT_IP, station);
        } else if get(8).len() >= 12 {
            event.set_present(field::SOURCE_MAC, get(8));
        }
        event.set_int(field::SOURCE_NAT_PORT, get(13));
        if get(21) == "1" {
            event.set(field::NETWORK_PROTOCOL, "ppp");
        }
        event.set_present(field::RULE_NAME, get(24));
        if let Some(reason) = reason(get(25)) {
            event.set(field::EVENT_REASON, reason);
        }
        event.set_int(field::SOURCE_BYTES, get(33));
        event.set_int(field::DESTINATION_BYTES, get(34));
        if let Ok(seconds) = get(37).parse::<i64>() {
            event.set(field::EVENT_DURATION, seconds.saturating_mul(1_000_000_000));
        }
    }
}

/// Why a request was refused; the commonest codes.
fn reason(code: &str) -> Option<&'static str> {
    Some(match code {
        "1" => "internal error",
        "2" => "access denied",
        "7" => "no such domain",
        "8" => "no such user",
        "16" => "authentication failure",
        "17" => "password must be changed",
        "22" => "EAP type cannot be processed",
        "23" => "error in EAP",
        "32" => "local users only",
        "34" => "account disabled",
        "35" => "account expired",
        "36" => "account locked out",
        "37" => "outside of permitted hours",
        "38" => "account restriction",
        "48" => "no matching policy",
        "49" => "no matching connection request policy",
        "64" => "dial-in locked out",
        "65" => "dial-in disabled",
        "66" => "authentication type not permitted",
        _ => return None,
    })
}
