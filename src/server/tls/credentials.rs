//! [`Credentials`]: what a TLS handshake is answered with, from PEM files, and how others take its place.

use std::{path::Path, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    InconsistentKeys, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::CertificateDer,
    server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};
use slog::{Discard, Logger, o, warn};

use crate::{
    config::Tls,
    pem::{self, PemError, PemFile},
};

/// Why certificates and keys cannot be used. Its words never carry raw control characters.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] PemError),
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

/// All that is wrong with the files that the settings name, whether TLS is spoken anywhere or not.
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
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(issuers), Arc::clone(provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable(&error))?;
    Ok(verifier)
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
    let key = file.key()?;
    if file.is_readable_by_all() {
        warn!(log, "everybody on this machine can read the key: chmod o= it"; "file" => file.shown());
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
