use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1024;

fn name(text: &str) -> Name {
    Name::parse(text, name::max_bytes(LIMIT)).unwrap()
}

fn read(line: &str) -> Request {
    Request::read(line.as_bytes(), &Asker { name: &name("alan"), kind: Kind::Line, limit: LIMIT })
}

fn line(sender: &str, destination: &str, operation: &str, data: &str) -> Line {
    Line::lossy(&Message { sender, destination, operation, data })
}

fn direct(operation: Operation, typed: &str, data: &str) -> Direct {
    Direct { operation, to: NameKey::of(typed), typed: typed.into(), data: CheckedData::lossy(data) }
}

#[test]
fn a_message_and_its_short_form_ask_for_the_same() {
    for (whole, short, asked) in [
        ("alan | alan | echo | hi", "/echo hi", Request::Answer(line("alan", "alan", "echo", "hi"))),
        (
            "alan | all clients | broadcast | hi",
            "/all hi",
            Request::Broadcast(line("alan", "all clients", "broadcast", "hi")),
        ),
        (
            "alan | all clients | broadcast_not_me | hi",
            "/others hi",
            Request::BroadcastNotMe(line("alan", "all clients", "broadcast_not_me", "hi")),
        ),
        (
            "alan | bob | private_message | hi",
            "/msg bob hi",
            Request::Direct(direct(Operation::PrivateMessage, "bob", "hi")),
        ),
        ("alan | server | list_clients", "/list", Request::ListClients),
        ("alan | server | watch", "/watch", Request::Watch),
        ("alan | server | unwatch", "/unwatch", Request::Unwatch),
        ("alan | server | tags | on", "/tags on", Request::Tags(true)),
        ("alan | server | tags | off", "/tags off", Request::Tags(false)),
        (
            "alan | Ana Maria | list_files | no data",
            "/files Ana Maria",
            Request::Direct(direct(Operation::ListFiles, "Ana Maria", "no data")),
        ),
        (
            "alan | Ana Maria | play | a song.mp3",
            "/play \"Ana Maria\" a song.mp3",
            Request::Play(direct(Operation::Play, "Ana Maria", "a song.mp3")),
        ),
        ("alan | server | list_streams", "/streams", Request::ListStreams),
        (
            "alan | | stop | a song.mp3",
            "/stop a song.mp3",
            Request::Stop { what: direct(Operation::Stop, "", "a song.mp3"), by_operator: false },
        ),
        ("alan | server | exit | client alan closed", "/exit", Request::Exit),
        ("alan | server | close_server | close server", "/close", Request::CloseServer),
        ("alan | server | help | no data", "/help", Request::Help { for_operator: false }),
    ] {
        assert_eq!(read(whole), asked, "{whole}");
        assert_eq!(read(short), asked, "{short}");
    }
}

#[test]
fn the_server_decides_destination_and_sender() {
    let broadcast = Request::Broadcast(line("alan", "all clients", "broadcast", "hi"));
    for written in [
        "alan | bob | broadcast | hi",
        " || broadcast | hi",
        "ALAN|x|broadcast|hi",
        "ａｌａｎ | x | broadcast | hi",
    ] {
        assert_eq!(read(written), broadcast, "{written}");
    }
}

#[test]
fn someone_whose_name_begins_with_a_slash_can_still_speak() {
    let bearer = name("/x");
    let asker = Asker { name: &bearer, kind: Kind::Line, limit: LIMIT };
    assert_eq!(
        Request::read(b"/x | all clients | broadcast | hi", &asker),
        Request::Broadcast(line("/x", "all clients", "broadcast", "hi"))
    );
    assert_eq!(Request::read(b"/list", &asker), Request::ListClients);
}

#[test]
fn a_message_of_someone_named_as_a_short_form_is_no_short_form() {
    for shown in ["/all", "/all hands", "/close", "/exit", "/list", "/MSG rui", "/msg"] {
        let bearer = name(shown);
        let asker = Asker { name: &bearer, kind: Kind::Unframed, limit: LIMIT };
        let private = format!("{} | bob | private_message | hi", shown.to_lowercase());
        let read = Request::read(private.as_bytes(), &asker);
        assert!(
            matches!(&read, Request::Direct(direct) if &*direct.typed == "bob" && &*direct.data == "hi"),
            "{shown}: {read:?}"
        );
        let limits = format!("{shown} | server | limits | no data");
        assert!(matches!(Request::read(limits.as_bytes(), &asker), Request::Answer(_)), "{shown}");
        // What they type by hand are short forms, as everybody's.
        assert!(matches!(Request::read(b"/all a | b", &asker), Request::Broadcast(_)), "{shown}");
        assert_eq!(Request::read(b"/close", &asker), Request::CloseServer, "{shown}");
    }
}

#[test]
fn what_would_pass_the_limit_written_out_is_refused() {
    let fits = "x".repeat(LIMIT - "alan | all clients | broadcast | ".len());
    assert_eq!(
        read(&format!("/all {fits}")),
        Request::Broadcast(line("alan", "all clients", "broadcast", &fits))
    );
    assert_eq!(
        read(&format!("/all {fits}x")),
        Request::Refuse(Refusal::TooLong, reply::message_too_long(LIMIT, &name("alan"), LIMIT + 1))
    );
}

#[test]
fn an_introduction_is_a_name_message_or_a_name() {
    for (answer, shown) in
        [("alan", "alan"), ("x | y | name | alan", "alan"), ("|||alan", ""), ("a|b|name|José", "José")]
    {
        let read = introduction(answer.as_bytes(), LIMIT);
        assert_eq!(read.ok().map(|name| name.as_str().to_owned()).unwrap_or_default(), shown, "{answer}");
    }
}

#[test]
fn a_file_is_asked_for_unless_it_is_said_why_there_is_none() {
    for (data, why) in [
        ("cannot: no such file", Some("no such file")),
        ("cannot:no such file", Some("no such file")),
        ("cannot:", Some("")),
        ("cannot stop.mp3", None),
        ("Cannot: x", None),
        (" cannot: x", None),
    ] {
        let Request::Play(asked) = read(&format!("alan|bob|play|{data}").replace("| cannot", "|  cannot"))
        else {
            panic!("{data}")
        };
        assert_eq!(asked.cannot(), why, "{data}");
    }
}

#[test]
fn what_is_missing_and_what_only_the_server_says() {
    let refused = |line: &str| match read(line) {
        Request::Refuse(why, line) => (why, line.text().splitn(4, " | ").last().unwrap().to_owned()),
        request => panic!("{request:?}"),
    };
    for (line, why, words) in [
        (
            "alan | | play | song.mp3",
            Refusal::Incomplete,
            "DESTINATION is missing: who has the file? Type: /play ana song.mp3",
        ),
        ("alan | ana | play", Refusal::Incomplete, "DATA is missing: which file? Type: /play ana song.mp3"),
        (
            "alan | ana | play | ",
            Refusal::Incomplete,
            "DATA is missing: which file? Type: /play ana song.mp3",
        ),
        ("alan | server | stop", Refusal::Incomplete, "DATA is missing: which file? Type: /stop song.mp3"),
        ("/play ana", Refusal::Incomplete, "After /play a file is missing. Type: /play ana song.mp3"),
        ("/close bob", Refusal::Incomplete, "Nothing may follow after /close. To do it, type /close alone"),
        (
            "alan | bob | publish | rtsp://h/7f3a?key=0 song.mp3",
            Refusal::NotAllowed,
            "Only the server says publish. Whoever wants to hear a file types: /play ana song.mp3",
        ),
        (
            "/publish song.mp3",
            Refusal::NotAllowed,
            "Only the server says publish. Whoever wants to hear a file types: /play ana song.mp3",
        ),
    ] {
        assert_eq!(refused(line), (why, words.to_owned()), "{line}");
    }
}

#[test]
fn what_is_asked_for_has_the_name_of_its_operation() {
    for operation in Operation::for_people() {
        assert_eq!(read(operation.typed()).operation(), Some(operation), "{}", operation.typed());
    }
    assert_eq!(read("/dance").operation(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_bytes_are_judged_and_answered_in_one_line_within_the_limit(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "\\PC{0,200}".prop_map(String::into_bytes),
            "[ |/a-z]{0,60}".prop_map(String::into_bytes),
            "(alan)?( )?\\|( )?(bob|server)?( )?\\|( )?(echo|exit|name|brodcast|private_message|list_files)?( )?(\\|\\PC{0,900})?"
                .prop_map(String::into_bytes),
        ],
        kind in prop::sample::select(vec![Kind::Line, Kind::Telnet, Kind::Unframed]),
    ) {
        let bearer = name("alan");
        let answer = match Request::read(&bytes, &Asker { name: &bearer, kind, limit: LIMIT }) {
            Request::Answer(line) | Request::Refuse(_, line) | Request::Broadcast(line) | Request::BroadcastNotMe(line) => Some(line),
            _ => None,
        };
        for line in answer.into_iter().chain(introduction(&bytes, LIMIT).err().map(|(_, line)| line)) {
            prop_assert!(line.text().len() <= LIMIT);
            prop_assert!(!line.text().chars().any(|c| c.is_control() && c != '\t'), "{}", line.text());
            let message = Message::parse(line.text());
            prop_assert!(message.is_ok(), "{}", line.text());
            prop_assert!(!message.unwrap().operation.is_empty());
        }
    }
}
