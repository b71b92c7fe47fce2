//! [`Tls`]: encrypted connections: whom they trust, and who one says one is.

mod trust;
mod words;

use std::{io, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, InconsistentKeys,
    client::ResolvesClientCert,
    crypto::{CryptoProvider, ring},
    pki_types::ServerName,
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::pem::{PemError, PemFile};

/// How connections are to be encrypted. By default, not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Speak TLS. So does everything else here.
    pub tls: bool,
    /// Trust what the certificates in this file signed (one that signed itself, too) instead of the system's.
    pub ca: Option<PathBuf>,
    /// Accept any certificate.
    pub insecure: bool,
    /// A certificate to show, followed by those between it and its issuer's.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

impl TlsOptions {
    /// Whether TLS is to be spoken.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.tls || self.insecure || self.ca.is_some() || self.cert.is_some() || self.key.is_some()
    }
}

/// Why TLS cannot be spoken as it was asked for. Its words never carry raw control characters.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] PemError),
    /// The key is another's.
    #[error("key: the key in {key} does not belong to the first certificate in {certificate}")]
    Mismatch {
        /// The key's file, fit for printing.
        key: String,
        /// The certificate's file, fit for printing.
        certificate: String,
    },
    /// One of the two is missing.
    #[error("{given} is given without {missing}: a certificate is shown with both")]
    Half {
        /// The setting that is there.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// The system trusts nobody.
    #[error(
        "this system has no certificates to trust: install its ca-certificates, or name the server's certificate or its issuer's \
         with --ca FILE"
    )]
    NoRoots,
    /// The library refuses.
    #[error("TLS cannot be used: {0}")]
    Library(#[from] rustls::Error),
}

/// How connections are encrypted, ready for use; clones share it.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    trusted: trust::Trusted,
    warnings: Vec<String>,
}

impl Tls {
    /// Reads the files that are named and sees that they fit together.
    ///
    /// # Errors
    /// The first that cannot be used, and why.
    pub fn new(options: &TlsOptions) -> Result<Self, Unusable> {
        let provider = Arc::new(ring::default_provider());
        let (verifier, trusted) = trust::verifier(options, &provider)?;
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            // Not dangerous but where --insecure asks for it: see `trust`.
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut warnings = Vec::new();
        let config = match own_certificate(options, &provider, &mut warnings)? {
            None => config.with_no_client_auth(),
            Some(own) => config.with_client_cert_resolver(own),
        };
        Ok(Self { config: Arc::new(config), trusted, warnings })
    }

    /// Whether any certificate is accepted, so that nobody knows who is at the other end.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.trusted == trust::Trusted::Anybody
    }

    /// What should be said of the files before they are used.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The host that a certificate has to be for.
    ///
    /// # Errors
    /// If none can be: why, in words.
    pub(super) fn name(host: &str) -> Result<ServerName<'static>, String> {
        // A link-local address has a zone, which is this machine's name for a link and in no certificate.
        let is_address = |address: &str| address.parse::<std::net::Ipv6Addr>().is_ok();
        let zoned = host.split_once('%').filter(|(address, _)| is_address(address));
        let host = zoned.map_or(host, |(address, _)| address);
        ServerName::try_from(host.to_owned()).map_err(|_| {
            "no certificate can be for this host: write ASCII letters, digits, dots and hyphens (xn--… for others)"
                .to_owned()
        })
    }

    /// Shakes hands with the server.
    ///
    /// # Errors
    /// If that fails: why, in words.
    pub(super) async fn shake_hands(
        &self,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(name, stream).await.map_err(|error| self.words(&error))
    }

    /// What failed while TLS was spoken.
    pub(super) fn words(&self, error: &io::Error) -> String {
        words::of(error, &self.trusted)
    }
}

/// The certificate to show, and its key.
fn own_certificate(
    options: &TlsOptions,
    provider: &CryptoProvider,
    warnings: &mut Vec<String>,
) -> Result<Option<Arc<dyn ResolvesClientCert>>, Unusable> {
    let (cert, key) = match (&options.cert, &options.key) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(Unusable::Half { given: "cert", missing: "key" }),
        (None, Some(_)) => return Err(Unusable::Half { given: "key", missing: "cert" }),
        (Some(cert), Some(key)) => (PemFile::new("cert", cert), PemFile::new("key", key)),
    };
    let (chain, secret) = (cert.certificates()?, key.key()?);
    if key.is_readable_by_all() {
        let file = key.shown();
        warnings.push(format!("everybody on this machine can read the key in {file}: chmod o= it"));
    }
    let own = CertifiedKey::from_der(chain, secret, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            Unusable::Mismatch { key: key.shown(), certificate: cert.shown() }
        }
        rustls::Error::InvalidCertificate(error) => {
            cert.unusable(format!("holds a certificate that cannot be used: {error:?}")).into()
        }
        error => key.unusable(format!("holds a key that cannot be used: {error}")).into(),
    })?;
    Ok(Some(Arc::new(SingleCertAndKey::from(own))))
}
