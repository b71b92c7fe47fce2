//! Tests every way to cut a stream of messages in two, and the cases that cannot be told apart.

use super::*;

/// Messages that such a server sends alan, in this order.
const SENT: [&str; 10] = [
    "server | alan | connection_confirmation | You are now connected to the server",
    "server | alan | list_clients | clients connected: alan , bob , Ebob , Zoë , server 2 ",
    "bob | all clients | broadcast | a | b",
    "Zoë | all clients | broadcast_not_me | olá | ",
    "Ebob | alan | private_message | ",
    "server 2 | alan | list_files | no data",
    "alan | alan | echo | hi, bob",
    "server | alan | Unknown_operation | Operation (dance) is not supported",
    "server | alan | list_files | Destination client (x) not found!",
    "server | all clients | broadcast | server closed",
];

fn unframed() -> Unframed {
    let mut unframed = Unframed::default();
    unframed.call_me("alan");
    unframed
}

/// Decodes these reads, which follow one another without a pause and are followed by silence.
fn read(unframed: &mut Unframed, reads: &[&[u8]]) -> Vec<Item> {
    let (mut bytes, mut items) = (BytesMut::new(), Vec::new());
    for read in reads.iter().filter(|read| !read.is_empty()) {
        unframed.read_begins(bytes.len());
        bytes.extend_from_slice(read);
        items.extend(std::iter::from_fn(|| unframed.decode(&mut bytes)));
    }
    assert_eq!(unframed.silence_timeout(&bytes).is_some(), !bytes.is_empty());
    items.extend(unframed.rest(&mut bytes));
    assert_eq!((bytes.len(), &unframed.reads), (0, &Vec::new()));
    items
}

fn message(fields: [&str; 4]) -> Item {
    let [sender, destination, operation, data] = fields.map(str::to_owned);
    Item::Message(OwnedMessage { sender, destination, operation, data })
}

fn messages(lines: &[&str]) -> Vec<Item> {
    let four = |line: &&str| {
        let fields: Vec<&str> = line.splitn(4, " | ").collect();
        message(fields.try_into().unwrap())
    };
    lines.iter().map(four).collect()
}

#[test]
fn one_read_with_all() {
    assert_eq!(read(&mut unframed(), &[SENT.concat().as_bytes()]), messages(&SENT));
}

#[test]
fn a_message_a_read() {
    assert_eq!(read(&mut unframed(), &SENT.map(str::as_bytes)), messages(&SENT));
}

#[test]
fn cut_in_two_anywhere() {
    let all = SENT.concat();
    for at in 0..=all.len() {
        let (before, after) = all.as_bytes().split_at(at);
        // "bob", cut off "Ebob", is another client's name. This case alone cannot be told.
        let expected = messages(&SENT);
        if after.starts_with(b"bob | alan | private") {
            assert_ne!(read(&mut unframed(), &[before, after]), expected);
        } else {
            assert_eq!(read(&mut unframed(), &[before, after]), expected, "cut at {at}");
        }
    }
}

#[test]
fn cut_in_three_anywhere() {
    let sent = &SENT[..3];
    let all = sent.concat();
    for first in 0..=all.len() {
        for second in first..=all.len() {
            let all = all.as_bytes();
            let reads = [&all[..first], &all[first..second], &all[second..]];
            assert_eq!(read(&mut unframed(), &reads), messages(sent), "cut at {first} and {second}");
        }
    }
}

#[test]
fn a_byte_a_read() {
    let without_ebob = [&SENT[..4], &SENT[5..]].concat();
    let all = without_ebob.concat();
    let bytes: Vec<&[u8]> = all.as_bytes().chunks(1).collect();
    assert_eq!(read(&mut unframed(), &bytes), messages(&without_ebob));
}

#[test]
fn someone_unknown_is_told_apart_where_a_read_begins() {
    let (alan, carl) = ("alan | alan | echo | hi", "carl | all clients | broadcast | yo");
    let mut unframed = unframed();
    let both = [alan, carl].concat();
    // In one read, carl's message is text of the message before it.
    let text = "hicarl | all clients | broadcast | yo";
    assert_eq!(read(&mut unframed, &[both.as_bytes()]), [message(["alan", "alan", "echo", text])]);
    assert_eq!(read(&mut unframed, &[alan.as_bytes(), carl.as_bytes()]), messages(&[alan, carl]));
    // The name is known by now.
    assert_eq!(read(&mut unframed, &[both.as_bytes()]), messages(&[alan, carl]));
}

#[test]
fn what_only_looks_like_a_message_is_text() {
    for line in [
        "alan | alan | echo | bob | carl | broadcast | yo",
        "alan | alan | echo | bob | all clients | ",
        "alan | alan | echo | nobody | all clients | broadcast | yo",
        "alan | alan | echo |  | all clients | broadcast | yo",
    ] {
        assert_eq!(read(&mut unframed(), &[line.as_bytes()]), messages(&[line]), "{line}");
    }
}

#[test]
fn a_refused_name() {
    let lines = [
        "server | client | name | no data",
        "server | new_client: alan | connection_error | This username is already taken. You need to \
         connect again and use another one",
    ];
    assert_eq!(read(&mut unframed(), &[lines.concat().as_bytes()]), messages(&lines));
}

#[test]
fn what_is_no_message_is_shown_and_swallows_none() {
    let exit = "server | alan | exit | client disconnected";
    let noise = Item::Noise("lo".to_owned());
    assert_eq!(
        read(&mut unframed(), &[b"lo", exit.as_bytes()]),
        [vec![noise.clone()], messages(&[exit])].concat()
    );
    assert_eq!(read(&mut unframed(), &[b"lo\n"]), [noise]);
    assert_eq!(read(&mut unframed(), &[b"\r\n"]), []);
}

#[test]
fn line_endings_are_no_part_of_a_text() {
    let [all, others] = ["bob | all clients | broadcast | hi", "bob | all clients | broadcast_not_me | ho"];
    let read = read(&mut unframed(), &[format!("{all}\r\n{others}\n").as_bytes()]);
    assert_eq!(read, messages(&[all, others]));
}

#[test]
fn silence_ends_a_message_sooner_than_a_beginning() {
    let unframed = unframed();
    for (bytes, silence_timeout) in [
        ("", None),
        ("server | al", Some(INCOMPLETE_TIMEOUT)),
        ("server | alan | exit | client disc", Some(MESSAGE_TIMEOUT)),
        ("alan | alan | echo | hi, server", Some(MESSAGE_TIMEOUT)),
        ("alan | alan | echo | hiserver | ", Some(INCOMPLETE_TIMEOUT)),
        ("alan | alan | echo | hiserver | al", Some(INCOMPLETE_TIMEOUT)),
        ("alan | alan | echo | hiserver | alan | ex", Some(INCOMPLETE_TIMEOUT)),
        ("alan | alan | echo | hiserver | bob", Some(MESSAGE_TIMEOUT)),
        ("alan | alan | echo | hinobody | al", Some(MESSAGE_TIMEOUT)),
    ] {
        assert_eq!(unframed.silence_timeout(bytes.as_bytes()), silence_timeout, "{bytes}");
    }
}

#[test]
fn bounds() {
    let mut unframed = unframed();
    for number in 0..2 * MAX_NAMES {
        unframed.learn(format!("n{number}").as_bytes());
    }
    assert_eq!((unframed.names.len(), unframed.names[0].as_slice()), (MAX_NAMES, b"n1024".as_slice()));
    let endless = format!("bob | all clients | broadcast | {}", "x".repeat(MAX_BYTES));
    let mut bytes = BytesMut::from(endless.as_str());
    assert_eq!(unframed.decode(&mut bytes), messages(&[&endless]).pop());
}
