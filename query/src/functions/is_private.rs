//! `is_private(field)`: does the address belong to nobody in particular?

use std::{net::IpAddr, sync::Arc};

use datafusion::{
    arrow::datatypes::DataType,
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility},
};

use super::{cidr::address, text::Texts};

pub const DOC: &str = "True for private (RFC 1918, RFC 4193), carrier-shared (RFC 6598), link-local and loopback addresses; \
                       a list field when some element is. False for other addresses and for text that is no address.";

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct IsPrivate {
    signature: Signature,
}

impl IsPrivate {
    pub fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for IsPrivate {
    fn name(&self) -> &'static str {
        "is_private"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = Texts::of(&args.args[0], args.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(texts.test(|text| address(text).is_some_and(is_private)))))
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for ip in ["10.0.0.1", "172.31.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "fd00::1", "fe80::1", "::1"]
        {
            assert!(is_private(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["172.32.0.1", "203.0.113.7", "100.128.0.1", "2001:db8::1"] {
            assert!(!is_private(ip.parse().unwrap()), "{ip}");
        }
    }
}
