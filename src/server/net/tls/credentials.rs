//! [`Credentials`]: certificates and keys for TLS handshakes, read from PEM files and replaceable while the server
//! runs.

use std::{path::Path, sync::Arc};

use arauto_settings::pem::{self, PemError, PemFile};
use arc_swap::ArcSwap;
use rustls::{
    InconsistentKeys, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::CertificateDer,
    server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};
use slog::{Discard, Logger, o, warn};

use crate::config::Tls;

/// Reason why certificates and keys cannot be used. Its text never contains raw control characters.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] PemError),
    /// The key does not belong to the certificate.
    #[error("tls.key: the key in {key} does not belong to the first certificate in {certificate}")]
    Mismatch {
        /// The key's file, escaped for printing.
        key: String,
        /// The certificate's file, escaped for printing.
        certificate: String,
    },
}

/// The TLS configuration of new handshakes; clones share it.
#[derive(Clone, Debug)]
pub struct Credentials(Arc<ArcSwap<LoadedCredentials>>);

/// A TLS configuration made from files, ready for use.
#[derive(Debug)]
pub struct LoadedCredentials {
    config: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
}

impl Credentials {
    /// Begins with this configuration.
    pub fn new(first: LoadedCredentials) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// Returns the configuration of a handshake that begins now.
    pub fn get(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.load().config)
    }

    /// Replaces the configuration of handshakes that begin from now on. Returns whether the server's certificate is
    /// another one.
    pub fn replace(&self, next: LoadedCredentials) -> bool {
        let next = Arc::new(next);
        self.0.swap(Arc::clone(&next)).certificate != next.certificate
    }
}

/// Reads the files that the settings name and checks that they fit together. Warns of a key that other users can read.
///
/// # Errors
/// The first file that cannot be used, and why.
pub fn load(tls: &Tls, log: &Logger) -> Result<LoadedCredentials, CredentialsError> {
    let provider = Arc::new(ring::default_provider());
    let key = certified_key(tls, &provider, log)?;
    let certificate = key.cert[0].clone();
    let clients = client_verifier(tls, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| PemFile::new("tls.certificate", &tls.certificate).unusable(error.to_string()))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    // No session resumption: connections last for hours, so the few handshakes that it saves are not worth keeping
    // secrets for.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(LoadedCredentials { config: Arc::new(config), certificate })
}

/// Returns all faults of the files that the settings name, even if no listener speaks TLS.
#[must_use]
pub fn faults(tls: &Tls) -> Vec<CredentialsError> {
    let provider = Arc::new(ring::default_provider());
    let is_named = |path: &Path| !path.as_os_str().is_empty();
    let certificate = is_named(&tls.certificate)
        .then(|| PemFile::new("tls.certificate", &tls.certificate).certificates().map(drop));
    let key = is_named(&tls.key).then(|| PemFile::new("tls.key", &tls.key).key().map(drop));
    let mut faults: Vec<CredentialsError> = Vec::new();
    if let (Some(Ok(())), Some(Ok(()))) = (&certificate, &key) {
        faults.extend(certified_key(tls, &provider, &Logger::root(Discard, o!())).err());
    }
    let files = [certificate, key].into_iter().flatten().filter_map(Result::err);
    faults.extend(files.map(CredentialsError::from));
    faults.extend(client_verifier(tls, &provider).err());
    faults
}

/// Returns the verifier of client certificates. No client needs to have one.
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
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(issuers), Arc::clone(provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable(&error))?;
    Ok(verifier)
}

/// Returns the server's own certificate, its chain, and its key.
fn certified_key(
    tls: &Tls,
    provider: &CryptoProvider,
    log: &Logger,
) -> Result<CertifiedKey, CredentialsError> {
    let certificate = PemFile::new("tls.certificate", &tls.certificate);
    let chain = certificate.certificates()?;
    let file = PemFile::new("tls.key", &tls.key);
    let key = file.key()?;
    if file.is_readable_by_all() {
        warn!(log, "every local user can read the key; run chmod o= on it"; "file" => file.shown());
    }
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            CredentialsError::Mismatch { key: file.shown(), certificate: certificate.shown() }
        }
        rustls::Error::InvalidCertificate(error) => {
            let why = pem::fault(&error);
            certificate.unusable(format!("holds a certificate that cannot be used: it {why}")).into()
        }
        error => file.unusable(format!("holds a key that cannot be used: {error}")).into(),
    })
}
