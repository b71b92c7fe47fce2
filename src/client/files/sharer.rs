//! [`Sharer`]: a task that answers whoever asks for the list of files. One question costs up to [`MOST_PARTS`]
//! messages, and a server slows or sends away who sends too many; so answers are paced, and askers cannot make them
//! more.

use std::time::Duration;

use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{Instant, sleep_until},
};

use super::{Folder, Listing, MOST_PARTS, answer};
use crate::{
    client::{pace::Pace, text::MESSAGE_BYTES},
    protocol::Line,
};

/// Questions that were not answered yet.
const MOST_QUESTIONS: usize = 64;
/// How far apart messages are, once [`MOST_PARTS`] were sent: half as many as a server's flood control lets pass, so
/// that the other half is there for what a person says meanwhile.
const INTERVAL: Duration = Duration::from_millis(40);

/// A list that took longer than this to make is given again for a while, because anybody may ask, as often as he
/// likes.
const SOON_MADE: Duration = Duration::from_millis(100);
/// For how many times the time that it took: looking takes a fifth of all time at the most.
const GIVEN_AGAIN: u32 = 4;

/// The most times that a folder is looked at before anybody asks, until all its files are known; each takes some
/// seconds.
const MOST_FIRST_LOOKS: usize = 20;

/// Answers questions, one after another. Dropped, it answers no more.
#[derive(Clone, Debug)]
pub struct Sharer {
    notes: Sender<Note>,
}

/// What the task is told.
#[derive(Debug)]
enum Note {
    Asked(Question),
    /// The server takes messages of at most so many bytes.
    Known(usize),
    /// The server refused a message because it was longer than this many bytes.
    Limit(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    own: String,
    asker: String,
}

/// So many ask that one more cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_QUESTIONS} wait for the list of files already")]
pub struct TooManyAsk;

impl Sharer {
    /// Begins a task that shares this folder, or says that there is none. What is to be sent to the server goes to
    /// `out`, in order; as long as the sharer is there, so is this sender. Whoever asks again while an answer waits
    /// for him gets one answer.
    ///
    /// ```no_run
    /// # use arauto::client::{files::{Folder, Sharer}, link, meaning::Meaning, Received};
    /// # fn example(to_link: tokio::sync::mpsc::Sender<link::Command>, received: Received) -> anyhow::Result<()> {
    /// let sharer = Sharer::begin(Some(Folder::open("Music".as_ref())?), to_link);
    /// match received.meaning() {
    ///     Meaning::FilesWanted { by } => sharer.asked(&received.destination, by)?,
    ///     Meaning::Refusal { why, .. } => sharer.refused(why),
    ///     _ => {}
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn begin<M: From<Line> + Send + 'static>(folder: Option<Folder>, out: Sender<M>) -> Self {
        let (notes, taken) = channel(MOST_QUESTIONS);
        tokio::spawn(run(folder, taken, out));
        Self { notes }
    }

    /// `asker` wants to know what `own` shares. Does not wait.
    ///
    /// # Errors
    /// If too many ask; this one gets no answer.
    pub fn asked(&self, own: &str, asker: &str) -> Result<(), TooManyAsk> {
        let question = Question { own: own.to_owned(), asker: asker.to_owned() };
        self.notes.try_send(Note::Asked(question)).map_err(|_| TooManyAsk)
    }

    /// The server takes messages of at most so many bytes.
    pub fn limited(&self, limit: usize) {
        // Where there is no room, the server says it again when it refuses.
        let _ = self.notes.try_send(Note::Known(limit));
    }

    /// The server refused something, for this reason. If it says that it takes shorter messages than usual, answers
    /// are written in such from now on, and those who were answered last are answered again.
    pub fn refused(&self, why: &str) {
        if let Some(limit) = limit_in(why) {
            // Where there is no room, it is not the only part that is refused.
            let _ = self.notes.try_send(Note::Limit(limit));
        }
    }
}

/// How long messages may be, if the server says that one was longer.
fn limit_in(why: &str) -> Option<usize> {
    let (_, text) = why.split_once("a message has at most ")?;
    text.split_once(" bytes")?.0.parse().ok()
}

async fn run<M: From<Line>>(folder: Option<Folder>, mut notes: Receiver<Note>, out: Sender<M>) {
    let mut shared = Shared { folder, last: None };
    let at_once = u32::try_from(MOST_PARTS).unwrap_or(u32::MAX);
    let mut pace = Pace::new(Instant::now(), at_once, INTERVAL);
    let (mut message_bytes, mut answered) = (MESSAGE_BYTES, Vec::new());
    shared.get_ready(&notes).await;
    while let Some(first) = notes.recv().await {
        let mut asked = Vec::new();
        let waiting = std::iter::from_fn(|| notes.try_recv().ok()).take(MOST_QUESTIONS);
        for note in std::iter::once(first).chain(waiting) {
            match note {
                Note::Asked(question) => asked.push(question),
                Note::Known(limit) => message_bytes = limit,
                Note::Limit(limit) if limit < message_bytes => {
                    message_bytes = limit;
                    asked.append(&mut answered);
                }
                // Each part that was too long is refused.
                Note::Limit(_) => {}
            }
        }
        if asked.is_empty() {
            continue;
        }
        answered.clear();
        let listing = shared.listing().await;
        for question in asked {
            if answered.contains(&question) {
                continue;
            }
            let Question { own, asker } = &question;
            for message in answer(own, asker, listing, message_bytes) {
                sleep_until(pace.next(Instant::now())).await;
                // Whoever sent them is gone.
                let Ok(()) = out.send(message.into()).await else { return };
            }
            answered.push(question);
        }
    }
}

/// What is shared, and the list of it that was made last.
#[derive(Debug)]
struct Shared {
    folder: Option<Folder>,
    /// With the time until which it is given again.
    last: Option<(Listing, Instant)>,
}

impl Shared {
    /// Gets to know the files, so that the first who asks need not wait for that. Ends early if somebody asks.
    async fn get_ready(&mut self, notes: &Receiver<Note>) {
        for _ in 0..MOST_FIRST_LOOKS {
            if !notes.is_empty() || notes.is_closed() {
                return;
            }
            self.last = None;
            self.listing().await;
            if self.folder.as_ref().is_none_or(Folder::is_heard) {
                return;
            }
        }
    }

    async fn listing(&mut self) -> &Listing {
        let begun = Instant::now();
        let listing = match (self.last.take(), self.folder.take()) {
            (Some((listing, until)), folder) if begun < until => {
                self.folder = folder;
                return &self.last.insert((listing, until)).0;
            }
            (_, None) => Listing::no_folder(),
            (_, Some(folder)) => {
                let (folder, listing) = folder.listed().await;
                self.folder = Some(folder);
                listing
            }
        };
        let made = Instant::now();
        &self.last.insert((listing, given_again_until(made, made - begun))).0
    }
}

/// Until when a list is given again that was made now, and took so long.
fn given_again_until(made: Instant, took: Duration) -> Instant {
    if took > SOON_MADE { made + GIVEN_AGAIN * took } else { made }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::mpsc, time::advance};

    use super::{super::audio::tests::wav, *};

    fn sharer(folder: Option<Folder>) -> (Sharer, mpsc::Receiver<Line>) {
        let (out, sent) = channel(1);
        (Sharer::begin(folder, out), sent)
    }

    #[tokio::test(start_paused = true)]
    async fn everyone_is_answered_once() {
        let (sharer, mut sent) = sharer(None);
        for asker in ["rui", "eva", "rui", "rui"] {
            sharer.asked("ana", asker).unwrap();
        }
        for asker in ["rui", "eva"] {
            let message = sent.recv().await.unwrap();
            assert_eq!(message.text(), format!("ana | {asker} | list_files | no folder is shared"));
        }
        drop(sharer);
        assert_eq!(sent.recv().await, None);
    }

    #[test]
    fn a_limit_is_understood() {
        let line =
            crate::protocol::reply::line_too_long(1024, &crate::protocol::Name::parse("ana", 99).unwrap());
        let said = line.text().replace("1024", "300");
        assert_eq!(limit_in(&said), Some(300), "{said}");
        for other in
            ["", "a message has at most ", "a message has at most x bytes", "not sent: 300 is the most"]
        {
            assert_eq!(limit_in(other), None, "{other}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn shorter_messages_where_the_server_wants_them() {
        let dir = tempfile::tempdir().unwrap();
        for at in 0..30 {
            std::fs::write(dir.path().join(format!("{at:02}")), "").unwrap();
        }
        let (sharer, mut sent) = sharer(Some(Folder::open(dir.path()).unwrap()));
        sharer.asked("ana", "rui").unwrap();
        assert!(sent.recv().await.unwrap().message().data.starts_with("30 files: 00 (0 bytes), "));
        sharer.refused("a message has at most 120 bytes");
        // What was refused before that was heard is nothing new, nor is a limit that is not one here.
        sharer.refused("a message has at most 120 bytes");
        sharer.refused("a message has at most 2000 bytes");
        sharer.refused("something else");
        sharer.asked("ana", "eva").unwrap();
        for asker in ["rui", "eva"] {
            let mut next = 0;
            while next < 30 {
                let line = sent.recv().await.unwrap();
                assert!(line.text().len() <= 120, "{line:?}");
                let message = line.message();
                assert_eq!(message.destination, asker);
                let part = super::super::Part::parse(message.data).unwrap();
                assert_eq!((part.first, part.of), (next + 1, 30));
                next = part.last();
            }
        }
        drop(sharer);
        assert_eq!(sent.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_are_told() {
        let (sharer, _sent) = sharer(None);
        for asker in 0..MOST_QUESTIONS {
            sharer.asked("ana", &asker.to_string()).unwrap();
        }
        assert_eq!(sharer.asked("ana", "one more"), Err(TooManyAsk));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_questions_makes_no_flood_of_answers() {
        let (sharer, mut sent) = sharer(None);
        let start = Instant::now();
        for asker in 0..MOST_PARTS + 25 {
            sharer.asked("ana", &asker.to_string()).unwrap();
            sent.recv().await.unwrap();
        }
        assert_eq!(start.elapsed(), 25 * INTERVAL);
        advance(Duration::from_mins(1)).await;
        sharer.asked("ana", "eva").unwrap();
        sent.recv().await.unwrap();
    }

    #[tokio::test]
    async fn each_answer_is_fresh() {
        let dir = tempfile::tempdir().unwrap();
        let (sharer, mut sent) = sharer(Some(Folder::open(dir.path()).unwrap()));
        let end = Instant::now() + Duration::from_secs(20);
        for expected in ["no files are shared", "1 file: a.txt (2 bytes)"] {
            // Where a disk is slow, not at once.
            let mut told = String::new();
            while told != expected && Instant::now() < end {
                sharer.asked("ana", "rui").unwrap();
                told = sent.recv().await.unwrap().message().data.to_owned();
            }
            assert_eq!(told, expected);
            std::fs::write(dir.path().join("a.txt"), "hi").unwrap();
        }
    }

    #[tokio::test]
    async fn all_is_known_before_anybody_asks() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.wav"), wav(8000, 8000)).unwrap();
        let folder = Some(Folder::open(dir.path()).unwrap());
        let (mut shared, (told, notes)) = (Shared { folder, last: None }, channel(1));
        told.send(Note::Limit(9)).await.unwrap();
        shared.get_ready(&notes).await;
        assert!(shared.last.is_none(), "somebody asked first");
        let (_told, notes) = channel(1);
        shared.get_ready(&notes).await;
        assert_eq!(shared.last.unwrap().0.entries[0].seconds, Some(1));
    }

    #[test]
    fn what_took_long_is_given_again() {
        let (now, ms) = (Instant::now(), Duration::from_millis);
        assert_eq!(given_again_until(now, ms(100)), now);
        assert_eq!(given_again_until(now, ms(101)), now + ms(404));
    }

    #[tokio::test]
    async fn given_again_as_long_as_it_may() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.txt"), "hi").unwrap();
        let folder = Some(Folder::open(dir.path()).unwrap());
        let before = Listing::default();
        let mut shared = Shared { folder, last: Some((before.clone(), Instant::now() + INTERVAL * 50_000)) };
        assert_eq!(*shared.listing().await, before);
        assert_eq!(*shared.listing().await, before);
        shared.last = Some((before, Instant::now()));
        assert_eq!(shared.listing().await.entries.len(), 1);
    }
}
