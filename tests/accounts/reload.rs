//! Tests of SIGHUP with accounts: new accounts apply and no session is disturbed. Also client certificates with
//! accounts.

use super::{AccountsFile, HASH, PASSWORD, passwd::piped, password_request};
use crate::harness::{
    Client, NAME_REQUEST, confirmation,
    process::Process,
    tls::{Issuer, Trust},
};

fn log_in(process: &Process, name: &str) -> Client {
    let mut client = Client::to(process.address());
    client.expect(NAME_REQUEST);
    client.ask(name, &password_request(name));
    client.ask(PASSWORD, &confirmation(name));
    client
}

#[test]
fn other_accounts_are_in_force_at_once_and_nobody_is_disturbed() {
    let file = AccountsFile::new();
    let path = file.path();
    let process = Process::serve(&[("ARAUTO_ACCOUNTS_FILE", path.to_str().unwrap())]);
    let mut alan = log_in(&process, "alan");
    let mut carl = process.join("carl");
    alan.ask("/bans", "server | alan | list_bans | nobody is banned");

    // Alan is no longer an operator, bob no longer has an account, and carl's name has become an account.
    file.write(&format!(
        "[[accounts]]\nname = 'alan'\nhash = '{HASH}'\n[[accounts]]\nname = 'carl'\nhash = '{HASH}'\n"
    ));
    process.signal("HUP");
    process.logged("reloaded");
    alan.ask("/bans", "server | alan | error_message | Only operators of this server may use list_bans");
    carl.ask("/exit", "server | carl | exit | client disconnected");
    log_in(&process, "carl").expect_nothing_before_an_echo("carl");
    process.join("bob");

    // An invalid file changes nothing.
    file.write("[[accounts]]\nname = 'bob'\n");
    process.signal("HUP");
    let refused = process.logged("reload refused; nothing changed");
    assert_eq!(refused["error"], format!("{}:1:1: hash is missing", path.display()));
    log_in(&process, "carl").expect_nothing_before_an_echo("carl");
    alan.expect_nothing_before_an_echo("alan");
}

#[test]
fn an_emptied_file_frees_no_names() {
    let file = AccountsFile::new();
    let path = file.path();
    let config = path.with_file_name("arauto.toml");
    std::fs::write(&config, "[accounts]\nfile = 'accounts.toml'\n").unwrap();
    let process = Process::run(crate::cli::arauto(["serve", "--config", config.to_str().unwrap()]), &[]);
    let mut alan = log_in(&process, "alan");
    let (accounts, settings) = (path.display(), config.display());
    let refused = |why: String| {
        process.signal("HUP");
        assert_eq!(process.logged("reload refused; nothing changed")["error"], why);
        let mut stranger = Client::to(process.address());
        stranger.expect(NAME_REQUEST);
        stranger.ask("bob", &password_request("bob"));
    };
    // Empty, as a program leaves the file that truncates it before it writes.
    let whole = std::fs::read_to_string(&path).unwrap();
    file.write("");
    refused(format!("{accounts} is empty, where it was not before"));
    file.write("# nobody\n");
    refused(format!(
        "{accounts} holds no accounts, where there were 2; to run without accounts, restart the server"
    ));
    file.write(&whole);
    // A configuration that drops the accounts is refused likewise.
    std::fs::write(&config, "").unwrap();
    refused(format!("{settings} is empty, where it was not before"));
    std::fs::write(&config, "# nothing\n").unwrap();
    refused(
        "accounts.file names no file, where there were 2; to run without accounts, restart the server"
            .to_owned(),
    );
    alan.ask("/bans", "server | alan | list_bans | nobody is banned");
}

#[test]
fn who_bore_a_name_before_it_was_an_accounts_makes_way_for_its_owner() {
    let file = AccountsFile::new();
    file.write("");
    let process = Process::serve(&[("ARAUTO_ACCOUNTS_FILE", file.path().to_str().unwrap())]);
    let mut stranger = process.join("carl");
    let mut look_alike = process.join("сarla");
    file.write(&format!(
        "[[accounts]]\nname = 'Carl'\nhash = '{HASH}'\n[[accounts]]\nname = 'carla'\nhash = '{HASH}'\n"
    ));
    process.signal("HUP");
    process.logged("reloaded");
    stranger.ask("/echo hi", "carl | carl | echo | hi");

    let mut owner = Client::to(process.address());
    owner.expect(NAME_REQUEST);
    owner.ask("carl", &password_request("Carl"));
    owner.ask(PASSWORD, &confirmation("Carl"));
    stranger.expect(
        "server | carl | error_message | The name carl has an account now, and its owner came. You need to connect again and use another name",
    );
    stranger.expect_closed();
    assert_eq!(process.logged("left")["reason"], "name claimed");
    log_in(&process, "carla").expect_nothing_before_an_echo("carla");
    look_alike.expect(
        "server | сarla | error_message | сarla looks like carla, who has an account now, and its owner came. You need to connect again and use another name",
    );
    look_alike.expect_closed();
    // A second connection of the owner does not take the name from the first.
    let mut again = Client::to(process.address());
    again.expect(NAME_REQUEST);
    again.ask("carl", &password_request("Carl"));
    again.ask(PASSWORD, "server | new_client: Carl | connection_error | This username is already taken. You need to connect again and use another one");
    owner.ask("/echo hi", "Carl | Carl | echo | hi");
}

#[test]
fn a_certificate_in_an_accounts_name_needs_no_password() {
    let (file, issuer) = (AccountsFile::new(), Issuer::new());
    let files = issuer.issue("server", "a server");
    let server = file.serve(|config| {
        files.serve(config);
        config.tls.client_ca = issuer.ca();
        config.accounts.required = true;
    });
    let certified = |common_name: &str| {
        let files = issuer.issue("client", common_name);
        Trust { shows: Some(&files), ..Trust::of(&issuer) }.connect_silently(server.tls_address())
    };
    let mut alan = certified("ALAN");
    alan.expect(&confirmation("alan"));
    alan.ask("/bans", "server | alan | list_bans | nobody is banned");
    let mut carl = certified("carl");
    carl.expect(&super::not_let_in(
        "carl",
        "Only people with an account may enter, and carl is none. Ask who runs this server for one",
    ));
    carl.expect_closed();
    // A client without a certificate logs in with a password over TLS as well.
    let mut bob = Trust::of(&issuer).connect(server.tls_address());
    bob.ask("bob", &password_request("bob"));
    bob.ask(PASSWORD, &confirmation("bob"));
}

#[test]
fn a_password_that_was_changed_meanwhile_is_worth_nothing() {
    let file = AccountsFile::new();
    let path = file.path();
    let process = Process::serve(&[("ARAUTO_ACCOUNTS_FILE", path.to_str().unwrap())]);
    let mut operator = log_in(&process, "alan");
    let mut late = Client::to(process.address());
    late.expect(NAME_REQUEST);
    late.ask("bob", &password_request("bob"));

    let entries =
        [piped(["passwd", "--operator", "alan"], "another one\n"), piped(["passwd", "bob"], "another one\n")];
    file.write(&entries.map(|output| String::from_utf8(output.stdout).unwrap()).concat());
    process.signal("HUP");
    process.logged("reloaded");
    // After the password has changed, a session that logged in with the old one loses operator rights, and the old
    // password is refused: the client is asked for the new one.
    operator.ask("/bans", "server | alan | error_message | Only operators of this server may use list_bans");
    late.ask(PASSWORD, &password_request("bob"));
    late.ask("another one", &confirmation("bob"));
}
