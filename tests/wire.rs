//! Tests of the contract, byte for byte: every row of its tables, for each kind of client where it differs.

use arauto::{config::Allow, server::Ended};

use crate::harness::{Client, NAME_REQUEST, TestServer, confirmation};

type Join = fn(&TestServer, &str) -> Client;

/// A way to join for each kind of client.
const KINDS: [(&str, Join); 3] = [
    ("line", TestServer::join),
    ("telnet", TestServer::join_by_telnet),
    ("unframed", TestServer::join_unframed),
];

/// Runs a conversation of alan with each kind of client as alan.
fn with_each_kind(conversation: impl Fn(&TestServer, &mut Client)) {
    for (kind, join) in KINDS {
        eprintln!("alan is a {kind} client");
        let server = TestServer::start();
        let mut alan = join(&server, "alan");
        conversation(&server, &mut alan);
    }
}

#[test]
fn a_new_connection_is_asked_for_its_name() {
    let server = TestServer::start();
    server.connect_silently().expect_bytes(b"server | client | name | no data\n");
}

#[test]
fn a_name_message_or_just_a_name_is_confirmed() {
    let server = TestServer::start();
    for (typed, name) in [
        ("alan | server | name | alan", "alan"),
        ("bob", "bob"),
        ("  carl  ", "carl"),
        (" | server | name | dora", "dora"),
        ("whoever|server|name|Eva Maria", "Eva Maria"),
        ("José", "José"),
    ] {
        server.connect().ask(typed, &confirmation(name));
    }
}

#[test]
fn a_taken_name_is_refused_and_closed() {
    with_each_kind(|server, alan| {
        for typed in ["alan", "alan | server | name | alan", "ALAN"] {
            let shown = typed.rsplit("| ").next().unwrap();
            let mut other = server.connect();
            other.ask(
                typed,
                &format!(
                    "server | new_client: {shown} | connection_error | This username is already taken. \
                     You need to connect again and use another one"
                ),
            );
            other.expect_closed();
        }
        alan.expect_nothing_before_an_echo("alan");
    });
}

#[test]
fn a_name_that_looks_like_another_is_refused_with_the_reason_and_closed() {
    for (bearer, typed, why) in [
        ("paul", "раul", "раul has Cyrillic р, а; it looks like paul, who is here"),
        ("раul", "Paul", "Paul looks like раul, who is here and has Cyrillic р, а"),
        ("Paul", "PauI", "PauI looks like Paul, who is here: I looks like l"),
        ("user-1", "user-l", "user-l looks like user-1, who is here: l looks like 1"),
        ("com", "corn", "corn looks like com, who is here: rn looks like m"),
    ] {
        let server = TestServer::start();
        let mut here = server.join(bearer);
        let mut other = server.connect();
        other.ask(
            typed,
            &format!(
                "server | new_client: {typed} | connection_error | {why}. You need to connect again and use another one"
            ),
        );
        other.expect_closed();
        // The name is free once its bearer has left.
        here.ask("/exit", &format!("server | {bearer} | exit | client disconnected"));
        here.expect_closed();
        server.join(typed);
    }
}

#[test]
fn a_name_in_another_form_is_the_same_name_and_simply_taken() {
    let server = TestServer::start();
    let _here = server.join("José");
    for typed in ["JOSÉ", "Ｊｏｓé", "jose\u{301}"] {
        let shown = typed.replace("e\u{301}", "é");
        let mut other = server.connect();
        other.ask(
            typed,
            &format!(
                "server | new_client: {shown} | connection_error | This username is already taken. \
                 You need to connect again and use another one"
            ),
        );
        other.expect_closed();
    }
}

#[test]
fn a_message_for_a_look_alike_is_for_nobody() {
    with_each_kind(|server, alan| {
        let mut paul = server.join("paul");
        for typed in ["раul", "PauI", "pau1"] {
            alan.ask(
                &format!("alan | {typed} | private_message | hi"),
                &format!("server | alan | private_message | Destination client ({typed}) not found!"),
            );
            alan.ask(
                &format!("alan | {typed} | list_files | no data"),
                &format!("server | alan | list_files | Destination client ({typed}) not found!"),
            );
        }
        alan.ask(
            "aІan | alan | echo | hi",
            "server | alan | error_message | SENDER is \"aІan\", but you are alan. Write alan or leave SENDER empty",
        );
        alan.send("alan | PAUL | private_message | hi");
        paul.expect("alan | paul | private_message | hi");
    });
}

#[test]
fn a_client_whose_line_endings_come_late_is_a_line_client_from_then_on() {
    let server = TestServer::start();
    let mut alan = server.join("alan");
    let mut uma = server.connect();
    uma.ending = "";
    uma.send("uma | server | name | uma");
    uma.expect(&confirmation("uma"));
    alan.send("/others one");
    uma.expect("alan | all clients | broadcast_not_me | one");
    // A microcontroller's `println` sends the line ending in a packet of its own. It ends the last message, and the
    // server ends all later messages with it.
    uma.send("\r\n");
    uma.expect("\n");
    uma.ending = "\n";
    alan.send("/others two");
    uma.expect("alan | all clients | broadcast_not_me | two");
    uma.send_bytes(b"uma | uma | echo");
    uma.send_bytes(b" | hi\r\n");
    uma.expect("uma | uma | echo | hi");
}

#[test]
fn an_unframed_client_is_refused_without_a_line_ending() {
    let server = TestServer::start();
    let _alan = server.join("alan");
    let mut other = server.connect();
    other.ending = "";
    other.ask(
        "alan | server | name | alan",
        "server | new_client: alan | connection_error | This username is already taken. You need to connect again and use \
         another one",
    );
    other.expect_closed();
}

#[test]
fn what_is_no_valid_name_is_refused_with_the_reason_and_closed() {
    let server = TestServer::start();
    let long = "x".repeat(33);
    for (typed, quoted, why) in [
        ("server", "server", "The name server is reserved"),
        ("a,b", "a,b", "A name must not hold the character , because it separates fields or names"),
        ("new_client: bob", "new_client: bob", "The name new_client: is reserved"),
        (
            "a\u{202e}b",
            "a\u{fffd}b",
            "A name must not hold control or invisible characters: character 2 is U+202E",
        ),
        (
            "a\u{1b}[2Jb",
            "a\u{fffd}[2Jb",
            "A name must not hold control or invisible characters: character 2 is U+001B",
        ),
        (&long, &format!("{}…", &long[..32]), "A name has at most 32 characters, and this one has 33"),
        ("x | server | name | all clients", "all clients", "The name all clients is reserved"),
        ("ѕerver", "ѕerver", "ѕerver has Cyrillic ѕ; it looks like server, which is reserved"),
        ("c1ient", "c1ient", "c1ient looks like client, which is reserved: 1 looks like l"),
    ] {
        let mut client = server.connect();
        client.ask(
            typed,
            &format!("server | new_client: {quoted} | connection_error | {why}. You need to connect again and use another one"),
        );
        client.expect_closed();
    }
}

#[test]
fn anything_but_a_name_is_refused_with_why_and_closed() {
    let server = TestServer::start();
    for (sent, why) in [
        (
            &b"alan | all clients | broadcast | hi\n"[..],
            "A name is asked for before anything else. Type: bob | server | name | bob, or just: bob",
        ),
        (
            b"/help\n",
            "A name is asked for before anything else. Type: bob | server | name | bob, or just: bob",
        ),
        (
            b"alan | server | name\n",
            "A name was asked for, but DATA is empty. Type: bob | server | name | bob",
        ),
        (
            b"alan | server\n",
            "A name was asked for, but it has 2 of the 4 fields SENDER | DESTINATION | OPERATION | DATA. Type: bob | server | name | bob",
        ),
        (
            b"al\xc3(n\n",
            "A name was asked for, but it is not UTF-8 from byte 3 on. Type: bob | server | name | bob",
        ),
    ] {
        let mut client = server.connect();
        client.send_bytes(sent);
        client.expect(&format!("server | client | connection_error | {why}"));
        client.expect_closed();
    }
}

#[test]
fn echo_comes_back() {
    with_each_kind(|_, alan| {
        alan.ask("alan | alan | echo | hi", "alan | alan | echo | hi");
        alan.ask("alan|whoever|echo|hi | there ", "alan | alan | echo | hi | there ");
        alan.ask(" | | echo | tab\there", "alan | alan | echo | tab\there");
        alan.ask("ALAN | alan | echo | hi", "alan | alan | echo | hi");
    });
}

#[test]
fn a_broadcast_reaches_everyone() {
    with_each_kind(|server, alan| {
        let mut bob = server.join("bob");
        let mut carl = server.join_by_telnet("carl");
        let mut dora = server.join_unframed("dora");
        alan.send("alan | all clients | broadcast | hi");
        for client in [alan, &mut bob, &mut carl, &mut dora] {
            client.expect("alan | all clients | broadcast | hi");
        }
    });
}

#[test]
fn a_broadcast_not_me_reaches_everyone_else() {
    with_each_kind(|server, alan| {
        let mut bob = server.join("bob");
        let mut carl = server.join_by_telnet("carl");
        let mut dora = server.join_unframed("dora");
        alan.send("alan | all clients | broadcast_not_me | hi");
        for client in [&mut bob, &mut carl, &mut dora] {
            client.expect("alan | all clients | broadcast_not_me | hi");
        }
        alan.expect_nothing_before_an_echo("alan");
    });
}

#[test]
fn a_private_message_reaches_one() {
    with_each_kind(|server, alan| {
        let mut bob = server.join("bob");
        let mut carl = server.join("carl");
        alan.send("alan | bob | private_message | hi");
        bob.expect("alan | bob | private_message | hi");
        bob.ask(
            "bob | nobody | private_message | hi",
            "server | bob | private_message | Destination client (nobody) not found!",
        );
        bob.send("bob | ALAN | private_message | hello");
        alan.expect("bob | alan | private_message | hello");
        carl.expect_nothing_before_an_echo("carl");
        alan.expect_nothing_before_an_echo("alan");
    });
}

#[test]
fn clients_are_listed_in_joining_order() {
    with_each_kind(|server, alan| {
        alan.ask(
            "alan | server | list_clients | no data",
            "server | alan | list_clients | clients connected: alan",
        );
        let _zoe = server.join("zoe");
        let _bob = server.join("Bob");
        alan.ask(
            "alan|whoever|list_clients",
            "server | alan | list_clients | clients connected: alan , zoe , Bob",
        );
    });
}

#[test]
fn a_long_list_comes_in_messages_within_the_limit() {
    let server = TestServer::with(|config| config.limits.message_bytes = 80);
    let names = ["ana", "bernardo", "carolina", "daniel", "eva", "fernando"];
    let mut clients: Vec<Client> = names.iter().map(|name| server.join(name)).collect();
    clients[0].send("/list");
    // 51 bytes of header and words leave 29 for names.
    clients[0].expect("server | ana | list_clients | clients connected: ana , bernardo , carolina");
    clients[0].expect("server | ana | list_clients | clients connected: daniel , eva , fernando");
    clients[0].expect_nothing_before_an_echo("ana");
}

#[test]
fn files_are_asked_for_and_answered() {
    with_each_kind(|server, alan| {
        let mut bob = server.join_unframed("bob");
        alan.send("alan | bob | list_files | no data");
        bob.expect("alan | bob | list_files | no data");
        bob.send("bob | alan | list_files | ['File 1', 'File 2', 'File 3']");
        alan.expect("bob | alan | list_files | ['File 1', 'File 2', 'File 3']");
        alan.ask("alan |  | list_files | no data", "server | alan | list_files | Client name not informed!");
        alan.ask(
            "alan | carl | list_files | no data",
            "server | alan | list_files | Destination client (carl) not found!",
        );
    });
}

#[test]
fn exit_says_goodbye_and_frees_the_name() {
    with_each_kind(|server, alan| {
        alan.ask("alan | server | exit | client alan closed", "server | alan | exit | client disconnected");
        alan.expect_closed();
        let mut again = server.join("alan");
        again.ask("/list", "server | alan | list_clients | clients connected: alan");
    });
}

#[test]
fn what_follows_an_exit_is_void() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let mut alan = server.join("alan");
    alan.send_bytes(b"/exit\n/others boo\nalan | bob | private_message | boo\n");
    alan.expect("server | alan | exit | client disconnected");
    alan.expect_closed();
    bob.expect_nothing_before_an_echo("bob");
}

#[test]
fn close_server_tells_everyone_and_ends() {
    for (kind, join) in KINDS {
        eprintln!("alan is a {kind} client");
        let server = TestServer::start();
        let mut alan = join(&server, "alan");
        let mut bob = server.join("bob");
        let mut carl = server.join_by_telnet("carl");
        let mut dora = server.join_unframed("dora");
        alan.send("alan | server | close_server | close server");
        for client in [&mut alan, &mut bob, &mut carl, &mut dora] {
            client.expect("server | all clients | broadcast | server closed");
            client.expect_closed();
        }
        drop((alan, bob, carl, dora));
        assert_eq!(server.ended().unwrap(), Ended::Closed);
    }
}

#[test]
fn close_server_by_someone_who_may_not() {
    let server = TestServer::with(|config| config.close_server.allow = Allow::Nobody);
    let mut alan = server.join("alan");
    alan.ask("/close", "server | alan | error_message | Nobody may close this server by a message");
    alan.expect_nothing_before_an_echo("alan");
}

#[test]
fn an_unknown_operation_is_named() {
    with_each_kind(|_, alan| {
        alan.ask(
            "alan | server | Unknown operation | dance",
            "server | alan | Unknown_operation | Operation (dance) is not supported",
        );
        alan.ask(
            "alan | server | dance | x",
            "server | alan | Unknown_operation | Operation (dance) is not supported",
        );
        let near = match alan.ending {
            "" => "",
            _ => ". Did you mean broadcast? Type: /all hi",
        };
        alan.ask(
            "alan | all clients | brodcast | hi",
            &format!("server | alan | Unknown_operation | Operation (brodcast) is not supported{near}"),
        );
    });
}

#[test]
fn what_cannot_be_seen_or_turns_text_around_is_refused() {
    with_each_kind(|server, alan| {
        let mut bob = server.join("bob");
        for (line, quoted, column, code) in [
            (
                "alan | all clients | broadcast | evil\u{202e}fdp.exe",
                "alan \u{fffd} all clients \u{fffd} broadcast \u{fffd} evil\u{fffd}fd…",
                38,
                "202E",
            ),
            ("/all a\u{2066}b", "/all a\u{fffd}b", 7, "2066"),
            ("/msg bob a\u{200b}b", "/msg bob a\u{fffd}b", 11, "200B"),
            ("/others a\u{2028}b", "/others a\u{fffd}b", 10, "2028"),
            ("/echo pass\u{200d}word", "/echo pass\u{fffd}word", 11, "200D"),
            ("/play bob \u{200f}x.mp3", "/play bob \u{fffd}x.mp3", 11, "200F"),
            ("/all \u{e0041}", "/all \u{fffd}", 6, "E0041"),
            ("/all \u{fff9}x", "/all \u{fffd}x", 6, "FFF9"),
            (
                "alan | b\u{202d}ob | kick | x",
                "alan \u{fffd} b\u{fffd}ob \u{fffd} kick \u{fffd} x",
                9,
                "202D",
            ),
        ] {
            alan.ask(
                line,
                &format!(
                    "server | alan | error_message | \"{quoted}\" is no message: character {column} cannot be seen or turns text \
                     around (U+{code}), and those are refused. Type it again without that character. /help shows all operations"
                ),
            );
        }
        bob.expect_nothing_before_an_echo("bob");
        for text in ["می\u{200c}خواهم", "क्\u{200d}ष", "👩🏽\u{200d}💻 ❤\u{fe0f}", "שלום"]
        {
            alan.ask(&format!("/echo {text}"), &format!("alan | alan | echo | {text}"));
        }
    });
}

#[test]
fn a_line_that_is_no_message_is_explained() {
    with_each_kind(|_, alan| {
        if alan.ending.is_empty() {
            return; // A text with fewer than three | may be a cut message until silence follows it: see the next test.
        }
        alan.ask(
            "hello there",
            "server | alan | error_message | \"hello there\" is no message: it has 1 of the 4 fields SENDER | DESTINATION | \
             OPERATION | DATA. To say it to everyone, type: /all hello there. /help shows all operations",
        );
        alan.ask(
            "brodcast hi",
            "server | alan | error_message | \"brodcast hi\" is no message: it has 1 of the 4 fields SENDER | DESTINATION | \
             OPERATION | DATA. Did you mean broadcast? Type: /all hi. /help shows all operations",
        );
        alan.ask(
            "alan | bob",
            "server | alan | error_message | \"alan \u{fffd} bob\" is no message: it has 2 of the 4 fields SENDER | DESTINATION | \
             OPERATION | DATA. OPERATION is missing at the end. Type: alan | bob | private_message | hi. /help shows all \
             operations",
        );
        alan.ask(
            "alan | bob | echo | \u{1b}[2J",
            "server | alan | error_message | \"alan \u{fffd} bob \u{fffd} echo \u{fffd} \u{fffd}[2J\" is no message: character 21 \
             is a control character (U+001B), and those are refused. Send plain text; a tab is allowed in DATA. /help shows all \
             operations",
        );
    });
}

#[test]
fn an_unframed_clients_nonsense_is_explained_after_silence() {
    let server = TestServer::start();
    let mut alan = server.join_unframed("alan");
    alan.ask(
        "hello",
        "server | alan | error_message | \"hello\" is no message: it has 1 of the 4 fields SENDER | DESTINATION | OPERATION | \
         DATA. To say it to everyone, type: /all hello. /help shows all operations",
    );
}

#[test]
fn a_sender_is_never_believed() {
    with_each_kind(|server, alan| {
        let mut bob = server.join("bob");
        alan.ask(
            "bob | all clients | broadcast | I am bob",
            "server | alan | error_message | SENDER is \"bob\", but you are alan. Write alan or leave SENDER empty",
        );
        bob.expect_nothing_before_an_echo("bob");
    });
}

#[test]
fn short_forms_are_short_for_messages() {
    let server = TestServer::start();
    let mut alan = server.join("alan");
    let mut bob = server.join("bob");
    alan.ask("/all hi", "alan | all clients | broadcast | hi");
    bob.expect("alan | all clients | broadcast | hi");
    alan.send("/others hi");
    bob.expect("alan | all clients | broadcast_not_me | hi");
    alan.send("/msg bob hi you");
    bob.expect("alan | bob | private_message | hi you");
    alan.ask("/list", "server | alan | list_clients | clients connected: alan , bob");
    alan.send("/files bob");
    bob.expect("alan | bob | list_files | no data");
    alan.ask("/echo hi", "alan | alan | echo | hi");
    alan.ask("/al hi", "server | alan | error_message | /al is not known. Did you mean /all? Type: /all hi. /help shows all operations");
    alan.ask("/msg bob", "server | alan | error_message | After /msg the text is missing. Type: /msg bob hi");
    for word in ["close", "exit"] {
        let refusal = format!(
            "server | alan | error_message | Nothing may follow after /{word}. To do it, type /{word} alone"
        );
        alan.ask(&format!("/{word} enough?"), &refusal);
    }
    alan.send("/help");
    for line in [
        "/echo hi: back to yourself (echo)",
        "/all hi: to everyone, you too (broadcast)",
        "/others hi: to everyone but you (broadcast_not_me)",
        "/msg bob hi: to one user; a name with blanks goes in quotes (private_message)",
        "/list: who is connected (list_clients)",
        "/watch: who is connected, and from then on who comes and goes (watch)",
        "/unwatch: end /watch (unwatch)",
        "/tags on: begin each line with its number and time; off ends it (tags)",
        "/files bob: ask a user for the list of files (list_files)",
        "/play ana song.mp3: hear a file that a user has (play)",
        "/streams: what is played, and how many listen (list_streams)",
        "/stop song.mp3: end what you play to others (stop)",
        "/exit: leave (exit)",
        "/close: end the server for everyone (close_server)",
        "/help: this list (help)",
    ] {
        alan.expect(&format!("server | alan | help | {line}"));
    }
    alan.ask("/exit", "server | alan | exit | client disconnected");
    bob.send("/close");
    bob.expect("server | all clients | broadcast | server closed");
}

#[test]
fn lines_at_and_over_the_limit() {
    let server = TestServer::start();
    let mut alan = server.join("alan");
    let fits = format!("alan | alan | echo | {}", "x".repeat(1024 - 21));
    alan.ask(&fits, &fits);
    alan.ask(
        &format!("{fits}x"),
        "server | alan | error_message | Your line was dropped: a message has at most 1024 bytes. Send it in parts",
    );
    alan.ask(
        &format!("/all {}", "x".repeat(1000)),
        "server | alan | error_message | Your message was not sent: written in full it has 1033 bytes, and 1024 is the most. \
         Shorten it by 9",
    );
    alan.ask(&fits, &fits);
}

#[test]
fn every_line_ending_and_a_byte_order_mark() {
    let server = TestServer::start();
    let mut alan = server.connect();
    alan.send_bytes(b"\xef\xbb\xbfalan\r\n\r\n\n/echo one\n/echo two\r\n/echo three\r\0");
    alan.expect(&confirmation("alan"));
    for word in ["one", "two", "three"] {
        alan.expect(&format!("alan | alan | echo | {word}"));
    }
}

#[test]
fn a_last_line_without_an_ending_is_not_carried_out_and_said_so() {
    let server = TestServer::start();
    let mut bob = server.join("bob");
    let mut alan = server.join("alan");
    alan.send_bytes(b"/list\n/others unfinis");
    alan.finish_sending();
    alan.expect("server | alan | list_clients | clients connected: bob , alan");
    alan.expect(
        "server | alan | error_message | Your last line was not sent: it does not end with a newline",
    );
    alan.expect_closed();
    bob.expect_nothing_before_an_echo("bob");
}

#[test]
fn telnet_negotiation_never_reaches_a_message() {
    let server = TestServer::start();
    let mut alan = server.join_by_telnet("alan");
    alan.send_bytes(b"/echo a\xff\xfd\x01b\xff\xfa\x18\x00xterm\xff\xf0c\xff\xfe\x01\xff\xf1d\r\n");
    alan.expect_bytes(b"\xff\xfc\x01");
    alan.expect("alan | alan | echo | abcd");
    alan.send_bytes(b"/echo oops\xff\xf4/echo ax\x08bx\x7fc\xff\xf5\r\0");
    alan.expect("alan | alan | echo | abc");
    alan.send_bytes(b"\xff\xf6");
    alan.expect("server | client | echo | yes");
}

#[test]
fn other_protocols_are_told_in_one_line() {
    const WHY: &str = "server | client | connection_error | This port speaks TR2.23, not HTTP or TLS: connect with netcat or telnet and type a name";
    let server = TestServer::start();
    let tls_hello = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), &[0x5a; 500]].concat();
    for hello in [
        &b"GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &tls_hello,
    ] {
        let mut client = server.connect_silently();
        client.send_bytes(hello);
        client.expect(NAME_REQUEST);
        client.expect(WHY);
        client.expect_closed();
    }
}

#[test]
fn no_name_in_time() {
    let server =
        TestServer::with(|config| config.limits.name_timeout = std::time::Duration::from_millis(100));
    let mut silent = server.connect();
    silent.expect("server | client | connection_error | No name came within 100ms. Connect again and type your name and Enter");
    silent.expect_closed();
}

#[test]
fn a_program_is_told_how_long_messages_may_be() {
    with_each_kind(|_, alan| {
        for line in ["alan | server | limits | no data", "/limits"] {
            alan.ask(line, "server | alan | limits | message_bytes=1024 name_bytes=489 name_chars=32");
        }
    });
    let server = TestServer::with(|config| config.limits.message_bytes = 8192);
    let mut alan = server.join("alan");
    alan.ask("/limits", "server | alan | limits | message_bytes=8192 name_bytes=4073 name_chars=32");
}
