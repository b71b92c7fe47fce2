//! [`PemFile`]: certificates and keys in files that people name.

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

/// Far above any chain of certificates; stops a mistaken path from filling the memory.
const MOST_BYTES: u64 = 1024 * 1024;

/// Why a file cannot be used. Its words never carry raw control characters.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It cannot be read.
    #[error("{setting}: cannot read {path}: {error}")]
    Unreadable {
        /// The setting that names the file.
        setting: &'static str,
        /// The file, fit for printing.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// It can be read, but not meant.
    #[error("{setting}: {path} has more than {MOST_BYTES} bytes: not a PEM file")]
    TooLarge {
        /// The setting that names the file.
        setting: &'static str,
        /// The file, fit for printing.
        path: String,
    },
    /// It holds something else.
    #[error("{setting}: {path} {what}")]
    Unusable {
        /// The setting that names the file.
        setting: &'static str,
        /// The file, fit for printing.
        path: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Describes a certificate's fault that only its maker can mend, in words that complete "it". The caller describes faults that
/// depend on where the certificate is used, such as its name or its time.
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
        _ => "cannot be judged by this program",
    }
}

/// Words for an error of the library under rustls.
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
        Some(Error::SignatureAlgorithmMismatch) => "names two ways in which it is signed",
        _ => "cannot be judged by this program",
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

    /// Its path, fit for printing.
    #[must_use]
    pub fn shown(&self) -> String {
        Escaped(self.path.display()).to_string()
    }

    /// It holds something else than it should.
    #[must_use]
    pub fn unusable(&self, what: String) -> PemError {
        PemError::Unusable { setting: self.setting, path: self.shown(), what }
    }

    /// All certificates, at least one.
    ///
    /// # Errors
    /// If it cannot be read, is no PEM file, or holds none.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, PemError> {
        let found: Vec<_> = CertificateDer::pem_slice_iter(&self.read()?)
            .collect::<Result<_, _>>()
            .map_err(|error| self.unusable(format!("is no PEM file: {error}")))?;
        if found.is_empty() {
            return Err(self.unusable("holds no certificate in PEM".to_owned()));
        }
        Ok(found)
    }

    /// The first private key.
    ///
    /// # Errors
    /// If it cannot be read, is no PEM file, or holds none without a passphrase.
    pub fn key(&self) -> Result<PrivateKeyDer<'static>, PemError> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|error| match error {
            pem::Error::NoItemsFound => self.unusable("holds no private key without a passphrase".to_owned()),
            error => self.unusable(format!("is no PEM file: {error}")),
        })
    }

    /// Whether everybody on this machine can read it.
    #[must_use]
    pub fn is_readable_by_all(&self) -> bool {
        let mode = fs::metadata(self.path).map_or(0, |found| found.permissions().mode());
        mode & 0o007 != 0
    }

    /// Overwritten when dropped: it may be a key.
    fn read(&self) -> Result<Zeroizing<Vec<u8>>, PemError> {
        let mut bytes = Zeroizing::new(Vec::new());
        fs::File::open(self.path)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| PemError::Unreadable { setting: self.setting, path: self.shown(), error })?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(PemError::TooLarge { setting: self.setting, path: self.shown() });
        }
        Ok(bytes)
    }
}
