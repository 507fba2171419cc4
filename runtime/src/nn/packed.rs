//! Boxed enums inside themselves, as data: the inner value is stored as a short byte string, so that a damaged
//! file cannot nest values without end.

use alloc::boxed::Box;
use alloc::vec::Vec;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest inner value, in bytes.
const LONGEST: usize = 128;

/// Stores the value as bytes.
pub fn serialize<T: Serialize, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
    let bytes = postcard::to_allocvec(value).map_err(S::Error::custom)?;
    if bytes.len() > LONGEST {
        return Err(S::Error::custom("the value is too long to be saved"));
    }
    bytes.serialize(s)
}

/// Reads the value from bytes.
pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(d: D) -> Result<Box<T>, D::Error> {
    let bytes = Vec::<u8>::deserialize(d)?;
    if bytes.len() > LONGEST {
        return Err(D::Error::custom("the inner value is too long"));
    }
    postcard::from_bytes(&bytes).map(Box::new).map_err(D::Error::custom)
}
