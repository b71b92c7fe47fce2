//! [`PemFile`]: reads certificates and keys from PEM files that settings name.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use rustls::{
    CertificateError, OtherError,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use zeroize::Zeroizing;

use crate::escape::Escaped;

/// Largest PEM file that is read: far above any certificate chain, so that a mistaken path does not fill the memory.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a PEM file cannot be used. The error text contains no raw control characters.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file cannot be read.
    #[error("{setting}: cannot read {path}: {error}")]
    Unreadable {
        /// The setting that names the file.
        setting: &'static str,
        /// The file's path, escaped for printing.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// The file is too large to be a PEM file.
    #[error("{setting}: {path} has more than {MAX_BYTES} bytes: not a PEM file")]
    TooLarge {
        /// The setting that names the file.
        setting: &'static str,
        /// The file's path, escaped for printing.
        path: String,
    },
    /// The file holds something other than what the setting needs.
    #[error("{setting}: {path} {what}")]
    Unusable {
        /// The setting that names the file.
        setting: &'static str,
        /// The file's path, escaped for printing.
        path: String,
        /// The fault, in words that follow the path.
        what: String,
    },
}

/// Describes a fault of a certificate that only its issuer can fix, in words that complete "it". The caller describes
/// faults that depend on where the certificate is used, such as its name or its validity period.
#[must_use]
pub fn fault(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::BadEncoding => "is malformed",
        CertificateError::Revoked => "was revoked",
        CertificateError::UnhandledCriticalExtension => {
            "has a critical extension that this program does not know"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed in a way that is not safe or not known, such as with SHA-1 or a short key"
        }
        CertificateError::Other(other) => webpki_fault(other),
        _ => "cannot be verified by this program",
    }
}

/// Describes an error of webpki, the library under rustls.
fn webpki_fault(OtherError(why): &OtherError) -> &'static str {
    use webpki::Error;
    match why.downcast_ref::<Error>() {
        Some(Error::CaUsedAsEndEntity) => "is a certificate authority's (CA:TRUE) and not a server's",
        Some(Error::EndEntityUsedAsCa) => "is signed by a certificate that is no certificate authority's",
        Some(Error::UnsupportedCertVersion) => "is of X.509 version 1 or 2; TLS needs version 3",
        Some(Error::UnsupportedCriticalExtension) => {
            "has a critical extension that this program does not know"
        }
        Some(Error::MalformedExtensions | Error::ExtensionValueInvalid | Error::EmptyEkuExtension) => {
            "has an extension that is malformed"
        }
        Some(Error::InvalidSerialNumber) => "has a serial number that is negative, zero or too long",
        Some(Error::NameConstraintViolation) => "is for names that its issuer may not issue for",
        Some(Error::PathLenConstraintViolated | Error::MaximumPathDepthExceeded) => {
            "has more certificates between it and its issuer than are allowed"
        }
        Some(Error::SignatureAlgorithmMismatch) => "names two different signature algorithms",
        _ => "cannot be verified by this program",
    }
}

/// Whether a certificate is refused only because it is also a certificate authority's, as `openssl req -x509` makes it.
#[must_use]
pub fn is_only_an_authoritys(why: &CertificateError) -> bool {
    let CertificateError::Other(OtherError(why)) = why else { return false };
    why.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
}

/// A PEM file that a setting names.
#[derive(Clone, Copy, Debug)]
pub struct PemFile<'a> {
    setting: &'static str,
    path: &'a Path,
}

impl<'a> PemFile<'a> {
    /// The file at `path`, named by `setting`.
    #[must_use]
    pub fn new(setting: &'static str, path: &'a Path) -> Self {
        Self { setting, path }
    }

    /// The file's path, escaped for printing.
    #[must_use]
    pub fn shown(&self) -> String {
        Escaped(self.path.display()).to_string()
    }

    /// An error that the file holds something other than it should; `what` follows the path.
    #[must_use]
    pub fn unusable(&self, what: String) -> PemError {
        PemError::Unusable { setting: self.setting, path: self.shown(), what }
    }

    /// All certificates of the file, at least one.
    ///
    /// # Errors
    /// If the file cannot be read, is no PEM file, or holds no certificate.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, PemError> {
        let found: Vec<_> = CertificateDer::pem_slice_iter(&self.read()?)
            .collect::<Result<_, _>>()
            .map_err(|error| self.unusable(format!("is no PEM file: {error}")))?;
        if found.is_empty() {
            return Err(self.unusable("holds no certificate in PEM".to_owned()));
        }
        Ok(found)
    }

    /// The first private key of the file.
    ///
    /// # Errors
    /// If the file cannot be read, is no PEM file, or holds no unencrypted private key.
    pub fn key(&self) -> Result<PrivateKeyDer<'static>, PemError> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|error| match error {
            pem::Error::NoItemsFound => self.unusable("holds no unencrypted private key".to_owned()),
            error => self.unusable(format!("is no PEM file: {error}")),
        })
    }

    /// Whether the file's mode gives any access to users other than its owner and group; `false` if the mode cannot be
    /// read.
    #[must_use]
    pub fn is_readable_by_all(&self) -> bool {
        let mode = fs::metadata(self.path).map_or(0, |found| found.permissions().mode());
        mode & 0o007 != 0
    }

    /// Reads the whole file. The bytes are overwritten when they are dropped, because they may hold a key.
    fn read(&self) -> Result<Zeroizing<Vec<u8>>, PemError> {
        let mut bytes = Zeroizing::new(Vec::new());
        fs::File::open(self.path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| PemError::Unreadable { setting: self.setting, path: self.shown(), error })?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(PemError::TooLarge { setting: self.setting, path: self.shown() });
        }
        Ok(bytes)
    }
}
