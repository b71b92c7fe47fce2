//! The encoding of what goes over the wire: [postcard](https://postcard.jamesmunns.com/wire-format).

use serde::{Serialize, de::DeserializeOwned};

/// The bytes are not an encoding of what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes cannot be read")]
pub struct Malformed;

/// Encodes a value.
#[must_use]
pub fn encoded(value: &impl Serialize) -> Vec<u8> {
    encoded_after(Vec::new(), value)
}

/// Appends the encoding of a value to these bytes.
pub(crate) fn encoded_after(bytes: Vec<u8>, value: &impl Serialize) -> Vec<u8> {
    let Ok(bytes) = postcard::to_extend(value, bytes) else { unreachable!("a Vec takes everything") };
    bytes
}

/// Decodes a value that takes up all of these bytes.
///
/// # Errors
/// If the bytes are something else, or more.
pub fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(Malformed),
    }
}
