//! Tests of shared files through a real server: the lists of a client as other clients read them.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::symlink,
    },
    path::Path,
    sync::mpsc,
    thread::JoinHandle,
};

use arauto_protocol::{Line, Message, message::NO_DATA};

use arauto_client::{
    Target,
    decoder::Item,
    dial::Dialer,
    files::{Assembled, Assembly, Folder, Part, Sharer},
    link::{self, Event, Link},
    meaning::Meaning,
};
use tempfile::tempdir;
use tokio::{runtime::Builder, sync::oneshot, time::timeout};

use crate::harness::{DEADLINE, TestServer, wait_until};

/// A client that answers requests for its list of files until it is dropped.
struct Sharing {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sharing {
    /// Returns once the client has joined.
    fn begin(server: &TestServer, name: &str, dir: Option<&Path>) -> Self {
        let folder = dir.map(|dir| Folder::open(dir).unwrap());
        let (dialer, name) = (dialer(server), name.to_owned());
        let (stop, mut stopped) = oneshot::channel();
        let (joined, is_joined) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            run(async move {
                let (to_link, mut events) = Link::spawn(dialer, &name);
                let sharer = Sharer::spawn(folder, to_link);
                loop {
                    let event = tokio::select! {
                        event = events.recv() => event.unwrap(),
                        _ = &mut stopped => return,
                    };
                    match event {
                        Event::Joined { name, .. } => joined.send(name).unwrap(),
                        Event::Received(Item::Message(message)) => match message.meaning() {
                            Meaning::FilesWanted { by } => sharer.asked(&message.destination, by).unwrap(),
                            Meaning::Refusal { why, .. } => sharer.refused(why),
                            _ => {}
                        },
                        Event::Connecting | Event::MessageBytes(_) | Event::Received(_) => {}
                        other => panic!("{other:?}"),
                    }
                }
            });
        });
        is_joined.recv_timeout(DEADLINE).unwrap();
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            thread.join().unwrap();
        }
    }
}

fn dialer(server: &TestServer) -> Dialer {
    Dialer::new(Target { host: "127.0.0.1".to_owned(), port: server.address().port() }.into())
}

fn run<T>(what: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
}

/// Joins and asks each of `sharers` for its files. Returns the result of each message of their answers, in order, until
/// all answers are complete.
fn ask(server: &TestServer, name: &str, sharers: &[&str]) -> Vec<(String, Assembled)> {
    run(async {
        let (to_link, mut events) = Link::spawn(dialer(server), name);
        let (mut assembly, mut answers, mut unanswered) = (Assembly::default(), Vec::new(), sharers.len());
        while unanswered > 0 {
            match timeout(DEADLINE, events.recv()).await.unwrap().unwrap() {
                Event::Joined { .. } => {
                    for sharer in sharers {
                        let question = Message {
                            sender: name,
                            destination: sharer,
                            operation: "list_files",
                            data: NO_DATA,
                        };
                        let question = Line::new(&question).unwrap();
                        to_link.send(link::Command::Send(question)).await.unwrap();
                    }
                }
                Event::Received(Item::Message(message)) => {
                    let Meaning::Files { of, text } = message.meaning() else { panic!("{message:?}") };
                    let now = std::time::Instant::now();
                    let assembled = assembly.take(of, text, now);
                    let whole = matches!(assembled, Assembled::Complete(_) | Assembled::FreeText);
                    unanswered -= usize::from(whole);
                    answers.extend(assembly.given_up(now));
                    answers.push((of.to_owned(), assembled));
                }
                Event::Connecting | Event::MessageBytes(_) => {}
                other => panic!("{other:?}"),
            }
        }
        answers
    })
}

/// Returns the files of the last result for client `of`, as names and sizes.
fn files(answers: &[(String, Assembled)], of: &str) -> Vec<(OsString, u64)> {
    match &answers.iter().rfind(|(sharer, _)| sharer == of).unwrap().1 {
        Assembled::Complete(listing) => {
            assert_eq!(listing.left_out, arauto_client::files::LeftOut::default());
            listing.entries.iter().map(|entry| (entry.name.clone(), entry.bytes)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Makes files whose names hold all bytes that a name can hold, and texts that have a meaning in a list. Each file has
/// as many bytes as its name.
fn hostile_files(dir: &Path) -> Vec<(OsString, u64)> {
    let mut names: Vec<Vec<u8>> = (1..=255)
        .filter(|byte| *byte != b'/')
        .map(|byte| [b"byte ", &[byte][..], b" in it"].concat())
        .collect();
    let texts = [
        "a, b (1 byte)",
        "; 3 files are not listed",
        "2 files: ",
        "a | b | list_files | no data",
        "no data",
        " ",
        "\u{1b}]0;title\u{7}",
        "\u{202e}gpj.exe",
        "\u{301}",
        "\"\\\"",
        "音楽/曲\n.mp3",
        "deep/er/still/x",
    ];
    names.extend(texts.map(|text| text.as_bytes().to_vec()));
    names.push([&[b'n'; 200][..], b"\xff"].concat());
    names.push(vec![0x1b; 120]);
    for name in &names {
        let path = dir.join(OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    names.into_iter().map(|name| (OsString::from_vec(name.clone()), name.len() as u64)).collect()
}

#[test]
fn a_long_list_of_hostile_names_is_put_together_again_byte_for_byte() {
    let (server, dir) = (TestServer::start(), tempdir().unwrap());
    let mut expected = hostile_files(dir.path());
    let _ana = Sharing::begin(&server, "ana", Some(dir.path()));
    let answers = ask(&server, "rui", &["ana"]);
    assert!(answers.len() > 8, "{} messages", answers.len());
    assert!(answers[..answers.len() - 1].iter().all(|(_, part)| *part == Assembled::More));
    let mut read = files(&answers, "ana");
    read.sort();
    expected.sort();
    assert_eq!(read, expected);
}

#[test]
fn lists_of_several_do_not_mix() {
    let server = TestServer::start();
    let sharers = ["ana", "bea", "carla"];
    let dirs = sharers.map(|name| {
        let dir = tempdir().unwrap();
        (0..300).for_each(|at| fs::write(dir.path().join(format!("{name} {at:03}")), name).unwrap());
        dir
    });
    let _sharing: Vec<_> = sharers
        .iter()
        .zip(&dirs)
        .map(|(name, dir)| Sharing::begin(&server, name, Some(dir.path())))
        .collect();
    let answers = ask(&server, "rui", &sharers);
    for name in sharers {
        let expected: Vec<_> =
            (0..300).map(|at| (format!("{name} {at:03}").into(), name.len() as u64)).collect();
        assert_eq!(files(&answers, name), expected);
    }
}

#[test]
fn where_messages_are_shorter_so_are_parts() {
    let (server, dir) = (TestServer::with(|config| config.limits.message_bytes = 200), tempdir().unwrap());
    (0..100).for_each(|at| fs::write(dir.path().join(format!("{at:03}")), "").unwrap());
    let _ana = Sharing::begin(&server, "ana", Some(dir.path()));
    let expected: Vec<_> = (0..100).map(|at| (format!("{at:03}").into(), 0)).collect();
    assert_eq!(files(&ask(&server, "rui", &["ana"]), "ana"), expected);
    // The sharer knows the limit now, so the first list already comes in parts that fit.
    let answers = ask(&server, "eva", &["ana"]);
    assert!(answers[..answers.len() - 1].iter().all(|(_, part)| *part == Assembled::More));
    assert_eq!(files(&answers, "ana"), expected);
}

#[test]
fn a_person_with_netcat_reads_it_and_sees_changes() {
    let (server, dir) = (TestServer::start(), tempdir().unwrap());
    let (outside, path) = (tempdir().unwrap(), |name: &str| dir.path().join(name));
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let _ana = Sharing::begin(&server, "ana", Some(dir.path()));
    let mut rui = server.join("rui");
    // On a slow disk the old list is sent for a moment longer.
    let mut expect = |list: &str| {
        wait_until(list, || {
            rui.send("/files ana");
            rui.line() == format!("ana | rui | list_files | {list}")
        });
    };
    expect("no files are shared");
    fs::write(path("notes.txt"), "hello").unwrap();
    fs::write(path(".hidden"), "").unwrap();
    fs::write(path("song.wav"), wav(90)).unwrap();
    symlink(outside.path(), path("out")).unwrap();
    expect("2 files: notes.txt (5 bytes), song.wav (720044 bytes, 1:30, audio/wav)");
    fs::write(path("song.wav"), wav(5)).unwrap();
    fs::rename(path("notes.txt"), path("a | b.txt")).unwrap();
    expect(r#"2 files: "a | b.txt" (5 bytes), song.wav (40044 bytes, 0:05, audio/wav)"#);
    fs::remove_file(path("song.wav")).unwrap();
    fs::remove_file(path("a | b.txt")).unwrap();
    expect("no files are shared");
}

#[test]
fn without_a_folder_that_is_said() {
    let server = TestServer::start();
    let _ana = Sharing::begin(&server, "ana", None);
    server.join("rui").ask("/files ana", "ana | rui | list_files | no folder is shared");
}

#[test]
fn the_words_of_another_client_are_no_list() {
    let server = TestServer::start();
    let mut ana = server.join("ana");
    let answers = std::thread::scope(|scope| {
        let rui = scope.spawn(|| ask(&server, "rui", &["ana"]));
        ana.ask("", "rui | ana | list_files | no data");
        ana.send("ana | rui | list_files | ['File 1', 'File 2', 'File 3']");
        rui.join().unwrap()
    });
    assert_eq!(answers, [("ana".to_owned(), Assembled::FreeText)]);
}

#[test]
fn the_documents_examples_are_lists() {
    let document = include_str!("../docs/protocol.md");
    let (_, section) = document.split_once("## Lists of files [Arauto]").unwrap();
    let (_, examples) = section.split_once("```\n").unwrap();
    let (examples, _) = examples.split_once("\n```").unwrap();
    assert_eq!(examples.lines().count(), 4);
    for example in examples.lines() {
        let read = Part::parse(example).unwrap_or_else(|| panic!("{example}"));
        assert_eq!(read.listing.texts(1000), [example]);
    }
}

/// Makes a WAV file with this many seconds of silence: 8 kHz, one channel, 8 bits a sample.
fn wav(seconds: u32) -> Vec<u8> {
    let samples = 8000 * seconds;
    let mut bytes = [&b"RIFF"[..], &(36 + samples).to_le_bytes(), b"WAVEfmt \x10\0\0\0\x01\0\x01\0"].concat();
    bytes.extend([8000_u32.to_le_bytes(), 8000_u32.to_le_bytes()].concat());
    bytes.extend([&b"\x01\0\x08\0data"[..], &samples.to_le_bytes()].concat());
    bytes.resize(bytes.len() + samples as usize, 128);
    bytes
}
