//! Which addresses a webhook may call: a URL that somebody typed must not turn this server against its own network.
//!
//! The host is resolved here, every address it has must be public (or allowed by the configuration), and the request is pinned
//! to exactly these addresses, so that a second look-up cannot answer differently. Cloud metadata is refused even where allowed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use event::seam::BoxFuture;
use ipnet::IpNet;
use reqwest::Url;

/// Looks host names up; the real one asks the system.
pub trait Resolve: Send + Sync {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, std::io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, std::io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// What the configuration allows beyond public https.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    nets: Vec<IpNet>,
    hosts: Vec<String>,
}

/// Why a URL is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0} is not a URL")]
    NotUrl(String),
    #[error("only https is called, or http where the host is allowed in [respond.webhook]")]
    Scheme,
    #[error("a URL with a user name or password is not called")]
    Credentials,
    #[error("{host} is {address}, which is not a public address; allow it in [respond.webhook] if it is meant")]
    Private { host: String, address: IpAddr },
    #[error("{host} cannot be resolved: {reason}")]
    Unresolved { host: String, reason: String },
}

impl Refusal {
    /// A name that does not resolve now may resolve later; the rest will not change by waiting.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Unresolved { .. })
    }
}

/// A URL that may be called, and the addresses to call.
#[derive(Clone, Debug)]
pub struct Cleared {
    pub url: Url,
    pub host: String,
    pub addresses: Vec<SocketAddr>,
}

impl Allowed {
    /// Reads the configuration: each entry is an address, a CIDR range or a host name.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let mut allowed = Self::default();
        for entry in entries {
            if let Ok(net) = entry.parse::<IpNet>() {
                allowed.nets.push(net);
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                allowed.nets.push(address.into());
            } else if !entry.is_empty() && entry.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')) {
                allowed.hosts.push(entry.to_ascii_lowercase());
            } else {
                return Err(format!("[respond.webhook].allow: {entry:?} is neither an address, a range nor a host name"));
            }
        }
        Ok(allowed)
    }

    fn host(&self, host: &str) -> bool {
        self.hosts.iter().any(|allowed| allowed == host)
    }

    fn address(&self, address: IpAddr) -> bool {
        self.nets.iter().any(|net| net.contains(&address))
    }
}

/// Checks a URL without asking the network: what can be said when it is typed in.
pub fn check_url(text: &str, allowed: &Allowed) -> Result<Url, Refusal> {
    let url = Url::parse(text).map_err(|_| Refusal::NotUrl(text.to_owned()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::Credentials);
    }
    let (host, literal) = host_of(&url).ok_or_else(|| Refusal::NotUrl(text.to_owned()))?;
    if let Some(address) = literal {
        check_address(&host, address, allowed)?;
    }
    let is_allowed = allowed.host(&host) || literal.is_some_and(|address| allowed.address(plain(address)));
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_allowed => Ok(url),
        _ => Err(Refusal::Scheme),
    }
}

/// Checks a URL and resolves its host; every address must pass.
pub async fn clear(text: &str, allowed: &Allowed, resolver: &dyn Resolve) -> Result<Cleared, Refusal> {
    let url = check_url(text, allowed)?;
    let (host, literal) = host_of(&url).ok_or_else(|| Refusal::NotUrl(text.to_owned()))?;
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = match literal {
        Some(address) => vec![SocketAddr::new(address, port)],
        None => resolver
            .resolve(&host, port)
            .await
            .map_err(|error| Refusal::Unresolved { host: host.clone(), reason: error.to_string() })?,
    };
    if addresses.is_empty() {
        return Err(Refusal::Unresolved { host, reason: "it has no address".into() });
    }
    for address in &addresses {
        check_address(&host, address.ip(), allowed)?;
    }
    Ok(Cleared { url, host, addresses })
}

/// The host in lower case without a final dot, and its address when it is written as one (the URL standard has already turned
/// decimal, octal and hexadecimal spellings into dotted ones).
fn host_of(url: &Url) -> Option<(String, Option<IpAddr>)> {
    let host = url.host_str()?;
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    let literal = host.parse().ok();
    (!host.is_empty()).then_some((host, literal))
}

fn check_address(host: &str, address: IpAddr, allowed: &Allowed) -> Result<(), Refusal> {
    let plain = plain(address);
    let passes = !is_metadata(plain) && (is_public(plain) || allowed.address(plain) || allowed.host(host));
    if passes { Ok(()) } else { Err(Refusal::Private { host: host.to_owned(), address: plain }) }
}

/// Unwraps IPv4 addresses that travel as IPv6: mapped, compatible and NAT64.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    let embedded = Ipv4Addr::from((u128::from(v6) & 0xffff_ffff) as u32);
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => embedded.into(),
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) > (0, 1) => embedded.into(),
        _ => address,
    }
}

fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(v4.octets(), [169, 254, 169, 254] | [100, 100, 100, 200] | [169, 254, 170, 2]),
        IpAddr::V6(v6) => v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// IANA IPv4 special-purpose registry: what is not globally reachable.
fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18..=19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    )
}

/// Global unicast only, less what tunnels IPv4 (6to4, Teredo) and documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<IpAddr>);

    impl Resolve for Fixed {
        fn resolve<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, std::io::Result<Vec<SocketAddr>>> {
            Box::pin(async move { Ok(self.0.iter().map(|address| SocketAddr::new(*address, port)).collect()) })
        }
    }

    fn refused(url: &str) -> bool {
        matches!(check_url(url, &Allowed::default()), Err(Refusal::Private { .. }))
    }

    #[test]
    fn literal_addresses_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "203.0.113.5",
            "224.0.0.1",
            "255.255.255.255",
            "127.0.0.1.",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2001:0:7f00:1::]",
            "[fe80::1]",
            "[fec0::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[2001:db8::1]",
            "１２７.0.0.1",
        ] {
            assert!(refused(&format!("https://{host}/hook")), "{host}");
        }
        for host in ["1.1.1.1", "172.32.0.1", "[2606:4700::1111]", "[64:ff9b::1.1.1.1]", "[::ffff:1.1.1.1]"] {
            assert!(check_url(&format!("https://{host}/hook"), &Allowed::default()).is_ok(), "{host}");
        }
    }

    #[test]
    fn schemes_and_credentials() {
        let allowed = Allowed::parse(&["hook.tinh.gov.vn".into(), "10.0.0.0/8".into()]).unwrap();
        let check = |url| check_url(url, &allowed).map(|_| ());
        assert_eq!(check("http://example.com/"), Err(Refusal::Scheme));
        assert_eq!(check("file:///etc/passwd"), Err(Refusal::NotUrl("file:///etc/passwd".into())));
        assert_eq!(check("gopher://example.com/"), Err(Refusal::Scheme));
        assert_eq!(check("https://lan:x@example.com/"), Err(Refusal::Credentials));
        assert_eq!(check("http://HOOK.tinh.gov.vn/"), Ok(()));
        assert_eq!(check("http://10.9.9.9/"), Ok(()));
        assert!(Allowed::parse(&["no such thing".into()]).unwrap_err().contains("allow"));
    }

    #[tokio::test]
    async fn a_name_is_as_good_as_its_worst_address() {
        let public: IpAddr = "1.1.1.1".parse().unwrap();
        let inside: IpAddr = "10.0.0.7".parse().unwrap();
        let mapped: IpAddr = "::ffff:10.0.0.7".parse().unwrap();
        let none = Allowed::default();
        let clear = async |addresses: &[IpAddr], allowed: &Allowed| {
            clear("https://hook.example/", allowed, &Fixed(addresses.to_vec())).await
        };
        assert_eq!(clear(&[public], &none).await.unwrap().addresses, ["1.1.1.1:443".parse().unwrap()]);
        assert!(matches!(clear(&[public, inside], &none).await, Err(Refusal::Private { .. })));
        assert!(matches!(clear(&[mapped], &none).await, Err(Refusal::Private { .. })));
        assert!(matches!(clear(&[], &none).await, Err(Refusal::Unresolved { .. })));
        let allowed = Allowed::parse(&["10.0.0.0/24".into()]).unwrap();
        assert!(clear(&[public, inside], &allowed).await.is_ok());
        let by_name = Allowed::parse(&["hook.example".into()]).unwrap();
        assert!(clear(&[inside], &by_name).await.is_ok());
        let metadata: IpAddr = "169.254.169.254".parse().unwrap();
        assert!(matches!(clear(&[metadata], &by_name).await, Err(Refusal::Private { .. })), "metadata is never allowed");
    }

    #[tokio::test]
    async fn localhost_by_name_is_refused() {
        let refusal = clear("https://localhost/", &Allowed::default(), &SystemResolver).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Private { .. }), "{refusal}");
        assert!(refusal.is_permanent());
    }
}
