//! [`Credentials`]: what a TLS handshake is answered with, from PEM files, and how others take its place.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    InconsistentKeys, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};
use slog::{Logger, warn};

use crate::{config::Tls, escape::Escaped};

/// Far above any chain of certificates; stops a mistaken path from filling the memory.
const MOST_BYTES: u64 = 1024 * 1024;

/// Why certificates and keys cannot be used. Its words never carry raw control characters.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("{setting}: cannot read {path}: {error}")]
    Unreadable {
        /// The setting that names the file.
        setting: &'static str,
        /// The file, fit for printing.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// A file can be read, but not meant.
    #[error("{setting}: {path} has more than {MOST_BYTES} bytes: not a PEM file")]
    TooLarge {
        /// The setting that names the file.
        setting: &'static str,
        /// The file, fit for printing.
        path: String,
    },
    /// A file holds something else.
    #[error("{setting}: {path} {what}")]
    Unusable {
        /// The setting that names the file.
        setting: &'static str,
        /// The file, fit for printing.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The key is another's.
    #[error("tls.key: the key in {key} does not belong to the first certificate in {certificate}")]
    Mismatch {
        /// The key's file, fit for printing.
        key: String,
        /// The certificate's file, fit for printing.
        certificate: String,
    },
}

/// What handshakes are answered with; clones share it.
#[derive(Clone, Debug)]
pub struct Credentials(Arc<ArcSwap<Loaded>>);

/// What was read from files, ready for use.
#[derive(Debug)]
pub struct Loaded {
    config: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
}

impl Credentials {
    /// From the start on, these.
    pub fn new(first: Loaded) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// For a handshake that begins now.
    pub fn get(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.load().config)
    }

    /// For handshakes that begin from now on. Returns whether clients are shown another certificate.
    pub fn replace(&self, next: Loaded) -> bool {
        let next = Arc::new(next);
        self.0.swap(Arc::clone(&next)).certificate != next.certificate
    }
}

/// Reads what the settings name and sees that it fits together. Warns of a key that others can read.
///
/// # Errors
/// The first file that cannot be used, and why.
pub fn load(tls: &Tls, log: &Logger) -> Result<Loaded, CredentialsError> {
    let provider = Arc::new(ring::default_provider());
    let key = certified_key(tls, &provider, log)?;
    let certificate = key.cert[0].clone();
    let clients = client_verifier(tls, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| PemFile::new("tls.certificate", &tls.certificate).unusable(error.to_string()))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    // Connections last for hours; what a handshake saves now and then is not worth keeping secrets for.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Loaded { config: Arc::new(config), certificate })
}

/// Who judges certificates of clients. None need have one.
fn client_verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, CredentialsError> {
    if tls.client_ca.as_os_str().is_empty() {
        return Ok(Arc::new(NoClientAuth));
    }
    let file = PemFile::new("tls.client_ca", &tls.client_ca);
    let unusable = |error: &dyn std::fmt::Display| {
        file.unusable(format!("holds a certificate that cannot be used: {error}"))
    };
    let mut issuers = RootCertStore::empty();
    for certificate in file.certificates()? {
        issuers.add(certificate).map_err(|error| unusable(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(issuers), Arc::clone(provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable(&error))
}

/// The server's own certificate, those that vouch for it, and its key.
fn certified_key(
    tls: &Tls,
    provider: &CryptoProvider,
    log: &Logger,
) -> Result<CertifiedKey, CredentialsError> {
    let certificate = PemFile::new("tls.certificate", &tls.certificate);
    let chain = certificate.certificates()?;
    let file = PemFile::new("tls.key", &tls.key);
    let key = PrivateKeyDer::from_pem_slice(&file.read()?).map_err(|error| match error {
        pem::Error::NoItemsFound => file.unusable("holds no private key without a passphrase".to_owned()),
        error => file.unusable(format!("is no PEM file: {error}")),
    })?;
    file.warn_if_others_can_read(log);
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            CredentialsError::Mismatch { key: file.shown(), certificate: certificate.shown() }
        }
        rustls::Error::InvalidCertificate(error) => {
            certificate.unusable(format!("holds a certificate that cannot be used: {error:?}"))
        }
        error => file.unusable(format!("holds a key that cannot be used: {error}")),
    })
}

/// A PEM file that a setting names.
struct PemFile<'a> {
    setting: &'static str,
    path: &'a Path,
}

impl<'a> PemFile<'a> {
    fn new(setting: &'static str, path: &'a Path) -> Self {
        Self { setting, path }
    }

    fn shown(&self) -> String {
        Escaped(self.path.display()).to_string()
    }

    fn unusable(&self, what: String) -> CredentialsError {
        CredentialsError::Unusable { setting: self.setting, path: self.shown(), what }
    }

    fn read(&self) -> Result<Vec<u8>, CredentialsError> {
        let mut bytes = Vec::new();
        fs::File::open(self.path)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| CredentialsError::Unreadable {
                setting: self.setting,
                path: self.shown(),
                error,
            })?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(CredentialsError::TooLarge { setting: self.setting, path: self.shown() });
        }
        Ok(bytes)
    }

    /// All certificates, at least one.
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
        let found: Vec<_> = CertificateDer::pem_slice_iter(&self.read()?)
            .collect::<Result<_, _>>()
            .map_err(|error| self.unusable(format!("is no PEM file: {error}")))?;
        if found.is_empty() {
            return Err(self.unusable("holds no certificate in PEM".to_owned()));
        }
        Ok(found)
    }

    fn warn_if_others_can_read(&self, log: &Logger) {
        let mode = fs::metadata(self.path).map_or(0, |found| found.permissions().mode());
        if mode & 0o007 != 0 {
            warn!(log, "everybody on this machine can read the key: chmod o= it"; "file" => self.shown());
        }
    }
}
