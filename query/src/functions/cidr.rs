//! `cidr(field, '10.0.0.0/8', …)`: is the address in one of these networks?

use std::{net::IpAddr, sync::Arc};

use datafusion::{
    arrow::datatypes::DataType,
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility},
};
use ipnet::IpNet;

use super::text::{Texts, constant, invalid, null_answer};

pub const DOC: &str = "True when the address is in one of the networks, IPv4 or IPv6; a list field when some element is. \
                       A text that is no address is in none; an IPv4 address written as ::ffff:10.0.0.1 counts as IPv4.";

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    signature: Signature,
}

impl Cidr {
    pub fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Cidr {
    fn name(&self) -> &'static str {
        "cidr"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        if args.len() < 2 {
            return Err(invalid("cidr needs a field and a network: cidr(source.ip, '10.0.0.0/8')"));
        }
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut networks = Vec::new();
        for value in &args.args[1..] {
            let Some(text) = constant("cidr", value)? else { return Ok(null_answer(args.number_rows)) };
            networks.push(network(text).ok_or_else(|| invalid(format!("cidr: {text:?} is no network such as 10.0.0.0/8")))?);
        }
        let texts = Texts::of(&args.args[0], args.number_rows)?;
        let answer = texts.test(|text| address(text).is_some_and(|ip| networks.iter().any(|network| network.contains(&ip))));
        Ok(ColumnarValue::Array(Arc::new(answer)))
    }
}

/// Reads a network, or a single address as the network that holds only it.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical())))
}

/// Reads an address; the dotted form without the general parser.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    let bytes = text.as_bytes();
    if bytes.len() < 7 || bytes.len() > 15 || !bytes[0].is_ascii_digit() || bytes.contains(&b':') {
        return text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    }
    text.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks() {
        let inside = |ip: &str, net: &str| address(ip).is_some_and(|ip| network(net).unwrap().contains(&ip));
        assert!(inside("10.1.2.3", "10.0.0.0/8") && !inside("11.1.2.3", "10.0.0.0/8"));
        assert!(inside("::ffff:10.1.2.3", "10.0.0.0/8") && inside("2001:db8::1", "2001:db8::/32"));
        assert!(inside("1.2.3.4", "0.0.0.0/0") && !inside("::1", "0.0.0.0/0") && inside("::1", "::/0"));
        assert!(!inside("10.1.2", "10.0.0.0/8") && !inside("a", "10.0.0.0/8") && inside("10.9.9.9", "10.9.9.9"));
    }
}
