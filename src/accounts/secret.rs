//! [`Secret`]: a password to be hashed or compared, and [`PasswordHash`]: its stored hash.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Error, phc},
};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Memory in KiB, passes and lanes of a new hash: the minimum for argon2id in OWASP's Password Storage Cheat Sheet
/// (2024), and also the default of the crate.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The highest costs accepted from a hash in the file, so that a mistaken file cannot take the machine's memory or
/// time.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 32;
const MAX_LANES: u32 = 16;

/// Fewest characters of a new password, as NIST SP 800-63B (revision 3, section 5.1.1.2) requires.
pub const MIN_CHARS: usize = 8;

/// Most bytes of a new password: it must fit into a message together with a name.
pub const MAX_BYTES: usize = 256;

/// A password. Its memory is overwritten when it is dropped, and its text is never printed.
pub struct Secret(Zeroizing<String>);

/// Why a text is not accepted as a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSecret {
    /// The text is not UTF-8.
    #[error("a password is UTF-8 text")]
    NotUtf8,
    /// The text holds a control character.
    #[error("a password holds no control characters, tabs among them")]
    Control,
    /// The password has fewer than [`MIN_CHARS`] characters.
    #[error("a password has at least {MIN_CHARS} characters")]
    TooShort,
    /// The password has more than [`MAX_BYTES`] bytes.
    #[error("a password has at most {MAX_BYTES} bytes")]
    TooLong,
}

impl Secret {
    /// Makes a password of typed bytes. Blanks are kept. The text is normalized to NFC, because the encoding of an
    /// accent depends on the keyboard and not on its user.
    ///
    /// # Errors
    /// If the bytes are not UTF-8 or hold control characters: no password has either.
    pub fn typed(bytes: &[u8]) -> Result<Self, NoSecret> {
        let text = std::str::from_utf8(bytes).map_err(|_| NoSecret::NotUtf8)?;
        if text.chars().any(char::is_control) {
            return Err(NoSecret::Control);
        }
        // Allocated at full size, because growing would leave copies in memory: NFC has at most three times the bytes.
        let mut secret = Zeroizing::new(String::with_capacity(3 * text.len()));
        secret.extend(text.nfc());
        Ok(Self(secret))
    }

    /// Checks the rules for a new password.
    ///
    /// # Errors
    /// The rule that the password breaks.
    pub fn judge_new(&self) -> Result<(), NoSecret> {
        if self.0.len() > MAX_BYTES {
            Err(NoSecret::TooLong)
        } else if self.0.chars().count() < MIN_CHARS {
            Err(NoSecret::TooShort)
        } else {
            Ok(())
        }
    }

    /// Whether both texts are equal. Not for passwords from the network, because the time depends on the texts: use
    /// [`PasswordHash::matches`] for them.
    #[must_use]
    pub fn is_the_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An argon2id hash from a PHC string, with costs that are acceptable.
#[derive(Clone, Debug, PartialEq)]
pub struct PasswordHash(Box<phc::PasswordHash>);

/// Why a text is not accepted as a hash. The error text completes "hash must be".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHash {
    /// The text is not a PHC string, or lacks salt or output.
    #[error("what arauto passwd prints: $argon2id$v=19$...")]
    Malformed,
    /// The hash is of another algorithm, or of an early version of argon2id.
    #[error("argon2id, version 19: what arauto passwd prints")]
    OtherAlgorithm,
    /// Comparing with this hash would take too much memory or time.
    #[error("of at most {MAX_MEMORY_KIB} KiB (m), {MAX_PASSES} passes (t) and {MAX_LANES} lanes (p)")]
    TooDear,
}

impl PasswordHash {
    /// Hashes a password with a new random salt. Takes tens of milliseconds and 19 MiB.
    ///
    /// # Errors
    /// If the system has no random numbers or no memory.
    pub fn of(secret: &Secret) -> Result<Self, Error> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(Self(Box::new(hasher.hash_password(secret.0.as_bytes())?)))
    }

    /// Parses a PHC string.
    ///
    /// # Errors
    /// If the text is malformed, of another algorithm, or too costly to compare with.
    pub fn parse(text: &str) -> Result<Self, NoHash> {
        let hash = phc::PasswordHash::new(text).map_err(|_| NoHash::Malformed)?;
        if hash.algorithm.as_str() != Algorithm::Argon2id.as_str()
            || hash.version != Some(Version::V0x13.into())
        {
            return Err(NoHash::OtherAlgorithm);
        }
        let params = Params::try_from(&hash).map_err(|_| NoHash::Malformed)?;
        if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err(NoHash::TooDear);
        }
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err(NoHash::Malformed);
        }
        Ok(Self(Box::new(hash)))
    }

    /// Whether `secret` has this hash. Takes as long as hashing, whatever the result; the hashes are compared in
    /// constant time.
    ///
    /// # Errors
    /// If the comparison fails for lack of memory.
    pub fn matches(&self, secret: &Secret) -> Result<bool, Error> {
        match Argon2::default().verify_password(secret.0.as_bytes(), &*self.0) {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl std::fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The hash of "opensesame" at the lowest cost, so that tests are fast.
    pub(crate) fn cheap_hash() -> PasswordHash {
        let params = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        PasswordHash(Box::new(hasher.hash_password(b"opensesame").unwrap()))
    }

    fn secret(text: &str) -> Secret {
        Secret::typed(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_password_matches_its_hash_and_no_other_does() {
        let hash = PasswordHash::of(&secret("opensesame")).unwrap();
        assert!(hash.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let read = PasswordHash::parse(&hash.to_string()).unwrap();
        assert!(read.matches(&secret("opensesame")).unwrap());
        for other in ["opensesamf", "opensesame ", "Opensesame", ""] {
            assert!(!read.matches(&secret(other)).unwrap(), "{other}");
        }
        assert_ne!(PasswordHash::of(&secret("opensesame")).unwrap(), hash, "two salts are the same");
    }

    #[test]
    fn an_accent_is_the_same_however_it_is_encoded() {
        let hash = PasswordHash::of(&secret("caf\u{e9} com leite")).unwrap();
        assert!(hash.matches(&secret("cafe\u{301} com leite")).unwrap());
    }

    #[test]
    fn what_is_no_password() {
        assert_eq!(Secret::typed(b"caf\xe9").unwrap_err(), NoSecret::NotUtf8);
        assert_eq!(Secret::typed(b"tab\tinside").unwrap_err(), NoSecret::Control);
        assert_eq!(secret("sevench").judge_new(), Err(NoSecret::TooShort));
        assert_eq!(secret("éééééééé").judge_new(), Ok(()));
        assert_eq!(secret(&"x".repeat(256)).judge_new(), Ok(()));
        assert_eq!(secret(&"x".repeat(257)).judge_new(), Err(NoSecret::TooLong));
        assert_eq!(format!("{:?}", secret("opensesame")), "Secret(…)");
    }

    #[test]
    fn what_is_no_hash() {
        let good = cheap_hash().to_string();
        assert!(PasswordHash::parse(&good).is_ok(), "{good}");
        let other = |from: &str, to: &str| {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good, "{from}");
            PasswordHash::parse(&text).map(|hash| hash.to_string())
        };
        for (from, to, why) in [
            ("argon2id", "argon2i", NoHash::OtherAlgorithm),
            ("argon2id", "scrypt", NoHash::OtherAlgorithm),
            ("v=19", "v=16", NoHash::OtherAlgorithm),
            ("v=19$", "", NoHash::OtherAlgorithm),
            ("m=8", "m=262145", NoHash::TooDear),
            ("m=8", "m=4294967295", NoHash::TooDear),
            ("t=1", "t=33", NoHash::TooDear),
            ("p=1", "p=0", NoHash::Malformed),
            ("m=8", "m=-8", NoHash::Malformed),
            ("$argon2id", "argon2id", NoHash::Malformed),
        ] {
            assert_eq!(other(from, to), Err(why), "{from} {to}");
        }
        let output = good.rfind('$').unwrap();
        let salt = good[..output].rfind('$').unwrap();
        for text in
            ["", "opensesame", &good[..output], &good[..salt], &format!("{good}$"), &"$".repeat(10_000)]
        {
            assert_eq!(PasswordHash::parse(text), Err(NoHash::Malformed), "{text}");
        }
    }
}
