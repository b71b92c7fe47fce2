//! Certificates for tests ([`Issuer`]), and clients that speak TLS ([`Trust`], [`TlsClient`]).

use std::{
    collections::VecDeque,
    fs,
    io::Write,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::Arc,
};

use arauto::config::Config;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;

use crate::{Client, NAME_REQUEST, client::ready, confirmation};

/// Versions of a client that offers TLS 1.2.
pub const TLS12_ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
/// Versions of a client that offers TLS 1.3.
pub const TLS13_ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A client over TLS.
pub type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

/// A certificate authority, and a temporary folder for its certificates.
pub struct Issuer {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Issuer {
    /// Makes an authority with a new key.
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an issuer of this test");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let this = Self { issuer, folder: tempfile::tempdir().unwrap() };
        fs::write(this.file("ca.pem"), this.issuer.pem()).unwrap();
        this
    }

    /// The path of a file in the temporary folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path of its own certificate.
    pub fn ca(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// Signs a certificate for this common name and `localhost`, and writes it and its key to files called `name`.
    pub fn issue(&self, name: &str, common_name: &str) -> Files {
        self.issue_with(name, common_name, |_| {})
    }

    /// As [`Self::issue`], after `change` has modified the certificate's parameters.
    pub fn issue_with(
        &self,
        name: &str,
        common_name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Files {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = Files {
            certificate: self.file(&format!("{name}.pem")),
            key: self.file(&format!("{name}.key")),
            der: certificate.der().to_vec(),
        };
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}

/// A certificate and its key.
pub struct Files {
    /// The path of the certificate in PEM.
    pub certificate: PathBuf,
    /// The path of the key in PEM.
    pub key: PathBuf,
    /// The certificate in DER.
    pub der: Vec<u8>,
}

impl Files {
    /// Makes a server listen for TLS with this certificate.
    pub fn serve(&self, config: &mut Config) {
        config.tls.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        config.tls.certificate.clone_from(&self.certificate);
        config.tls.key.clone_from(&self.key);
    }
}

/// A client's side of TLS: the issuer it trusts, the versions it offers, and the certificate it presents, if any.
pub struct Trust<'a> {
    /// The path of the certificate of the issuer that the client trusts.
    pub ca: PathBuf,
    /// The versions that the client offers.
    pub versions: &'static [&'static SupportedProtocolVersion],
    /// The certificate that the client presents, if any.
    pub shows: Option<&'a Files>,
}

impl Trust<'_> {
    /// A client that trusts this issuer, offers all versions, and presents no certificate.
    pub fn of(issuer: &Issuer) -> Self {
        Self { ca: issuer.ca(), versions: rustls::ALL_VERSIONS, shows: None }
    }

    /// The configuration for `rustls`.
    pub fn config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.ca).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match self.shows {
            None => config.with_no_client_auth(),
            Some(files) => config
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_file(&files.certificate).unwrap()],
                    PrivateKeyDer::from_pem_file(&files.key).unwrap(),
                )
                .unwrap(),
        })
    }

    /// Connects and completes the client's side of the handshake; the server may still reject it.
    pub fn connect_silently(&self, address: SocketAddr) -> TlsClient {
        self.shake_hands(TcpStream::connect(address).expect("a server that listens"))
    }

    /// As [`Self::connect_silently`], over an existing connection.
    pub fn shake_hands(&self, stream: TcpStream) -> TlsClient {
        let mut stream = ready(stream);
        let mut session = ClientConnection::new(self.config(), host()).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut stream).expect("a handshake");
        }
        Client { stream: StreamOwned::new(session, stream), ahead: VecDeque::new(), ending: "\n" }
    }

    /// Connects, and reads the name request.
    pub fn connect(&self, address: SocketAddr) -> TlsClient {
        let mut client = self.connect_silently(address);
        client.expect(NAME_REQUEST);
        client
    }

    /// Connects, and gives the client a name.
    pub fn join(&self, address: SocketAddr, name: &str) -> TlsClient {
        let mut client = self.connect(address);
        client.ask(name, &confirmation(name));
        client
    }
}

/// The host name in the test certificates.
pub fn host() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

impl TlsClient {
    /// Closes the sending side of TLS; the client can still read.
    pub fn close_notify(&mut self) {
        self.stream.conn.send_close_notify();
        self.stream.flush().unwrap();
    }

    /// The connection. Bytes that were read ahead are missing from it.
    pub fn stream_mut(&mut self) -> &mut StreamOwned<ClientConnection, TcpStream> {
        &mut self.stream
    }

    /// The certificate that the server presented, in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.stream.conn.peer_certificates().expect("a certificate")[0]
    }
}
