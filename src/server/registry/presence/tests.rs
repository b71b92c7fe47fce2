use super::*;

const LIMIT: usize = 1024;

fn session(id: u64) -> SessionRef {
    SessionRef { id: SessionId(id), courier: 0, slot: 0 }
}

fn name(text: &str) -> Name {
    Name::parse(text, 489).unwrap()
}

/// Texts for each watcher, by its ID: those behind `server | all clients | `, or `list`.
fn told(presence: &mut Presence, state: impl Fn(SessionId) -> WatcherState) -> Vec<(u64, Vec<String>)> {
    let texts = |lines: &[Line]| -> Vec<String> {
        let text = |line: &Line| line.text().strip_prefix("server | all clients | ").unwrap().to_owned();
        lines.iter().map(text).collect()
    };
    let mut told: Vec<(u64, Vec<String>)> = presence
        .take(LIMIT, state)
        .into_iter()
        .map(|(watcher, news)| match news {
            News::Changes(lines) => (watcher.id.0, texts(&lines)),
            News::List => (watcher.id.0, vec!["list".to_owned()]),
        })
        .collect();
    told.sort();
    told
}

fn ready(_: SessionId) -> WatcherState {
    WatcherState::Ready
}

#[test]
fn changes_are_gathered_and_a_visit_in_between_is_left_out() {
    let mut presence = Presence::default();
    presence.watch(session(1));
    for visitor in ["bob", "carla"] {
        presence.joined(&name(visitor));
    }
    presence.left(&name("bob"));
    presence.left(&name("dora"));
    presence.joined(&name("eva"));
    assert!(presence.begins_to_gather());
    assert_eq!(
        told(&mut presence, ready),
        [(1, vec!["left | dora".to_owned(), "joined | carla , eva".to_owned()])]
    );
    assert!(!presence.begins_to_gather());
    assert_eq!(told(&mut presence, ready), []);
}

#[test]
fn a_name_that_went_to_another_session_is_told_as_both() {
    let mut presence = Presence::default();
    presence.watch(session(1));
    presence.left(&name("bob"));
    presence.joined(&name("BOB"));
    assert_eq!(told(&mut presence, ready), [(1, vec!["left | bob".to_owned(), "joined | BOB".to_owned()])]);
}

#[test]
fn a_watcher_is_told_only_what_its_list_does_not_hold() {
    let mut presence = Presence::default();
    presence.watch(session(1));
    presence.joined(&name("bob"));
    presence.watch(session(2));
    presence.left(&name("bob"));
    presence.joined(&name("carla"));
    presence.watch(session(3));
    assert_eq!(
        told(&mut presence, ready),
        [
            (1, vec!["joined | carla".to_owned()]),
            (2, vec!["left | bob".to_owned(), "joined | carla".to_owned()]),
        ]
    );
    presence.left(&name("carla"));
    let left = || vec!["left | carla".to_owned()];
    assert_eq!(told(&mut presence, ready), [(1, left()), (2, left()), (3, left())]);
}

#[test]
fn a_full_watcher_gets_a_list_in_place_of_what_it_missed_and_delays_nobody() {
    let mut presence = Presence::default();
    presence.watch(session(1));
    presence.watch(session(2));
    let first_is_full = |id| if id == SessionId(1) { WatcherState::Full } else { WatcherState::Ready };
    presence.joined(&name("bob"));
    assert_eq!(told(&mut presence, first_is_full), [(2, vec!["joined | bob".to_owned()])]);
    assert!(presence.begins_to_gather(), "the first has missed something");
    presence.left(&name("bob"));
    assert_eq!(told(&mut presence, first_is_full), [(2, vec!["left | bob".to_owned()])]);
    presence.joined(&name("carla"));
    assert_eq!(
        told(&mut presence, ready),
        [(1, vec!["list".to_owned()]), (2, vec!["joined | carla".to_owned()])]
    );
    assert!(!presence.begins_to_gather());
}

#[test]
fn nothing_is_kept_without_watchers_and_sessions_that_are_gone_are_none() {
    let mut presence = Presence::default();
    presence.joined(&name("bob"));
    assert!(!presence.begins_to_gather());
    presence.watch(session(1));
    presence.watch(session(2));
    presence.unwatch(SessionId(2));
    presence.left(&name("bob"));
    assert_eq!(told(&mut presence, |_| WatcherState::Gone), []);
    presence.joined(&name("bob"));
    assert!(!presence.begins_to_gather());
}
