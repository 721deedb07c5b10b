//! Parsers: one record's bytes → one [`Event`]. Pure and total: no clock, no file, no runtime, no panic, no allocation per
//! event on the hot path (text is borrowed from the record or lives in the block's arena).
//!
//! ```text
//! record ──envelope──▶ payload ──recognise──▶ parser ──▶ Event (ECS names; vendor fields verbatim under the vendor's prefix)
//!  <38>1 2026-…  │       Accepted password …   "sshd"
//!                └─▶ timestamp, host.name, log.syslog.*
//! ```
//!
//! [`parse`] does all of it. What a parser gets is the *payload*: the envelope's fields are already in the event, and the
//! program's name is [`field::LOG_SYSLOG_APPNAME`](event::field::LOG_SYSLOG_APPNAME).
//!
//! # To add a parser
//!
//! 1. `src/formats/<name>.rs` with a unit struct that implements [`Parser`]; the first lines say which vendor document the
//!    format was taken from.
//! 2. A line in [`PARSERS`]. The place matters only among formats that answer [`Sniff::Maybe`] to the same line: first wins.
//! 3. `corpus/<name>/basic.log`, one record a line, own lines written after the vendor's document (addresses from the
//!    documentation ranges), also hostile ones; then `CHIENG_BLESS=1 cargo test -p parsers corpus` writes
//!    `basic.expected.ndjson` beside it. Review that diff: it is the specification.
//!
//! Properties, fuzzing and benches walk [`PARSERS`] and the corpus, so the new format is in them without another line.
//!
//! # What a parser promises
//!
//! * It returns [`Outcome::Unreadable`] only when the record is not of its format; a broken part is [`Event::problem`] and the
//!   event stands.
//! * It sets the dataset, `event.kind`, and the categories where the event has one; `timestamp` where the payload has one.
//! * Names that the pipeline owns (`event.id`, `system.id` …) cannot be set from a record: see [`ecs::set_reported`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod csv;
pub mod ecs;
pub mod encoding;
pub mod envelope;
pub mod facts;
pub mod flows;
pub mod formats;
pub mod fuzzing;
pub mod json;
pub mod keys;
pub mod kv;
pub mod linux;
mod look;
pub mod mapping;
pub mod net;
pub mod objects;
pub mod pattern;
pub mod phrases;
mod recognise;
pub mod render;
pub mod stamps;
pub mod template;
pub mod text;
pub mod time;
pub mod vendor;
pub mod web;
pub mod windows;
mod words;
pub mod xml;
mod zone;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod real_data;
#[cfg(test)]
mod testing;

use event::{Event, Outcome, RawRecord};

pub use look::{Look, OBJECT};
pub use recognise::{Formats, Memory, parse};

/// Reads one format.
pub trait Parser: Send + Sync {
    /// Name in configuration, in `chieng.parser`, and of the corpus folder.
    fn name(&self) -> &'static str;

    /// Programs (syslog APP-NAME or tag, without path) whose messages this parser reads, whatever they look like.
    fn programs(&self) -> &'static [&'static str] {
        &[]
    }

    /// Looks at a payload, cheaply: its text, since its bytes may not be UTF-8. `Yes` is a claim that no other parser makes about the same text.
    fn sniff(&self, raw: RawRecord<'_>) -> Sniff;

    /// The bytes that texts begin with to which [`Self::sniff`] ever says anything but `No`; empty where it may be any. A parser
    /// that names them is not asked about other texts.
    fn starts(&self) -> &'static [u8] {
        &[]
    }

    /// Says the same as [`Self::sniff`], from what all parsers share about the payload.
    fn sniff_shared(&self, look: &Look<'_>) -> Sniff {
        self.sniff(look.raw())
    }

    /// Words that objects of this parser's product are known by, see [`Look`].
    fn marks(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Reads a payload into the event. After `Unreadable` the event may hold leftovers: the caller rewinds.
    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome;
}

/// How sure a parser is that a text is of its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sniff {
    No,
    /// Perhaps; tried in the order of [`PARSERS`] after all that say `Yes`.
    Maybe,
    Yes,
}

impl Sniff {
    pub fn yes_if(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }

    pub fn maybe_if(is: bool) -> Self {
        if is { Self::Maybe } else { Self::No }
    }
}

/// All parsers. Help, reference, fuzzing and benches walk this list.
pub static PARSERS: &[&dyn Parser] = &[
    &formats::fortigate::FortiGate,
    &formats::fortinet::Fortinet,
    &formats::cef::Cef,
    &formats::leef::Leef,
    &formats::cisco_asa::CiscoAsa,
    &formats::cisco_ios::CiscoIos,
    &formats::cisco_ise::CiscoIse,
    &formats::cisco_ironport::CiscoIronport,
    &formats::cisco_meraki::CiscoMeraki,
    &formats::cisco_fmc::CiscoFmc,
    &formats::paloalto::PaloAlto,
    &formats::juniper_junos::JuniperJunos,
    &formats::checkpoint::CheckPoint,
    &formats::sophos_firewall::SophosFirewall,
    &formats::sophos_utm::SophosUtm,
    &formats::pfsense::PfSense,
    &formats::mikrotik::Mikrotik,
    &formats::huawei::Huawei,
    &formats::h3c::H3c,
    &formats::f5_xc::F5Xc,
    &formats::siteminder::SiteMinder,
    &formats::clavister::Clavister,
    &formats::stormshield::Stormshield,
    &formats::fastiron::FastIron,
    &formats::bmc::Bmc,
    &formats::infoblox::Infoblox,
    &formats::sangfor::Sangfor,
    &formats::aruba::Aruba,
    &formats::proxysg::ProxySg,
    &formats::forcepoint::Forcepoint,
    &formats::barracuda::Barracuda,
    &formats::synology::Synology,
    &formats::qnap::Qnap,
    &formats::zscaler::Zscaler,
    &formats::watchguard::WatchGuard,
    &formats::sonicwall::SonicWall,
    &formats::modsecurity::ModSecurity,
    &formats::wazuh::Wazuh,
    &formats::snort::Snort,
    &formats::zeek::Zeek,
    &formats::suricata::Suricata,
    &formats::citrix_adc::CitrixAdc,
    &formats::vmware::Vmware,
    &formats::f5::F5,
    &formats::windows_event::WindowsEvent,
    &formats::winlogbeat::Winlogbeat,
    &formats::microsoft_365::MICROSOFT_365,
    &formats::defender_xdr::DEFENDER_HUNTING,
    &formats::defender_xdr::DEFENDER_ALERT,
    &formats::crowdstrike::CROWDSTRIKE,
    &formats::cisco_cloud::CISCO_SECURE_ENDPOINT,
    &formats::cisco_cloud::CISCO_DUO,
    &formats::okta::OKTA,
    &formats::entra::ENTRA,
    &formats::osquery::OSQUERY,
    &formats::falco::FALCO,
    &formats::sentinelone::SENTINELONE,
    &formats::sentinelone::SENTINELONE_FUNNEL,
    &formats::sentinelone::SENTINELONE_IDENTITY,
    &formats::carbon_black::CARBON_BLACK,
    &formats::sophos_central::SOPHOS_CENTRAL,
    &formats::bitdefender::BITDEFENDER,
    &formats::message_trace::MESSAGE_TRACE,
    &formats::trellix::TRELLIX_EPO_CLOUD,
    &formats::trellix::TRELLIX_EDR,
    &formats::eset::ESET,
    &formats::symantec::SYMANTEC,
    &formats::trellix_epo::TRELLIX_EPO,
    &formats::kaspersky::KASPERSKY,
    &formats::cylance::CYLANCE,
    &formats::cisco_umbrella::CiscoUmbrella,
    &formats::snare::Snare,
    &formats::iis::Iis,
    &formats::exchange::Exchange,
    &formats::windows_dhcp::WindowsDhcp,
    &formats::windows_firewall::WindowsFirewall,
    &formats::dns_debug::DnsDebug,
    &formats::nps::Nps,
    &formats::services_json::ServicesJson,
    &formats::json::Json,
    &formats::traefik_access::TraefikAccess,
    &formats::envoy_access::EnvoyAccess,
    &formats::php::Php,
    &formats::liferay::Liferay,
    &formats::tomcat::Tomcat,
    &formats::weblogic::WebLogic,
    &formats::nginx_access::NginxAccess,
    &formats::apache_access::ApacheAccess,
    &formats::nginx_error::NginxError,
    &formats::apache_error::ApacheError,
    &formats::sshd::Sshd,
    &formats::sudo::Sudo,
    &formats::su::Su,
    &formats::cron::Cron,
    &formats::shadow::Shadow,
    &formats::pam::Pam,
    &formats::postgresql::PostgreSql,
    &formats::mysql::MySql,
    &formats::redis::Redis,
    &formats::mongodb::MongoDb,
    &formats::mssql::MsSql,
    &formats::oracle_audit::OracleAudit,
    &formats::haproxy::HaProxy,
    &formats::squid::Squid,
    &formats::netfilter::Netfilter,
    &formats::auditd::Auditd,
    &formats::bind::BIND,
    &formats::unbound::UNBOUND,
    &formats::coredns::CoreDns,
    &formats::dnsmasq::DNSMASQ,
    &formats::dhcpd::DHCPD,
    &formats::openvpn::OPENVPN,
    &formats::strongswan::STRONGSWAN,
    &formats::postfix::Postfix,
    &formats::dovecot::Dovecot,
    &formats::exim::Exim,
    &formats::sendmail::Sendmail,
    &formats::zimbra::Zimbra,
    &formats::mailfilter::MAILFILTER,
    &formats::vsftpd::VSFTPD,
    &formats::ftpd::FTPD,
    &formats::samba::SAMBA,
    &formats::freeradius::FREERADIUS,
    &formats::asterisk::Asterisk,
    &formats::openldap::OpenLdap,
    &formats::fail2ban::FAIL2BAN,
    &formats::systemd::SYSTEMD,
    &formats::packages::Packages,
    &formats::keycloak::Keycloak,
    &formats::xml::Xml,
    &formats::keyvalue::KeyValue,
    &formats::applog::AppLog,
    &formats::syslog::Syslog,
];

/// Finds a parser by the name that configuration gives it.
pub fn by_name(name: &str) -> Option<&'static dyn Parser> {
    PARSERS.iter().copied().find(|parser| parser.name() == name)
}
