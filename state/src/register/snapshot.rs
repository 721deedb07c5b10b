//! The register compiled for one question asked of every event: whose is it?
//!
//! Immutable; the pipe holds one behind an `Arc` and swaps it when the register's revision moves. Address ranges are
//! flattened into disjoint segments, each owned by its most specific range, so a look-up is one binary search and allocates
//! nothing. Host names compare without case.
//!
//! Order of trust (design §4): a token or TLS identity names its system itself; else the sender's address. The host name
//! inside the line is the sender's text and counts only for sources marked as relays; there it counts before the address,
//! because a relay's own address says nothing about who wrote the line.

use std::{cmp::Ordering, collections::BTreeMap, net::IpAddr};

use event::{Micros, UNASSIGNED};

use super::{
    Asset, AssetKind, Register,
    rows::{Bounds, bounds, number},
};

/// What is known about a record's origin.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttributionInput<'a> {
    /// The system that the source or its token is bound to by configuration.
    pub source_system: Option<&'a str>,
    pub sender: Option<IpAddr>,
    /// The host that the line names.
    pub host: Option<&'a str>,
    /// True when the source is trusted to pass on other machines' lines.
    pub relay: bool,
}

/// The answer, with how it was found (`chieng.attribution`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribution<'a> {
    pub system: &'a str,
    pub level: Option<u8>,
    pub organization: Option<&'a str>,
    /// `token`, `sender`, `relay_host` or `none`.
    pub method: &'static str,
}

/// Something an event names, to be looked up by [`Snapshot::related`].
#[derive(Clone, Copy, Debug)]
pub enum Entity<'a> {
    Ip(IpAddr),
    Host(&'a str),
}

/// What the pipe and the store need to know about a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemEntry {
    pub id: String,
    pub level: u8,
    pub organization: Option<String>,
    pub retention_months: Option<u32>,
}

/// Look-up of systems by address and host, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    revision: i64,
    /// By code.
    systems: Vec<SystemEntry>,
    v4: Vec<Segment>,
    v6: Vec<Segment>,
    /// By lower-case name.
    hosts: Vec<(String, u32)>,
    /// Systems of a range or host, highest level first.
    targets: Vec<Vec<u32>>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    first: u128,
    last: u128,
    target: u32,
}

impl Snapshot {
    pub(super) fn new(register: &Register, at: Micros) -> Self {
        let systems: Vec<SystemEntry> = register
            .systems_at(at)
            .into_iter()
            .map(|system| SystemEntry {
                id: system.id.clone(),
                level: system.level,
                organization: system.unit.clone(),
                retention_months: system.retention_months,
            })
            .collect();
        let mut snapshot = Self { revision: register.revision, systems, ..Self::default() };
        let mut ranges: BTreeMap<Bounds, Vec<u32>> = BTreeMap::new();
        let mut hosts: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for asset in register.assets.iter().filter(|a| super::in_force(a.valid_from, a.valid_to, at)) {
            let Some(system) = snapshot.position(&asset.system) else { continue };
            match place(asset) {
                Place::Range(bounds) => ranges.entry(bounds).or_default().push(system),
                Place::Host(name) => hosts.entry(name).or_default().push(system),
                Place::Nowhere => {}
            }
        }
        snapshot.hosts = hosts.into_iter().map(|(name, systems)| (name, snapshot.target(systems))).collect();
        let ranges: Vec<_> = ranges.into_iter().map(|(bounds, systems)| (bounds, snapshot.target(systems))).collect();
        snapshot.v4 = flatten(ranges.iter().filter(|(bounds, _)| !bounds.v6));
        snapshot.v6 = flatten(ranges.iter().filter(|(bounds, _)| bounds.v6));
        snapshot
    }

    /// The register's revision that this was compiled from.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    pub fn systems(&self) -> &[SystemEntry] {
        &self.systems
    }

    pub fn system(&self, id: &str) -> Option<&SystemEntry> {
        self.position(id).map(|at| &self.systems[at as usize])
    }

    /// Says whose record it is; [`UNASSIGNED`] when nobody's.
    pub fn attribute(&self, input: AttributionInput<'_>) -> Attribution<'_> {
        if let Some(at) = input.source_system.and_then(|id| self.position(id)) {
            return self.answer(at, "token");
        }
        if let Some(at) = input.host.filter(|_| input.relay).and_then(|host| self.by_host_or_address(host)) {
            return self.answer(self.targets[at as usize][0], "relay_host");
        }
        if let Some(at) = input.sender.and_then(|sender| self.by_address(sender)) {
            return self.answer(self.targets[at as usize][0], "sender");
        }
        Attribution { system: UNASSIGNED, level: None, organization: None, method: "none" }
    }

    /// Systems that an address or host belongs to, highest level first.
    pub fn related(&self, entity: Entity<'_>) -> impl Iterator<Item = &str> {
        let target = match entity {
            Entity::Ip(ip) => self.by_address(ip),
            Entity::Host(host) => self.by_host(host),
        };
        let systems = target.map_or(&[][..], |at| self.targets[at as usize].as_slice());
        systems.iter().map(|at| self.systems[*at as usize].id.as_str())
    }

    fn answer(&self, at: u32, method: &'static str) -> Attribution<'_> {
        let system = &self.systems[at as usize];
        Attribution { system: &system.id, level: Some(system.level), organization: system.organization.as_deref(), method }
    }

    fn position(&self, id: &str) -> Option<u32> {
        self.systems.binary_search_by(|system| system.id.as_str().cmp(id)).ok().map(|at| at as u32)
    }

    fn by_address(&self, ip: IpAddr) -> Option<u32> {
        let (v6, n) = number(ip);
        let segments = if v6 { &self.v6 } else { &self.v4 };
        let after = segments.partition_point(|segment| segment.first <= n);
        let segment = segments[..after].last()?;
        (n <= segment.last).then_some(segment.target)
    }

    /// The whole name first; else its first label, for lines that carry the domain where the dossier does not.
    fn by_host(&self, host: &str) -> Option<u32> {
        let host = host.trim_end_matches('.');
        self.by_name(host).or_else(|| self.by_name(host.split_once('.').filter(|_| host.parse::<IpAddr>().is_err())?.0))
    }

    /// Many devices put their address where the line's host name belongs.
    fn by_host_or_address(&self, host: &str) -> Option<u32> {
        self.by_host(host).or_else(|| self.by_address(host.parse().ok()?))
    }

    fn by_name(&self, host: &str) -> Option<u32> {
        self.hosts.binary_search_by(|(name, _)| compare_folded(name, host)).ok().map(|at| self.hosts[at].1)
    }

    /// Stores a set of systems, highest level first (a shared device takes the highest level's rules: ND 331 art. 8.2).
    fn target(&mut self, mut systems: Vec<u32>) -> u32 {
        systems.sort_by_key(|at| (std::cmp::Reverse(self.systems[*at as usize].level), *at));
        systems.dedup();
        self.targets.push(systems);
        (self.targets.len() - 1) as u32
    }
}

enum Place {
    Range(Bounds),
    Host(String),
    Nowhere,
}

/// A host asset whose name is an address counts as that address.
fn place(asset: &Asset) -> Place {
    match (asset.kind, bounds(asset)) {
        (AssetKind::Host, _) => Place::Host(asset.value.to_lowercase()),
        (_, Some(bounds)) => Place::Range(bounds),
        (_, None) => Place::Nowhere,
    }
}

fn compare_folded(name: &str, host: &str) -> Ordering {
    name.chars().cmp(host.chars().flat_map(char::to_lowercase))
}

/// Cuts nested ranges into disjoint segments; each belongs to the smallest range around it.
fn flatten<'a>(ranges: impl Iterator<Item = &'a (Bounds, u32)>) -> Vec<Segment> {
    let mut ranges: Vec<_> = ranges.copied().collect();
    ranges.sort_by_key(|(bounds, _)| std::cmp::Reverse(bounds.size()));
    // first → (last, target); painting from the widest to the narrowest leaves the narrowest on top.
    let mut painted: BTreeMap<u128, (u128, u32)> = BTreeMap::new();
    for (bounds, target) in ranges {
        let below: Vec<_> = painted
            .range(..=bounds.last)
            .rev()
            .take_while(|(_, (last, _))| *last >= bounds.first)
            .map(|(f, s)| (*f, *s))
            .collect();
        for (first, (last, under)) in below {
            painted.remove(&first);
            if first < bounds.first {
                painted.insert(first, (bounds.first - 1, under));
            }
            if last > bounds.last {
                painted.insert(bounds.last + 1, (last, under));
            }
        }
        painted.insert(bounds.first, (bounds.last, target));
    }
    painted.into_iter().map(|(first, (last, target))| Segment { first, last, target }).collect()
}
