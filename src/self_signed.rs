//! Makes a self-signed certificate and its key: for trying TLS, or for a few people who know each other.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use arauto_settings::escape::{Escaped, Printable};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use crate::config;

/// The hosts of a certificate if none are given.
const HERE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate is valid from this long before it is made, because clocks differ.
const BEFORE: Duration = Duration::from_hours(1);

const DAY: Duration = Duration::from_hours(24);

/// The ports that the advice proposes: for messages, the page and audio.
const PORT: u16 = 1235;
const PAGE_PORT: u16 = 1443;
const AUDIO_PORT: u16 = 1555;

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignError {
    /// The file exists. It is left as it is, because it may be in use.
    #[error("{0} exists, and is not overwritten; remove it, or choose another folder with --out-dir")]
    Exists(String),
    /// The file cannot be written.
    #[error("cannot write {path}: {error}")]
    Unwritable {
        /// The file's path, escaped for printing.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// The text is no valid host.
    #[error("\"{}\" is no host name or address: ASCII letters, digits, dots and hyphens (xn--… for others)", Escaped(.0))]
    Host(String),
    /// Making the key or the certificate failed.
    #[error("cannot make a certificate: {0}")]
    Making(#[from] rcgen::Error),
}

/// A certificate and key that were written.
#[derive(Debug)]
pub struct SelfSigned {
    certificate: PathBuf,
    key: PathBuf,
    hosts: Vec<String>,
    until: SystemTime,
}

/// Makes `cert.pem` and `key.pem` in `folder`, for `hosts` (this machine, if there are none), valid for `days` days.
/// Only the key's owner can read it.
///
/// # Errors
/// If one of the files exists or cannot be written, or if a host is not valid. No file is left behind then.
pub fn make(hosts: &[String], days: u16, folder: &Path) -> Result<SelfSigned, SelfSignError> {
    let mut hosts = hosts.to_vec();
    if hosts.is_empty() {
        hosts = HERE.map(str::to_owned).to_vec();
    }
    if let Some(host) = hosts.iter().find(|host| !is_host(host)) {
        return Err(SelfSignError::Host(host.clone()));
    }
    let folder = std::path::absolute(folder)
        .map_err(|error| SelfSignError::Unwritable { path: Escaped(folder.display()).to_string(), error })?;
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let until = SystemTime::now() + DAY * days.into();
    let pair = KeyPair::generate()?;
    let signed = params(&hosts, until)?.self_signed(&pair)?;
    create(&key, 0o600, &pair.serialize_pem())?;
    if let Err(error) = create(&certificate, 0o644, &signed.pem()) {
        // A key without its certificate is useless. The first error is reported even if removing the key fails.
        let _ = fs::remove_file(&key);
        return Err(error);
    }
    Ok(SelfSigned { certificate, key, hosts, until })
}

fn params(hosts: &[String], until: SystemTime) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, &*hosts[0]);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = date_time_ymd(1970, 1, 1) + since_1970(SystemTime::now()).saturating_sub(BEFORE);
    params.not_after = date_time_ymd(1970, 1, 1) + since_1970(until);
    Ok(params)
}

/// Time since 1970 in whole seconds, the resolution of times in certificates.
fn since_1970(time: SystemTime) -> Duration {
    Duration::from_secs(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
}

fn is_host(host: &str) -> bool {
    let is_name = |host: &str| host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_*".contains(c));
    (1..=253).contains(&host.len()) && (is_name(host) || host.parse::<std::net::IpAddr>().is_ok())
}

fn create(path: &Path, mode: u32, content: &str) -> Result<(), SelfSignError> {
    let shown = || Escaped(path.display()).to_string();
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|error| match error
            .kind()
        {
            io::ErrorKind::AlreadyExists => SelfSignError::Exists(shown()),
            _ => SelfSignError::Unwritable { path: shown(), error },
        })?;
    file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
        // A partly written file is useless.
        let _ = fs::remove_file(path);
        SelfSignError::Unwritable { path: shown(), error }
    })
}

impl SelfSigned {
    /// Text that says what was made, what to put into the configuration, and how to connect.
    #[must_use]
    pub fn advice(&self) -> String {
        let Self { certificate, key, hosts, until } = self;
        let day = humantime::format_rfc3339_seconds(*until).to_string();
        let day = day.split('T').next().unwrap_or_default();
        let (all, host) = (hosts.join(", "), &hosts[0]);
        let (shown, shown_key) = (Escaped(certificate.display()), Escaped(key.display()));
        let quoted = in_shell(certificate);
        let authority = in_authority(host);
        let (listen, page, audio) = (self.listen(PORT), self.listen(PAGE_PORT), self.listen(AUDIO_PORT));
        let named = self.named_hosts();
        format!(
            "{shown}: a certificate for {all}, good until {day}
{shown_key}: its key, which only you can read

To serve TLS with them, put this into the configuration:

[tls]
listen = [{listen}]
certificate = {toml}
key = {toml_key}

To serve the page and audio by TLS as well:

[web]
tls_listen = [{page}]
{names}
[media]
tls_listen = [{audio}]
{public_host}
The server's user has to be able to read the key. Clients recognize the server by the certificate alone, so give them
cert.pem. A client that connects to {host}:

arauto join --server {authority}:{PORT} --tls --ca {quoted}
openssl s_client -quiet -verify_return_error -CAfile {quoted} -connect {authority}:{PORT}
ncat --ssl-verify --ssl-trustfile {quoted} {host} {PORT}

Audio: arauto plays what others share by the same --ca. Page: https://{authority}:{PAGE_PORT}/ (a browser warns of a
certificate that it does not know; import cert.pem as an authority, or compare it before you go on).
",
            toml = config::quoted(certificate),
            toml_key = config::quoted(key),
            names = if named.is_empty() { String::new() } else { format!("hosts = [{named}]\n") },
            public_host = if self.is_for_this_machine() {
                String::new()
            } else {
                format!("public_host = {}\n", config::quoted(Path::new(host)))
            },
        )
    }

    /// Whether all hosts are this machine's own, so that no other machine can connect by them.
    fn is_for_this_machine(&self) -> bool {
        self.hosts.iter().all(|host| {
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        })
    }

    /// The addresses to listen on so that clients reach the hosts, as a TOML list without brackets.
    fn listen(&self, port: u16) -> String {
        if self.is_for_this_machine() {
            return format!("\"127.0.0.1:{port}\"");
        }
        // A host name mostly resolves to an IPv4 address, and a machine without IPv6 could not listen on an IPv6
        // address.
        let is_v6 = |host: &String| host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6());
        let (v4, v6) = (!self.hosts.iter().all(is_v6), self.hosts.iter().any(is_v6));
        let listen = [v4.then(|| format!("\"0.0.0.0:{port}\"")), v6.then(|| format!("\"[::]:{port}\""))];
        listen.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// The host names for the setting `web.hosts`, as a TOML list without brackets. Addresses and `localhost` are left
    /// out because the server accepts them anyway, and names with `*` because the setting takes none.
    fn named_hosts(&self) -> String {
        let is_name = |host: &&String| *host != "localhost" && host.parse::<IpAddr>().is_err();
        let plain = self.hosts.iter().filter(is_name).filter(|host| !host.contains('*'));
        plain.map(|host| format!("\"{host}\"")).collect::<Vec<_>>().join(", ")
    }
}

/// A host as it is written before a port: an IPv6 address in brackets.
fn in_authority(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// A path quoted for a shell, where it needs quotes.
fn in_shell(path: &Path) -> String {
    let path = path.to_string_lossy();
    if path.chars().all(|c| c.is_alphanumeric() || "/._-+".contains(c)) {
        return path.into_owned();
    }
    format!("'{}'", Printable(path.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses() {
        for host in ["localhost", "a.example", "*.a.example", "10.0.0.1", "::1"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "a b", "é.example", "a/b", "[::1]", "a:1", &"a".repeat(254)] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        assert_eq!(in_shell(Path::new("/tmp/a-b/cert.pem")), "/tmp/a-b/cert.pem");
        assert_eq!(in_shell(Path::new("/tmp/a b/cert.pem")), "'/tmp/a b/cert.pem'");
    }
}
