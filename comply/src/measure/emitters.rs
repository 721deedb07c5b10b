//! Who speaks for a system, and who ought to: emitters found in the events, matched to the assets of the dossier.

use std::{collections::BTreeMap, net::IpAddr};

use state::register::{Asset, AssetKind, AssetRole};

/// One line of an answer about an emitter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub sender: Option<IpAddr>,
    pub host: Option<String>,
    /// True when the host in the line decided the attribution.
    pub relayed: bool,
}

/// Something that owes: one asset row of the dossier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    pub key: String,
    pub name: String,
    /// Machines that the row stands for.
    pub quantity: u64,
    /// False when the row was ended within the look-back window.
    pub in_force: bool,
}

/// The dossier side of a coverage question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dossier {
    pub owed: Vec<Owed>,
    /// The largest sum of quantities in force at any moment of the look-back window.
    pub peak: u64,
}

impl Dossier {
    /// Machines owed now.
    pub fn now(&self) -> u64 {
        self.owed.iter().filter(|owed| owed.in_force).map(|owed| owed.quantity).sum()
    }

    /// Builds it from the assets of one system that were in force at any moment of `[from, at]`.
    pub fn new<'a>(assets: impl Iterator<Item = &'a Asset>, from: i64, at: i64, owes: impl Fn(&Asset) -> bool) -> Self {
        let assets: Vec<_> = assets.filter(|asset| owes(asset)).collect();
        let starts = assets.iter().map(|asset| asset.valid_from.max(from));
        let sum_at = |moment| {
            let in_force = assets.iter().filter(|asset| state::register::in_force(asset.valid_from, asset.valid_to, moment));
            in_force.map(|asset| u64::from(asset.quantity)).sum::<u64>()
        };
        let peak = starts.filter(|moment| *moment <= at).map(sum_at).max().unwrap_or(0);
        let owed = assets
            .iter()
            .map(|asset| Owed {
                key: key(asset),
                name: asset.name.clone(),
                quantity: asset.quantity.into(),
                in_force: state::register::in_force(asset.valid_from, asset.valid_to, at),
            })
            .collect();
        Self { owed, peak }
    }
}

fn key(asset: &Asset) -> String {
    format!("{}:{}", asset.kind.name(), asset.value)
}

/// True for machines that can be infected and carry an agent.
pub fn is_endpoint(asset: &Asset) -> bool {
    matches!(asset.role, AssetRole::Pc | AssetRole::Server)
}

/// Which asset an emitter belongs to, and the key it is remembered by. A row for one machine is one emitter however many
/// names it speaks under; rows for many machines and unlisted emitters go by sender, or by host behind a relay.
pub fn place<'a>(seen: &Seen, assets: &[&'a Asset]) -> (Option<&'a Asset>, String) {
    let asset = find(seen, assets);
    let own = || match (&seen.host, seen.sender) {
        (Some(host), _) if seen.relayed => format!("host:{}", host.to_lowercase()),
        (_, Some(sender)) => format!("address:{}", sender.to_canonical()),
        (Some(host), None) => format!("host:{}", host.to_lowercase()),
        (None, None) => "none".to_owned(),
    };
    match asset {
        Some(asset) if asset.quantity == 1 && asset.kind != AssetKind::Range => (Some(asset), key(asset)),
        asset => (asset, own()),
    }
}

fn find<'a>(seen: &Seen, assets: &[&'a Asset]) -> Option<&'a Asset> {
    let by_sender = || {
        assets.iter().find(|asset| {
            asset.kind == AssetKind::Address && seen.sender.is_some_and(|ip| asset.value == ip.to_canonical().to_string())
        })
    };
    let by_host = || {
        assets
            .iter()
            .find(|asset| asset.kind == AssetKind::Host && seen.host.as_deref().is_some_and(|host| same_host(&asset.value, host)))
    };
    let by_range = |ip: Option<IpAddr>| {
        let holding = assets.iter().filter(|asset| asset.kind == AssetKind::Range && ip.is_some_and(|ip| asset.covers(ip)));
        holding.min_by_key(|asset| asset.width())
    };
    let host_as_address = || seen.host.as_deref().and_then(|host| host.parse::<IpAddr>().ok());
    let found = if seen.relayed {
        by_host()
            .or_else(|| {
                let ip = host_as_address()?.to_canonical().to_string();
                assets.iter().find(|asset| asset.kind == AssetKind::Address && asset.value == ip)
            })
            .or_else(|| by_range(host_as_address()))
    } else {
        by_sender().or_else(by_host).or_else(|| by_range(seen.sender))
    };
    found.copied()
}

/// `dc01` of the dossier is `DC01.tinh.gov.vn` of the line.
fn same_host(listed: &str, spoken: &str) -> bool {
    let spoken = spoken.trim_end_matches('.').to_lowercase();
    listed == spoken || spoken.split_once('.').is_some_and(|(label, _)| listed == label)
}

/// Groups values by the asset they belong to (`None`: unlisted), then by emitter.
pub type ByOwner<T> = BTreeMap<Option<String>, BTreeMap<String, T>>;

/// Adds one answer line to its emitter.
pub fn entry<'m, T: Default>(map: &'m mut ByOwner<T>, seen: &Seen, assets: &[&Asset]) -> &'m mut T {
    let (asset, emitter) = place(seen, assets);
    map.entry(asset.map(key)).or_default().entry(emitter).or_default()
}
