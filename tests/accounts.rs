//! Tests of accounts: passwords, operators' rights, and secrets that must not leak.

mod entering;
mod moderation;
mod passwd;
mod places;
mod reload;
mod secrecy;
mod turns;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use arauto::config::Config;
use tempfile::TempDir;

use crate::harness::{Client, NAME_REQUEST, TestServer, confirmation};

pub const PASSWORD: &str = "opensesame";

/// Hash of [`PASSWORD`] at the lowest cost that argon2 allows, so that tests do not spend their time on hashing.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$JxC1FujfBD9pbWEqCy8J4A$Qg19MzloKYi6Ggv4dUX1PwW4oFToxnIlg7UAfIN7DbY";

/// An accounts file with alan, an operator, and bob, who has no such right. Deleted when dropped.
pub struct AccountsFile {
    folder: TempDir,
}

impl AccountsFile {
    pub fn new() -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        file.write(&format!(
            "[[accounts]]\nname = \"alan\"\nhash = \"{HASH}\"\noperator = true\n\n[[accounts]]\nname = \"bob\"\nhash = \
             \"{HASH}\"\n"
        ));
        file.permit(0o600);
        file
    }

    pub fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }

    pub fn permit(&self, mode: u32) {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("accounts.toml")
    }

    /// Starts a server that uses this file.
    pub fn serve(&self, change: impl FnOnce(&mut Config)) -> TestServer {
        TestServer::with(|config| {
            config.accounts.file = self.path();
            change(config);
        })
    }
}

pub fn password_request(name: &str) -> String {
    format!("server | {name} | password | no data")
}

pub fn not_let_in(name: &str, why: &str) -> String {
    format!("server | new_client: {name} | connection_error | {why}")
}

/// Joins a line client with a name and [`PASSWORD`].
pub fn log_in(server: &TestServer, name: &str) -> Client {
    let mut client = server.connect();
    client.ask(name, &password_request(name));
    client.ask(PASSWORD, &confirmation(name));
    client
}

/// Connects a client that has given the name of an account and has been asked for the password.
fn asked(server: &TestServer, name: &str) -> Client {
    let mut client = Client::to(server.address());
    client.expect(NAME_REQUEST);
    client.ask(name, &password_request(name));
    client
}
