//! Whose certificates are believed.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{TlsOptions, Unusable};
use crate::pem::PemFile;

/// Who is trusted, for words about those who are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trusted {
    /// Whom the system trusts.
    System,
    /// Those in this file, its path fit for printing.
    File(String),
    /// Everybody.
    Anybody,
}

/// Who judges the server's certificate.
pub(super) fn verifier(
    options: &TlsOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<(Arc<dyn ServerCertVerifier>, Trusted), Unusable> {
    if options.insecure {
        return Ok((Arc::new(Anybody(Arc::clone(provider))), Trusted::Anybody));
    }
    let (roots, trusted) = match &options.ca {
        Some(path) => {
            let file = PemFile::new("ca", path);
            (from_file(&file)?, Trusted::File(file.shown()))
        }
        None => (of_the_system()?, Trusted::System),
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|_| Unusable::NoRoots)?;
    Ok((verifier, trusted))
}

fn from_file(file: &PemFile<'_>) -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    for certificate in file.certificates()? {
        roots
            .add(certificate)
            .map_err(|error| file.unusable(format!("holds a certificate that cannot be used: {error}")))?;
    }
    Ok(roots)
}

fn of_the_system() -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    // Systems carry some certificates that no library takes; what is left is enough, unless it is nothing.
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 { Err(Unusable::NoRoots) } else { Ok(roots) }
}

/// Believes every certificate. That the other end has its key is still seen to: the connection is encrypted, but with
/// whom, nobody knows.
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
