//! Test of sound between two machines that know only each other's link-local addresses.

use std::{
    fs,
    process::{Command, Stdio},
};

use arauto_needs::needs;
use tempfile::TempDir;

use super::{
    ends::on,
    play::{Running, outcome, read_wav, samples, write_wav},
};
use crate::cli::arauto;
use crate::harness::{
    Client, NAME_REQUEST,
    cable::{Cable, dial},
    confirmation,
    process::Process,
    wait_until,
};

/// Publisher and listener join by an address with a zone. Their sound goes by UDP, which needs the zone as well.
#[needs("root", "ip", "tc", "nc")]
#[test]
fn sound_passes_by_a_link_local_address() {
    let Some(cable) = Cable::lay() else { return };
    for (namespace, address) in [(&cable.server, "fe80::a1/64"), (&cable.faraway, "fe80::a2/64")] {
        // `nodad`: does not wait to find out whether another machine has the address.
        let add = ["-n", namespace, "address", "add", address, "dev", "cable", "nodad"];
        assert!(Command::new("ip").args(add).status().unwrap().success());
    }
    let listen = [("ARAUTO_SERVER_LISTEN", "[::]:0"), ("ARAUTO_MEDIA_LISTEN", "[::]:0")];
    let server = Process::run(on(&cable.server, &arauto(["serve"])), &listen);
    let port = server.address().port();
    let zoned = format!("[fe80::a1%cable]:{port}");
    let folder = TempDir::new().unwrap();
    let sent = samples(3 * 44_100);
    write_wav(&folder.path().join("song.wav"), 44_100, &sent);
    let faraway = |mut command: Command| {
        command.arg("--server").arg(&zoned);
        on(&cable.faraway, &command)
    };
    let mut join = arauto(["join", "ana", "--plain"]);
    join.arg("--share").arg(folder.path());
    let mut join = faraway(join);
    join.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let _ana = Running(join.spawn().unwrap());
    let local = format!("[::1]:{port}").parse().unwrap();
    let mut eva = Client::from_stream(dial(Some(&cable.server), local, None).unwrap());
    eva.expect(NAME_REQUEST);
    eva.ask("eva", &confirmation("eva"));
    wait_until("ana to be there", || {
        eva.send("/list");
        eva.line().contains("ana")
    });
    let to = folder.path().join("heard.wav");
    let mut play = arauto(["play", "ana/song.wav"]);
    play.arg("--output").arg(&to);
    // The player would print a message if sound did not come by UDP.
    assert_eq!(outcome(&faraway(play).output().unwrap()), (0, String::new()));
    let heard = read_wav(&fs::read(&to).unwrap());
    assert!(heard.len() > sent.len() / 2 && sent.ends_with(&heard), "{} of {}", heard.len(), sent.len());
    eva.send("/play ana song.wav");
    let told = eva.line();
    assert!(told.starts_with("ana | eva | play | rtsp://[::1]:"), "{told}");
}
