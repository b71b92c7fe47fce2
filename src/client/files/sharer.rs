//! [`Sharer`]: a task that answers whoever asks for the list of files. One question costs up to [`MOST_PARTS`] messages,
//! and a server slows or sends away who sends too many; so answers are paced, and askers cannot make them more.

use std::time::Duration;

use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{Instant, sleep_until},
};

use super::{Folder, Listing, MESSAGE_BYTES, MOST_PARTS, answer};
use crate::client::Received;

/// Questions that were not answered yet.
const MOST_QUESTIONS: usize = 64;
/// How far apart messages are, once [`MOST_PARTS`] were sent: half as many as a server's flood control lets pass, so that
/// the other half is there for what a person says meanwhile.
const INTERVAL: Duration = Duration::from_millis(40);

/// Answers questions, one after another. Dropped, it answers no more.
#[derive(Clone, Debug)]
pub struct Sharer {
    questions: Sender<Question>,
}

#[derive(Debug, PartialEq, Eq)]
struct Question {
    own: String,
    asker: String,
}

/// So many ask that one more cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_QUESTIONS} wait for the list of files already")]
pub struct TooManyAsk;

impl Sharer {
    /// Begins a task that shares this folder, or says that there is none. What is to be sent to the server goes to `out`,
    /// in order. Whoever asks again while an answer waits for him gets one answer.
    ///
    /// ```no_run
    /// # use arauto::client::{files::{Folder, Sharer}, link, meaning::Meaning, Received};
    /// # fn example(to_link: tokio::sync::mpsc::Sender<link::Command>, received: Received) -> anyhow::Result<()> {
    /// let sharer = Sharer::begin(Some(Folder::open("Music".as_ref())?), to_link);
    /// if let Meaning::FilesWanted { by } = received.meaning() {
    ///     sharer.asked(&received.destination, by)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn begin<M: From<Received> + Send + 'static>(folder: Option<Folder>, out: Sender<M>) -> Self {
        let (questions, asked) = channel(MOST_QUESTIONS);
        tokio::spawn(run(folder, asked, out));
        Self { questions }
    }

    /// `asker` wants to know what `own` shares. Does not wait.
    ///
    /// # Errors
    /// If too many ask; this one gets no answer.
    pub fn asked(&self, own: &str, asker: &str) -> Result<(), TooManyAsk> {
        let question = Question { own: own.to_owned(), asker: asker.to_owned() };
        self.questions.try_send(question).map_err(|_| TooManyAsk)
    }
}

async fn run<M: From<Received>>(
    mut folder: Option<Folder>,
    mut questions: Receiver<Question>,
    out: Sender<M>,
) {
    let mut pace = Pace::new(Instant::now());
    while let Some(question) = questions.recv().await {
        let mut asked = vec![question];
        while asked.len() < MOST_QUESTIONS
            && let Ok(question) = questions.try_recv()
        {
            if !asked.contains(&question) {
                asked.push(question);
            }
        }
        let listing = match folder.take() {
            None => Listing::no_folder(),
            Some(shared) => {
                let (shared, listing) = shared.listed().await;
                folder = Some(shared);
                listing
            }
        };
        for Question { own, asker } in asked {
            for message in answer(&own, &asker, &listing, MESSAGE_BYTES) {
                sleep_until(pace.next(Instant::now())).await;
                // Whoever sent them is gone.
                let Ok(()) = out.send(message.into()).await else { return };
            }
        }
    }
}

/// When messages may be sent: [`MOST_PARTS`] at once, then one each [`INTERVAL`].
#[derive(Debug)]
struct Pace {
    /// When the next would be sent if none were ever sent at once.
    due: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { due: now }
    }

    /// From when on one more may be sent.
    fn next(&mut self, now: Instant) -> Instant {
        let at_once = INTERVAL * u32::try_from(MOST_PARTS).unwrap_or(u32::MAX);
        self.due = self.due.max(now) + INTERVAL;
        self.due.checked_sub(at_once).unwrap_or(now).max(now)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::mpsc, time::advance};

    use super::*;

    #[test]
    fn pace() {
        let start = Instant::now() + Duration::from_hours(1);
        let mut pace = Pace::new(start);
        for _ in 0..MOST_PARTS {
            assert_eq!(pace.next(start), start);
        }
        assert_eq!(pace.next(start), start + INTERVAL);
        assert_eq!(pace.next(start), start + 2 * INTERVAL);
        // After silence, as many at once as at the start, and no more.
        let later = start + Duration::from_secs(1000);
        for _ in 0..MOST_PARTS {
            assert_eq!(pace.next(later), later);
        }
        assert_eq!(pace.next(later), later + INTERVAL);
    }

    fn sharer(folder: Option<Folder>) -> (Sharer, mpsc::Receiver<Received>) {
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
            assert_eq!(
                message.as_message(),
                crate::protocol::Message {
                    sender: "ana",
                    destination: asker,
                    operation: "list_files",
                    data: "no folder is shared"
                }
            );
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
        for expected in ["no files are shared", "1 file: a.txt (2 bytes)"] {
            sharer.asked("ana", "rui").unwrap();
            assert_eq!(sent.recv().await.unwrap().data, expected);
            std::fs::write(dir.path().join("a.txt"), "hi").unwrap();
        }
    }
}
