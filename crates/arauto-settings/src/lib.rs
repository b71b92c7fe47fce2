//! Settings from flags, environment, a file and defaults ([`layers`]), the files that operators write ([`source`],
//! [`pem`]), and untrusted text made harmless ([`escape`]).

pub mod escape;
pub mod layers;
pub mod pem;
pub mod source;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;
