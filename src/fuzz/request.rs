//! Requests from lines: each answer is a single message, within the limit, and safe for a terminal.

use arauto_protocol::{
    Asker, Kind, Line, Message, Moderation, Name, Request, name, reply, request::introduction,
};

use super::{Run, Target, choice, is_harmless};

pub(super) const TARGET: Target = Target {
    name: "request",
    start: || -> Run {
        let names = ["alan", "/all", "José", "名前", &"ж".repeat(32), &"x".repeat(32)]
            .map(|text| Name::parse(text, name::max_bytes(LIMITS[0])).expect("a valid name"));
        Box::new(move |bytes| judge(&names, bytes))
    },
    choices: 4,
    is_text: true,
    words: &[
        b" | ",
        b"|",
        b"alan",
        b"ALAN",
        b"bob",
        b"server",
        b"all clients",
        b"echo",
        b"broadcast",
        b"broadcast_not_me",
        b"private_message",
        b"list_clients",
        b"list_files",
        b"exit",
        b"close_server",
        b"Unknown operation",
        b"name",
        b"no data",
        b"brodcast",
        b"/msg \"Ana Maria\" hi",
        b"/msg ",
        b"/all ",
        b"/others",
        b"/files \"",
        b"/help",
        b"/kick ",
        b"/ban ",
        b"192.0.2.7/24 1h ",
        b"2001:db8::/48 ",
        b"/unban ",
        b"password",
        b"/",
        b"\"",
        b" ",
        b"\t",
        b"\x1b[2J",
        "\u{202e}".as_bytes(),
        "\u{9b}".as_bytes(),
        "е".as_bytes(),
        "Ｅ".as_bytes(),
        b"alan | bob | private_message | ",
        b" | all clients | broadcast | ",
        b"||broadcast_not_me|",
        b"|bob|list_files",
        b"|server|list_clients|no data",
        b"/msg bob ",
        b"/others ",
        b"/echo ",
        b"/list",
        b"/play ",
        b"/play \"Ana Maria\" song.mp3",
        b"|ana|play|cannot: ",
        b"/streams",
        b"/stop song.mp3",
        b"publish",
        b"/exit",
        b"/close",
        b"|server|limits",
        b"alan | server | name | alan",
    ],
};

/// Below about 350 bytes, the texts that TR2.23 fixes can exceed the limit, because they are never cut.
const LIMITS: [usize; 3] = [350, 1024, 65_536];

fn judge(names: &[Name], bytes: &[u8]) {
    let ([name, other, limit, kind], line) = choice(bytes);
    let pick = |which: u8| &names[usize::from(which) % names.len()];
    let (name, other) = (pick(name), pick(other));
    let limit = LIMITS[usize::from(limit) % LIMITS.len()];
    let kind = [Kind::Line, Kind::Telnet, Kind::Unframed][usize::from(kind % 3)];
    // A frame is never longer than the limit.
    let line = &line[..line.len().min(limit)];

    match Request::read(line, &Asker { name, kind, limit }) {
        Request::Refuse(_, line) => check(&line, limit, &["server"]),
        // An echo, or the limits.
        Request::Answer(line) => check(&line, limit, &[name.as_str(), "server"]),
        Request::Broadcast(line) | Request::BroadcastNotMe(line) => check(&line, limit, &[name.as_str()]),
        Request::Direct(direct) => {
            match direct.forwarded(limit, name, other) {
                Ok(line) => check(&line, limit, &[name.as_str()]),
                Err(refusal) => check(&refusal, limit, &["server"]),
            }
            let nobody = reply::not_found(limit, name, direct.operation, &direct.typed);
            check(&nobody, limit, &["server"]);
        }
        Request::Moderate(moderation) => judge_moderation(&moderation, name, other, limit),
        Request::Play(asked) => {
            let nobody = reply::not_found(limit, name, asked.operation, &asked.typed);
            check(&nobody, limit, &["server"]);
            check(&reply::not_played(limit, name, &asked.data), limit, &["server"]);
        }
        Request::Stop { what, .. } => check(&reply::not_on(limit, name, &what.data), limit, &["server"]),
        Request::ListStreams
        | Request::ListClients
        | Request::Watch
        | Request::Unwatch
        | Request::Tags(_)
        | Request::Help { .. }
        | Request::Exit
        | Request::CloseServer => {}
    }
    match introduction(line, limit) {
        Ok(name) => assert!(is_harmless(name.as_str())),
        Err((_, refusal)) => check(&refusal, limit, &["server"]),
    }
}

/// Checks the replies to the clients that the moderation concerns.
fn judge_moderation(moderation: &Moderation, by: &Name, other: &Name, limit: usize) {
    let check = |line: &Line| check(line, limit, &["server"]);
    match moderation {
        Moderation::Kick { reason, .. } => check(&reply::kicked(limit, other, by.as_str(), reason)),
        Moderation::Ban { target, span, reason } => {
            check(&reply::banned(limit, other, by.as_str(), *span, reason));
            check(&reply::would_ban_yourself(limit, by, target));
            let terms = reply::terms(None, by.as_str(), reason);
            check(&reply::name_banned(limit, other, &terms));
            check(&reply::address_banned(limit, &terms));
            check(&reply::moderated(limit, by, moderation.operation(), &format!("{target} {terms}")));
        }
        Moderation::Unban(target) => check(&reply::not_banned(limit, by, target, Some(target))),
        Moderation::ListBans => {}
    }
    check(&reply::only_operators(limit, other, moderation.operation()));
}

fn check(line: &Line, limit: usize, senders: &[&str]) {
    let text = line.text();
    assert!(text.len() <= limit, "{} bytes: {text}", text.len());
    assert!(is_harmless(text), "{text:?}");
    assert!(line.as_bytes().ends_with(b"\n"), "{text:?}");
    let message = Message::parse(text).expect("a message");
    assert!(senders.contains(&message.sender), "{text}");
    assert!(!message.operation.is_empty(), "{text}");
}
