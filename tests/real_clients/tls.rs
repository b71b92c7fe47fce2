//! Tests with TLS clients that users have: openssl's `s_client`, nmap's `ncat --ssl`, `socat`. Each checks the server's
//! certificate.

use arauto_needs::has_tool;

use super::program::Program;
use crate::harness::{
    NAME_REQUEST, TestServer, confirmation,
    tls::{Files, Issuer},
};

const CLIENTS: &[&str] = &["openssl", "ncat", "socat"];

fn serve(issuer: &Issuer) -> TestServer {
    let files = issuer.issue("server", "a server");
    TestServer::with(|config| files.serve(config))
}

/// Starts this client and connects it, with the client certificate `shows` if there is one.
pub fn connect(client: &str, server: &TestServer, issuer: &Issuer, shows: Option<&Files>) -> Program {
    let (port, ca) = (server.tls_address().port().to_string(), issuer.ca());
    let ca = ca.to_str().unwrap();
    let own = shows.map(|files| (files.certificate.to_str().unwrap(), files.key.to_str().unwrap()));
    match client {
        "openssl" => {
            let address = format!("127.0.0.1:{port}");
            let mut arguments =
                vec!["s_client", "-quiet", "-verify_quiet", "-verify_return_error", "-CAfile", ca];
            arguments.extend(["-verify_hostname", "localhost", "-servername", "localhost"]);
            if let Some((certificate, key)) = own {
                arguments.extend(["-cert", certificate, "-key", key]);
            }
            arguments.extend(["-connect", &address]);
            Program::start("openssl", &arguments)
        }
        "ncat" => {
            let mut arguments = vec!["--ssl", "--ssl-verify", "--ssl-trustfile", ca];
            if let Some((certificate, key)) = own {
                arguments.extend(["--ssl-cert", certificate, "--ssl-key", key]);
            }
            arguments.extend(["-4", "localhost", &port]);
            Program::start("ncat", &arguments)
        }
        _ => {
            let own = own.map(|(certificate, key)| format!(",cert={certificate},key={key}"));
            let own = own.unwrap_or_default();
            let address = format!("OPENSSL:127.0.0.1:{port},cafile={ca},commonname=localhost{own}");
            Program::start("socat", &["-", &address])
        }
    }
}

#[test]
fn people_talk_over_tls() {
    for client in CLIENTS {
        if !has_tool!(client) {
            continue;
        }
        let issuer = Issuer::new();
        let server = serve(&issuer);
        let mut alan = connect(client, &server, &issuer, None);
        alan.expect_line(NAME_REQUEST);
        alan.ask("alan", &confirmation("alan"));
        let mut bob = server.join("bob");
        alan.ask("/all good morning", "alan | all clients | broadcast | good morning");
        bob.expect("alan | all clients | broadcast | good morning");
        bob.send("/msg alan só para ti");
        alan.expect_line("bob | alan | private_message | só para ti");
        alan.ask("/exit", "server | alan | exit | client disconnected");
        alan.end_input();
        alan.expect_success();
    }
}

#[test]
fn the_end_of_the_server_reaches_those_over_tls() {
    for client in CLIENTS {
        if !has_tool!(client) {
            continue;
        }
        let issuer = Issuer::new();
        let server = serve(&issuer);
        let mut alan = connect(client, &server, &issuer, None);
        alan.expect_line(NAME_REQUEST);
        alan.ask("alan", &confirmation("alan"));
        alan.ask("/close", "server | all clients | broadcast | server closed");
        alan.end_input();
        alan.expect_success();
        server.ended().unwrap();
    }
}

#[test]
fn a_thousand_lines_typed_ahead_are_answered_to_the_last() {
    for client in CLIENTS {
        if !has_tool!(client) {
            continue;
        }
        let issuer = Issuer::new();
        let server = serve(&issuer);
        let mut alan = connect(client, &server, &issuer, None);
        alan.expect_line(NAME_REQUEST);
        alan.ask("alan", &confirmation("alan"));
        let lines: Vec<_> = (0..1000).map(|number| format!("/echo {number}\n")).collect();
        alan.type_keys(&lines.concat());
        for number in 0..1000 {
            alan.expect_line(&format!("alan | alan | echo | {number}"));
        }
    }
}

#[test]
fn a_certificate_of_their_own_names_them() {
    for client in CLIENTS {
        if !has_tool!(client) {
            continue;
        }
        let issuer = Issuer::new();
        let files = issuer.issue("server", "a server");
        let server = TestServer::with(|config| {
            files.serve(config);
            config.tls.client_ca = issuer.ca();
        });
        let own = issuer.issue("alan", "alan");
        let mut alan = connect(client, &server, &issuer, Some(&own));
        alan.expect_line(&confirmation("alan"));
        alan.ask("/exit", "server | alan | exit | client disconnected");
        alan.end_input();
        alan.expect_success();
    }
}
