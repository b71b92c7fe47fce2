//! [`Secret`]: a password on its way to be hashed or compared; [`PasswordHash`]: what is kept of one.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Error, phc},
};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The most memory, passes and lanes of a new hash: the least that OWASP's Password Storage Cheat Sheet (2024) asks of
/// argon2id, which is also what the crate takes by default. In KiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What a hash in the file may ask for at the most, so that a mistaken file cannot take the machine's memory or time.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
const MOST_PASSES: u32 = 32;
const MOST_LANES: u32 = 16;

/// The fewest characters of a new password: what NIST SP 800-63B (revision 3, section 5.1.1.2) asks for.
pub const FEWEST_CHARS: usize = 8;

/// The most bytes of a new password: with a name it has to fit a message.
pub const MOST_BYTES: usize = 256;

/// A password. Its memory is overwritten when it is dropped, and it is never shown.
pub struct Secret(Zeroizing<String>);

/// Why a text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSecret {
    /// It is not UTF-8.
    #[error("a password is UTF-8 text")]
    NotUtf8,
    /// It holds a control character.
    #[error("a password holds no control characters, tabs among them")]
    Control,
    /// It has fewer than [`FEWEST_CHARS`] characters.
    #[error("a password has at least {FEWEST_CHARS} characters")]
    TooShort,
    /// It has more than [`MOST_BYTES`] bytes.
    #[error("a password has at most {MOST_BYTES} bytes")]
    TooLong,
}

impl Secret {
    /// Takes what someone typed for a password, blanks and all, in NFC: a keyboard decides how an accent is encoded, not
    /// who types it.
    ///
    /// # Errors
    /// What could not have been made a password.
    pub fn typed(bytes: &[u8]) -> Result<Self, NoSecret> {
        let text = std::str::from_utf8(bytes).map_err(|_| NoSecret::NotUtf8)?;
        if text.chars().any(char::is_control) {
            return Err(NoSecret::Control);
        }
        // Room for all of it, so that no copy is left behind by growing: NFC has at most three times the bytes.
        let mut secret = Zeroizing::new(String::with_capacity(3 * text.len()));
        secret.extend(text.nfc());
        Ok(Self(secret))
    }

    /// Judges a new password.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn judge_new(&self) -> Result<(), NoSecret> {
        if self.0.len() > MOST_BYTES {
            Err(NoSecret::TooLong)
        } else if self.0.chars().count() < FEWEST_CHARS {
            Err(NoSecret::TooShort)
        } else {
            Ok(())
        }
    }

    /// Whether both are the same text. Not for comparing what a stranger sent: that goes by [`PasswordHash::matches`].
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

/// An argon2id hash, as a PHC string has it, that is fit to be compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct PasswordHash(Box<phc::PasswordHash>);

/// Why a text is no hash that can be used. Its words complete "hash must be".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHash {
    /// It cannot be read at all, or lacks salt or output.
    #[error("what arauto passwd prints: $argon2id$v=19$...")]
    Malformed,
    /// It is by another algorithm, or by an early version of this one.
    #[error("argon2id, version 19: what arauto passwd prints")]
    OtherAlgorithm,
    /// Comparing with it would take too much.
    #[error("of at most {MOST_MEMORY_KIB} KiB (m), {MOST_PASSES} passes (t) and {MOST_LANES} lanes (p)")]
    TooDear,
}

impl PasswordHash {
    /// Hashes a password with a salt of its own. Takes tens of milliseconds and 19 MiB.
    ///
    /// # Errors
    /// If the system gives no random numbers or no memory.
    pub fn of(secret: &Secret) -> Result<Self, Error> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(Self(Box::new(hasher.hash_password(secret.0.as_bytes())?)))
    }

    /// Reads a PHC string.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NoHash> {
        let hash = phc::PasswordHash::new(text).map_err(|_| NoHash::Malformed)?;
        if hash.algorithm.as_str() != Algorithm::Argon2id.as_str()
            || hash.version != Some(Version::V0x13.into())
        {
            return Err(NoHash::OtherAlgorithm);
        }
        let params = Params::try_from(&hash).map_err(|_| NoHash::Malformed)?;
        if params.m_cost() > MOST_MEMORY_KIB || params.t_cost() > MOST_PASSES || params.p_cost() > MOST_LANES
        {
            return Err(NoHash::TooDear);
        }
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err(NoHash::Malformed);
        }
        Ok(Self(Box::new(hash)))
    }

    /// Whether this is the hash of that password. Takes as long as hashing, whatever the answer; the results are compared
    /// in constant time.
    ///
    /// # Errors
    /// If it could not be found out: no memory.
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

    /// The hash of "opensesame", of the least cost that there is, so that tests spend their time otherwise.
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
