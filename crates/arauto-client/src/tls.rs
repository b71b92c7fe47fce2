//! [`Tls`]: TLS for connections: trusted certificates, the client's own certificate, and handshakes.

mod trust;
mod words;

use std::{io, path::PathBuf, sync::Arc};

use arauto_settings::pem::{PemError, PemFile};
use rustls::{
    ClientConfig, InconsistentKeys,
    client::ResolvesClientCert,
    crypto::{CryptoProvider, ring},
    pki_types::ServerName,
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// TLS options of a connection. By default, it is unencrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Use TLS. Each of the other options implies it.
    pub tls: bool,
    /// Trust the certificates in this file, and those that they signed, instead of the system's.
    pub ca: Option<PathBuf>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Certificate to show to the server, followed by its chain up to its issuer's.
    pub cert: Option<PathBuf>,
    /// Private key of that certificate.
    pub key: Option<PathBuf>,
}

impl TlsOptions {
    /// Whether the options ask for TLS.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.tls || self.insecure || self.ca.is_some() || self.cert.is_some() || self.key.is_some()
    }
}

/// Why TLS cannot be used with these options. The texts never hold raw control characters.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] PemError),
    /// The key does not belong to the certificate.
    #[error("key: the key in {key} does not belong to the first certificate in {certificate}")]
    Mismatch {
        /// Path of the key's file, escaped for printing.
        key: String,
        /// Path of the certificate's file, escaped for printing.
        certificate: String,
    },
    /// Certificate or key is missing.
    #[error("{given} is given without {missing}: a client certificate needs both")]
    Half {
        /// The setting that is given.
        given: &'static str,
        /// The setting that is missing.
        missing: &'static str,
    },
    /// The system has no trusted certificates.
    #[error(
        "this system has no certificates to trust: install its ca-certificates, or name the server's certificate or its issuer's \
         with --ca FILE"
    )]
    NoRoots,
    /// The TLS library rejects the options.
    #[error("TLS cannot be used: {0}")]
    Library(#[from] rustls::Error),
}

/// A TLS configuration ready for use. Clones share it.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    trusted: trust::Trusted,
    warnings: Vec<String>,
}

impl Tls {
    /// Reads the files that the options name, and checks that they fit together.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub fn new(options: &TlsOptions) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let (verifier, trusted) = trust::verifier(options, &provider)?;
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            // The custom verifier is dangerous only with `--insecure`: see `trust`.
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut warnings = Vec::new();
        let config = match own_certificate(options, &provider, &mut warnings)? {
            None => config.with_no_client_auth(),
            Some(own) => config.with_client_cert_resolver(own),
        };
        Ok(Self { config: Arc::new(config), trusted, warnings })
    }

    /// Whether any certificate is accepted, so that the identity of the server is unknown.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.trusted == trust::Trusted::Anybody
    }

    /// Returns warnings about the files, to show before they are used.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the host name that the server's certificate has to be for.
    ///
    /// # Errors
    /// If no certificate can be for this host: the reason in words.
    pub(super) fn name(host: &str) -> Result<ServerName<'static>, String> {
        // A link-local address may have a zone. It is this machine's name for a link, and no certificate holds it.
        let is_address = |address: &str| address.parse::<std::net::Ipv6Addr>().is_ok();
        let zoned = host.split_once('%').filter(|(address, _)| is_address(address));
        let host = zoned.map_or(host, |(address, _)| address);
        ServerName::try_from(host.to_owned()).map_err(|_| {
            "no certificate can name this host: write ASCII letters, digits, dots and hyphens (xn--… for others)"
                .to_owned()
        })
    }

    /// Performs the TLS handshake as a client.
    ///
    /// # Errors
    /// If the handshake fails: the reason in words.
    pub(super) async fn shake_hands(
        &self,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(name, stream).await.map_err(|error| self.words(&error))
    }

    /// Describes an error of a TLS connection in words.
    pub(super) fn words(&self, error: &io::Error) -> String {
        words::of(error, &self.trusted)
    }
}

/// Reads the certificate to show to the server, and its key.
fn own_certificate(
    options: &TlsOptions,
    provider: &CryptoProvider,
    warnings: &mut Vec<String>,
) -> Result<Option<Arc<dyn ResolvesClientCert>>, TlsError> {
    let (cert, key) = match (&options.cert, &options.key) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(TlsError::Half { given: "cert", missing: "key" }),
        (None, Some(_)) => return Err(TlsError::Half { given: "key", missing: "cert" }),
        (Some(cert), Some(key)) => (PemFile::new("cert", cert), PemFile::new("key", key)),
    };
    let (chain, secret) = (cert.certificates()?, key.key()?);
    if key.is_readable_by_all() {
        let file = key.shown();
        warnings.push(format!("every local user can read the key in {file}; run chmod o= on it"));
    }
    let own = CertifiedKey::from_der(chain, secret, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::Mismatch { key: key.shown(), certificate: cert.shown() }
        }
        rustls::Error::InvalidCertificate(error) => {
            cert.unusable(format!("holds a certificate that cannot be used: {error:?}")).into()
        }
        error => key.unusable(format!("holds a key that cannot be used: {error}")).into(),
    })?;
    Ok(Some(Arc::new(SingleCertAndKey::from(own))))
}
