//! [`Publisher`]: a task that plays files to others when the server asks for that, as far as its user lets it.
//!
//! What a server, or whoever it plays the tune of, can bring about: files of the shared folder go to that server, each as
//! fast as it plays, [`MOST_AT_ONCE`] at the most; nothing goes to another machine (see `rtsp`). Refusals are paced, so
//! that nobody can make their sender flood the server.

use std::{collections::VecDeque, time::Duration};

use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    Control,
    publication::{Began, Outcome, Publication, Task},
};
use crate::{
    client::{dial::Dialer, files::Opener, pace::Pace, text::MESSAGE_BYTES},
    media::Summons,
    protocol::{Line, Message, Operation},
};

/// The most files that are played at once, those counted for which the user is asked.
pub const MOST_AT_ONCE: usize = 4;
/// How long the user may take to answer. Servers wait 10 s unless told otherwise.
pub const ASK_WITHIN: Duration = Duration::from_secs(8);
/// What was asked of the task and not taken up.
const MOST_NOTES: usize = 32;
/// How often it is told how far everything is.
const SHOW_EVERY: Duration = Duration::from_secs(1);
/// Refusals that are sent at once, and how far apart further ones are at least.
const REFUSALS: (u32, Duration) = (8, Duration::from_millis(250));

/// Whether the user wants to be asked before a file is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// No.
    Never,
    /// Yes.
    First,
    /// Yes, and there is no way to ask: nothing is played.
    Impossible,
}

/// What happens, to be shown or to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// This is to be sent to the server.
    Send(Line),
    /// May this be played? To be answered by [`Publisher::answer`], within [`ASK_WITHIN`].
    Asked(Question),
    /// That question is answered, or too old.
    Settled(u64),
    /// A file is being played.
    Began(OnAir),
    /// A file was not played, for this reason.
    Refused {
        /// Who wanted to hear it.
        by: String,
        /// As `list_files` writes it.
        file: String,
        /// In words, fit for printing.
        why: String,
        /// How many others were refused since the last time, of which nothing is said.
        others: usize,
    },
    /// How far everything is that is played.
    Playing(Vec<OnAir>),
    /// A file is not played any more. Why, if not because it was at its end.
    Over {
        /// As `list_files` writes it.
        file: String,
        /// In words, fit for printing.
        why: Option<String>,
    },
    /// What was asked for by [`Publisher::order`] cannot be done, for this reason.
    CannotDo(String),
}

/// Whether a file may be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which question.
    pub number: u64,
    /// Who wants to hear it.
    pub by: String,
    /// As `list_files` writes it.
    pub file: String,
}

/// A file that is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnAir {
    /// As `list_files` writes it.
    pub file: String,
    /// Who asked for it first.
    pub by: String,
    /// How far it is.
    pub elapsed: Duration,
    /// How long it takes in all, where that is known.
    pub length: Option<Duration>,
    /// Whether there is a pause.
    pub is_paused: bool,
}

/// What a user wants with what he plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A pause; if there is one, its end.
    Pause,
    /// The end.
    Stop,
}

/// The task is far behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_NOTES} such things wait already")]
pub struct TooMuch;

/// Plays files to others. Dropped, it ends all that it plays.
#[derive(Clone, Debug)]
pub struct Publisher {
    notes: Sender<Note>,
}

#[derive(Debug)]
enum Note {
    Summoned { own: String, by: String, data: String },
    Answered { number: u64, may: bool },
    Ordered { order: Order, file: Option<String> },
}

impl Publisher {
    /// Begins a task that plays files of this folder, if there is one, to the server of this dialer. What happens goes to
    /// `news`; as long as that is not taken, nothing further happens, but what is played is played.
    #[must_use]
    pub fn begin(folder: Option<Opener>, asking: Asking, dialer: Dialer, news: Sender<News>) -> Self {
        let (notes, taken) = channel(MOST_NOTES);
        let (began, beginnings) = channel(MOST_AT_ONCE);
        let desk = Desk {
            folder,
            asking,
            dialer,
            news,
            began,
            publications: Vec::new(),
            tasks: JoinSet::new(),
            waiting: VecDeque::new(),
            numbers: 0,
            pace: Pace::new(Instant::now(), REFUSALS.0, REFUSALS.1),
            unsaid: 0,
        };
        // It ends when nobody gives notes any more, or takes news.
        tokio::spawn(async move { desk.run(taken, beginnings).await });
        Self { notes }
    }

    /// The server says to `own` that `by` wants to hear a file: `data` says which, and where it is to go.
    ///
    /// # Errors
    /// If too much waits; nothing comes of it.
    pub fn summoned(&self, own: &str, by: &str, data: &str) -> Result<(), TooMuch> {
        let [own, by, data] = [own, by, data].map(str::to_owned);
        self.note(Note::Summoned { own, by, data })
    }

    /// The user's answer to [`News::Asked`].
    ///
    /// # Errors
    /// If too much waits; the question stays.
    pub fn answer(&self, number: u64, may: bool) -> Result<(), TooMuch> {
        self.note(Note::Answered { number, may })
    }

    /// What the user wants with the file of this name, or with all that are played.
    ///
    /// # Errors
    /// If too much waits; nothing comes of it.
    pub fn order(&self, order: Order, file: Option<&str>) -> Result<(), TooMuch> {
        self.note(Note::Ordered { order, file: file.map(str::to_owned) })
    }

    fn note(&self, note: Note) -> Result<(), TooMuch> {
        // Or the task came down, and there is nothing to play with.
        self.notes.try_send(note).map_err(|_| TooMuch)
    }
}

/// Nobody takes news any more.
struct Unheard;

/// A file that waits for the user's word.
struct Waiting {
    number: u64,
    until: Instant,
    asked: Asked,
}

/// Who wants what of whom.
#[derive(Clone, Debug)]
struct Asked {
    own: String,
    by: String,
    rtsp: String,
    file: String,
}

struct Desk {
    folder: Option<Opener>,
    asking: Asking,
    dialer: Dialer,
    news: Sender<News>,
    /// Where publications say that they have begun.
    began: Sender<Began>,
    publications: Vec<Publication>,
    /// Each gives the file's name and what became of it.
    tasks: JoinSet<(String, Outcome)>,
    waiting: VecDeque<Waiting>,
    numbers: u64,
    pace: Pace,
    /// Refusals of which nothing was said.
    unsaid: usize,
}

impl Desk {
    async fn run(
        mut self,
        mut notes: Receiver<Note>,
        mut beginnings: Receiver<Began>,
    ) -> Result<(), Unheard> {
        let mut ticks = interval(SHOW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let until = self.waiting.front().map(|waiting| waiting.until);
            tokio::select! {
                note = notes.recv() => match note {
                    None => return Ok(()),
                    Some(Note::Summoned { own, by, data }) => self.summoned(own, by, &data).await?,
                    Some(Note::Answered { number, may }) => self.answered(number, may).await?,
                    Some(Note::Ordered { order, file }) => self.ordered(order, file.as_deref()).await?,
                },
                Some(began) = beginnings.recv() => {
                    if let Some(publication) = self.publications.iter_mut().find(|one| one.file == began.file) {
                        publication.begun(began.length);
                        let on_air = publication.shown();
                        self.tell(News::Began(on_air)).await?;
                    }
                }
                Some(done) = self.tasks.join_next() => {
                    // It came down: there is no name. Then the one whose task is gone is it.
                    let (file, outcome) = done.unwrap_or_else(|_| (self.fallen(), Outcome::fallen()));
                    self.over(file, outcome).await?;
                }
                () = expired(until) => {
                    if let Some(Waiting { number, asked, .. }) = self.waiting.pop_front() {
                        self.tell(News::Settled(number)).await?;
                        self.refuse(&asked, "its user did not say yes in time").await?;
                    }
                }
                _ = ticks.tick(), if !self.publications.is_empty() => self.show().await?,
            }
        }
    }

    async fn tell(&self, news: News) -> Result<(), Unheard> {
        self.news.send(news).await.map_err(|_| Unheard)
    }

    async fn show(&self) -> Result<(), Unheard> {
        let shown = self.publications.iter().filter(|one| one.has_begun()).map(Publication::shown);
        self.tell(News::Playing(shown.collect())).await
    }

    async fn summoned(&mut self, own: String, by: String, data: &str) -> Result<(), Unheard> {
        let Some(Summons { rtsp, file }) = Summons::parse(data) else {
            let why =
                format!("{by} wants to hear a file, and the server does not say which, or where it is to go");
            return self.tell(News::CannotDo(why)).await;
        };
        let asked = Asked { own, by, rtsp: rtsp.to_owned(), file: file.to_owned() };
        let asked_for = |file: &str| file == asked.file;
        let why = if self.folder.is_none() {
            "no folder is shared"
        } else if self.publications.iter().any(|one| asked_for(&one.file)) {
            "it is played already"
        } else if self.waiting.iter().any(|waiting| asked_for(&waiting.asked.file)) {
            "its user was asked for it already"
        } else if self.asking == Asking::Impossible {
            "its user wants to be asked first, and cannot be asked"
        } else if self.publications.len() + self.waiting.len() >= MOST_AT_ONCE {
            "too many files are played at once"
        } else if self.asking == Asking::First {
            return self.ask(asked).await;
        } else {
            self.play(asked);
            return Ok(());
        };
        self.refuse(&asked, why).await
    }

    async fn ask(&mut self, asked: Asked) -> Result<(), Unheard> {
        self.numbers += 1;
        let question = Question { number: self.numbers, by: asked.by.clone(), file: asked.file.clone() };
        let until = Instant::now() + ASK_WITHIN;
        self.waiting.push_back(Waiting { number: self.numbers, until, asked });
        self.tell(News::Asked(question)).await
    }

    async fn answered(&mut self, number: u64, may: bool) -> Result<(), Unheard> {
        let place = self.waiting.iter().position(|waiting| waiting.number == number);
        // Else it was too late, and that was said.
        let Some(Waiting { asked, .. }) = place.and_then(|place| self.waiting.remove(place)) else {
            return Ok(());
        };
        self.tell(News::Settled(number)).await?;
        if !may {
            return self.refuse(&asked, "its user said no").await;
        }
        self.play(asked);
        Ok(())
    }

    fn play(&mut self, asked: Asked) {
        let Some(folder) = self.folder.clone() else { return };
        let Asked { own, by, rtsp, file } = asked;
        let (publication, task) = Publication::new(own, by, file);
        self.publications.push(publication);
        let Task { file, controls, progress } = task;
        let (dialer, began) = (self.dialer.clone(), self.began.clone());
        self.tasks.spawn(async move {
            let outcome =
                super::publication::run(&folder, &dialer, &rtsp, &file, (controls, progress, began)).await;
            (file, outcome)
        });
    }

    /// Says to who asked, and to the user, why nothing is to be heard.
    async fn refuse(&mut self, asked: &Asked, why: &str) -> Result<(), Unheard> {
        let now = Instant::now();
        if self.pace.next_after(now) > now {
            // The server tells who asked that nothing came.
            self.unsaid += 1;
            return Ok(());
        }
        self.pace.next(now);
        let others = std::mem::take(&mut self.unsaid);
        let Asked { own, by, file, .. } = asked.clone();
        self.tell(News::Send(cannot(&own, &by, &file, why))).await?;
        self.tell(News::Refused { by, file, why: why.to_owned(), others }).await
    }

    async fn ordered(&mut self, order: Order, file: Option<&str>) -> Result<(), Unheard> {
        let meant = |one: &&Publication| file.is_none_or(|file| one.file == file);
        let mut is_one = false;
        for publication in self.publications.iter().filter(meant) {
            is_one = true;
            let control = match order {
                Order::Stop => Control::Stop,
                Order::Pause if publication.shown().is_paused => Control::Resume,
                Order::Pause => Control::Pause,
            };
            publication.control(control);
        }
        if is_one {
            return Ok(());
        }
        let why = match file {
            Some(file) => format!("you do not play {file} to anybody"),
            None => "you do not play anything to anybody".to_owned(),
        };
        self.tell(News::CannotDo(why)).await
    }

    async fn over(&mut self, file: String, outcome: Outcome) -> Result<(), Unheard> {
        let place = self.publications.iter().position(|one| one.file == file);
        let Some(publication) = place.map(|place| self.publications.remove(place)) else { return Ok(()) };
        match outcome {
            Outcome::NotBegun(why) => {
                let Publication { own, by, file, .. } = publication;
                self.refuse(&Asked { own, by, rtsp: String::new(), file }, &why).await?;
            }
            Outcome::Over(why) => self.tell(News::Over { file, why }).await?,
        }
        self.show().await
    }

    /// The file whose task came down.
    fn fallen(&self) -> String {
        let fallen = self.publications.iter().find(|one| one.is_fallen());
        fallen.map(|one| one.file.clone()).unwrap_or_default()
    }
}

/// The answer to who asked. It names the file, because he may wait for several; unless there is no room for that.
fn cannot(own: &str, by: &str, file: &str, why: &str) -> Line {
    let mut data = format!("cannot: {file}: {why}");
    let header = Message { sender: own, destination: by, operation: Operation::Play.wire(), data: "" };
    if header.encoded_len() + data.len() > MESSAGE_BYTES {
        data = format!("cannot: {why}");
    }
    Line::lossy(&Message { data: &data, ..header })
}

async fn expired(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
