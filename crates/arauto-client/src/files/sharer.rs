//! [`Sharer`]: a task that answers requests for the list of files. A request costs up to [`MAX_PARTS`] messages, and
//! a server throttles or disconnects a client that sends too many. Therefore answers are rate-limited, and no number
//! of requests raises the rate.

use std::time::Duration;

use arauto_protocol::Line;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{Instant, sleep_until},
};

use super::{Folder, Listing, MAX_PARTS, answer};
use crate::{rate_limit::RateLimit, text::MESSAGE_BYTES};

/// Capacity of the channel of requests and notes.
const MAX_QUESTIONS: usize = 64;
/// Interval between messages, once [`MAX_PARTS`] were sent in a burst. This is half the rate that a server's flood
/// control allows; the other half is left for what the user says meanwhile.
const MESSAGE_INTERVAL: Duration = Duration::from_millis(40);

/// A list that took longer than this to make is reused for a while, because any user may ask, any number of times.
const SOON_MADE: Duration = Duration::from_millis(100);
/// Factor of the time that such a list took, for which it is reused. Listing thus takes at most a fifth of all time.
const GIVEN_AGAIN: u32 = 4;

/// Maximum number of times that the folder is listed before the first request, until all its files are examined. Each
/// takes some seconds.
const MAX_FIRST_LOOKS: usize = 20;

/// Handle of the task that answers requests one after another. The task ends once all its handles are dropped.
#[derive(Clone, Debug)]
pub struct Sharer {
    notes: Sender<Note>,
}

/// A message to the task.
#[derive(Debug)]
enum Note {
    Asked(Question),
    /// The server's message limit, in bytes.
    Known(usize),
    /// The server refused a message because it exceeded this limit, in bytes.
    Limit(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    own: String,
    asker: String,
}

/// The queue of requests is full, so this request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_QUESTIONS} wait for the list of files already")]
pub struct TooManyAsk;

impl Sharer {
    /// Starts a task that shares this folder, or answers that no folder is shared. Its messages to the server go to
    /// `out`, in order; the task keeps this sender until it ends. A user who asks again before the answer was sent
    /// gets one answer.
    ///
    /// ```no_run
    /// # use arauto_client::{files::{Folder, Sharer}, link, meaning::Meaning, OwnedMessage};
    /// # fn example(to_link: tokio::sync::mpsc::Sender<link::Command>, received: OwnedMessage) -> anyhow::Result<()> {
    /// let sharer = Sharer::spawn(Some(Folder::open("Music".as_ref())?), to_link);
    /// match received.meaning() {
    ///     Meaning::FilesWanted { by } => sharer.asked(&received.destination, by)?,
    ///     Meaning::Refusal { why, .. } => sharer.refused(why),
    ///     _ => {}
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn spawn<M: From<Line> + Send + 'static>(folder: Option<Folder>, out: Sender<M>) -> Self {
        let (notes, taken) = channel(MAX_QUESTIONS);
        tokio::spawn(run(folder, taken, out));
        Self { notes }
    }

    /// Queues the answer of `own` to `asker`. Does not block.
    ///
    /// # Errors
    /// If the queue is full; this request is not answered.
    pub fn asked(&self, own: &str, asker: &str) -> Result<(), TooManyAsk> {
        let question = Question { own: own.to_owned(), asker: asker.to_owned() };
        self.notes.try_send(Note::Asked(question)).map_err(|_| TooManyAsk)
    }

    /// Sets the server's message limit, in bytes.
    pub fn limited(&self, limit: usize) {
        // If the queue is full, this is harmless: the server states the limit again when it refuses a message.
        let _ = self.notes.try_send(Note::Known(limit));
    }

    /// Reports a refusal by the server. If `why` states a message limit below the present one, answers keep to it
    /// from now on, and the answers sent last are sent again.
    pub fn refused(&self, why: &str) {
        if let Some(limit) = limit_in(why) {
            // If the queue is full, this is harmless: the server refuses each part that is too long, and each refusal
            // is reported.
            let _ = self.notes.try_send(Note::Limit(limit));
        }
    }
}

/// Returns the message limit that the server states if it refuses a message for its length.
fn limit_in(why: &str) -> Option<usize> {
    let (_, text) = why.split_once("a message has at most ")?;
    text.split_once(" bytes")?.0.parse().ok()
}

async fn run<M: From<Line>>(folder: Option<Folder>, mut notes: Receiver<Note>, out: Sender<M>) {
    let mut shared = Shared { folder, last: None };
    let at_once = u32::try_from(MAX_PARTS).unwrap_or(u32::MAX);
    let mut rate_limit = RateLimit::new(Instant::now(), at_once, MESSAGE_INTERVAL);
    let (mut message_bytes, mut answered) = (MESSAGE_BYTES, Vec::new());
    shared.get_ready(&notes).await;
    while let Some(first) = notes.recv().await {
        let mut asked = Vec::new();
        let waiting = std::iter::from_fn(|| notes.try_recv().ok()).take(MAX_QUESTIONS);
        for note in std::iter::once(first).chain(waiting) {
            match note {
                Note::Asked(question) => asked.push(question),
                Note::Known(limit) => message_bytes = limit,
                Note::Limit(limit) if limit < message_bytes => {
                    message_bytes = limit;
                    asked.append(&mut answered);
                }
                // The server refuses every part that is too long; the first refusal was enough.
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
                sleep_until(rate_limit.next(Instant::now())).await;
                // The receiver of messages is gone.
                let Ok(()) = out.send(message.into()).await else { return };
            }
            answered.push(question);
        }
    }
}

/// The shared folder, and the list that was made last.
#[derive(Debug)]
struct Shared {
    folder: Option<Folder>,
    /// The list, and the time until which it is reused.
    last: Option<(Listing, Instant)>,
}

impl Shared {
    /// Examines the files in advance, so that the first request is answered at once. Ends early if a request arrives.
    async fn get_ready(&mut self, notes: &Receiver<Note>) {
        for _ in 0..MAX_FIRST_LOOKS {
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

/// Returns the time until which a list is reused that was made at `made` and took `took`.
fn given_again_until(made: Instant, took: Duration) -> Instant {
    if took > SOON_MADE { made + GIVEN_AGAIN * took } else { made }
}

#[cfg(test)]
#[cfg(feature = "audio")]
mod tests {
    use tokio::{sync::mpsc, time::advance};

    use super::{super::audio::tests::wav, *};

    fn sharer(folder: Option<Folder>) -> (Sharer, mpsc::Receiver<Line>) {
        let (out, sent) = channel(1);
        (Sharer::spawn(folder, out), sent)
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
            arauto_protocol::reply::line_too_long(1024, &arauto_protocol::Name::parse("ana", 99).unwrap());
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
        // A repeated refusal changes nothing, nor does a limit above the present one.
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
        for asker in 0..MAX_QUESTIONS {
            sharer.asked("ana", &asker.to_string()).unwrap();
        }
        assert_eq!(sharer.asked("ana", "one more"), Err(TooManyAsk));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_questions_makes_no_flood_of_answers() {
        let (sharer, mut sent) = sharer(None);
        let start = Instant::now();
        for asker in 0..MAX_PARTS + 25 {
            sharer.asked("ana", &asker.to_string()).unwrap();
            sent.recv().await.unwrap();
        }
        assert_eq!(start.elapsed(), 25 * MESSAGE_INTERVAL);
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
            // A slow disk may delay the new file's appearance in the list.
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
        let mut shared =
            Shared { folder, last: Some((before.clone(), Instant::now() + MESSAGE_INTERVAL * 50_000)) };
        assert_eq!(*shared.listing().await, before);
        assert_eq!(*shared.listing().await, before);
        shared.last = Some((before, Instant::now()));
        assert_eq!(shared.listing().await.entries.len(), 1);
    }
}
