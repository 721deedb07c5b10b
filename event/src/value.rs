//! A field's value while it sits in the scratch. Text borrows from the record or from the block's arena.

use std::net::IpAddr;

use crate::Micros;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'r> {
    Str(&'r str),
    Int(i64),
    Float(f64),
    Bool(bool),
    Ip(IpAddr),
    Time(Micros),
}

impl<'r> From<&'r str> for Value<'r> {
    fn from(text: &'r str) -> Self {
        Self::Str(text)
    }
}

macro_rules! from_number {
    ($($ty:ty),*) => {$(
        impl From<$ty> for Value<'_> {
            fn from(number: $ty) -> Self {
                Self::Int(i64::from(number))
            }
        }
    )*};
}
from_number!(i64, i32, i16, u32, u16, u8);

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<IpAddr> for Value<'_> {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}
