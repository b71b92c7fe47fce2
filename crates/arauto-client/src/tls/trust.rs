//! Verifiers of the server's certificate.

use std::sync::Arc;

use arauto_settings::pem::{self, PemFile};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::{TlsError, TlsOptions};

/// Which issuers are trusted; used in error messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trusted {
    /// Those that the system trusts.
    System,
    /// The certificates in this file. Holds its path, escaped for printing.
    File(String),
    /// Any certificate.
    Anybody,
}

/// Returns the verifier of the server's certificate, and the issuers that it trusts.
pub(super) fn verifier(
    options: &TlsOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<(Arc<dyn ServerCertVerifier>, Trusted), TlsError> {
    if options.insecure {
        return Ok((Arc::new(Anybody(Arc::clone(provider))), Trusted::Anybody));
    }
    let by = |roots| {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        verifier.build().map_err(|_| TlsError::NoRoots)
    };
    match &options.ca {
        Some(path) => {
            let file = PemFile::new("ca", path);
            let named = file.certificates()?;
            let verifier = by(from_file(&file, &named)?)?;
            Ok((Arc::new(OrNamed { verifier, named }), Trusted::File(file.shown())))
        }
        None => Ok((by(of_the_system()?)?, Trusted::System)),
    }
}

fn from_file(file: &PemFile<'_>, named: &[CertificateDer<'static>]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in named {
        roots.add(certificate.clone()).map_err(|error| {
            let why = match &error {
                Error::InvalidCertificate(why) => pem::fault(why),
                _ => "cannot be verified by this program",
            };
            file.unusable(format!("holds a certificate that cannot be used: it {why}"))
        })?;
    }
    Ok(roots)
}

/// Verifies as usual, but also accepts a server certificate that is itself in the user's file if the only fault is
/// that it is a certificate authority's, or that it names no host. `openssl req -x509` makes such certificates. The
/// validity period and the server's possession of the key are checked in any case; if the certificate names hosts,
/// the server has to be one of them.
#[derive(Debug)]
struct OrNamed {
    verifier: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl OrNamed {
    /// Decides on a certificate from the user's file that the library rejected for the reason `why`.
    fn judge(
        certificate: &CertificateDer<'_>,
        server: &ServerName<'_>,
        why: CertificateError,
    ) -> Result<(), Error> {
        if !pem::is_only_an_authoritys(&why) {
            return if names_no_host(&why) { Ok(()) } else { Err(why.into()) };
        }
        // The library checks validity periods before it finds this fault, and host names after.
        match verify_server_name(&ParsedCertificate::try_from(certificate)?, server) {
            Err(Error::InvalidCertificate(why)) if names_no_host(&why) => Ok(()),
            judged => judged,
        }
    }
}

/// Whether a certificate is rejected because it names no host. RFC 9525 ignores the common name.
fn names_no_host(why: &CertificateError) -> bool {
    matches!(why, CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty())
}

impl ServerCertVerifier for OrNamed {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.verifier.verify_server_cert(certificate, between, server, ocsp, now) {
            Err(Error::InvalidCertificate(why)) if self.named.contains(certificate) => {
                Self::judge(certificate, server, why).map(|()| ServerCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn of_the_system() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    // Systems have some certificates that no library can parse. The others suffice, unless there are none.
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 { Err(TlsError::NoRoots) } else { Ok(roots) }
}

/// Accepts every certificate. The server's possession of the key is still checked: the connection is encrypted, but
/// the identity of the server is unknown.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
