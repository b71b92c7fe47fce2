//! [`PublisherTask`]: decides about each request to play a file, and runs a task for each file that is played.

use std::{collections::VecDeque, time::Duration};

use arauto_protocol::{Line, Message, Operation, Summons};
use tokio::{
    sync::mpsc::{Receiver, Sender},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{ASK_TIMEOUT, Asking, MAX_AT_ONCE, News, Note, PermissionRequest, PublishCommand};
use crate::{
    audio::publish::{
        Control,
        publication::{self, Began, Outcome, Publication, Task},
    },
    deadline::sleep_until_opt,
    dial::Dialer,
    files::Opener,
    rate_limit::RateLimit,
    text::MESSAGE_BYTES,
};

/// Interval between progress updates.
const SHOW_INTERVAL: Duration = Duration::from_secs(1);
/// Refusals that may be sent at once, and the minimum interval between further ones.
const REFUSALS: (u32, Duration) = (8, Duration::from_millis(250));

/// Error: the receiver of `news` is gone.
pub(super) struct Unheard;

/// A request that waits for the user's answer.
struct Waiting {
    number: u64,
    until: Instant,
    asked: Asked,
}

/// A request to play a file: the name under which this client was asked, the client that asks, where to send the file,
/// and which file.
#[derive(Clone, Debug)]
struct Asked {
    own: String,
    by: String,
    rtsp: String,
    file: String,
}

/// State of the task behind a [`Publisher`](super::Publisher).
pub(super) struct PublisherTask {
    folder: Option<Opener>,
    asking: Asking,
    dialer: Dialer,
    news: Sender<News>,
    /// Cloned for each publication, which announces on it that playback began.
    began: Sender<Began>,
    publications: Vec<Publication>,
    /// Each task returns the file's name and its outcome.
    tasks: JoinSet<(String, Outcome)>,
    waiting: VecDeque<Waiting>,
    numbers: u64,
    rate_limit: RateLimit,
    /// Number of refusals that were not sent.
    unsaid: usize,
}

impl PublisherTask {
    pub(super) fn new(
        folder: Option<Opener>,
        asking: Asking,
        dialer: Dialer,
        news: Sender<News>,
        began: Sender<Began>,
    ) -> Self {
        Self {
            folder,
            asking,
            dialer,
            news,
            began,
            publications: Vec::new(),
            tasks: JoinSet::new(),
            waiting: VecDeque::new(),
            numbers: 0,
            rate_limit: RateLimit::new(Instant::now(), REFUSALS.0, REFUSALS.1),
            unsaid: 0,
        }
    }

    pub(super) async fn run(
        mut self,
        mut notes: Receiver<Note>,
        mut beginnings: Receiver<Began>,
    ) -> Result<(), Unheard> {
        let mut ticks = interval(SHOW_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let until = self.waiting.front().map(|waiting| waiting.until);
            tokio::select! {
                note = notes.recv() => match note {
                    None => return Ok(()),
                    Some(Note::Summoned { own, by, data }) => self.summoned(own, by, &data).await?,
                    Some(Note::Answered { number, may }) => self.answered(number, may).await?,
                    Some(Note::Commanded { command, file }) => self.carry_out(command, file.as_deref()).await?,
                },
                Some(began) = beginnings.recv() => {
                    if let Some(publication) = self.publications.iter_mut().find(|one| one.file == began.file) {
                        publication.begun(began.length);
                        let on_air = publication.shown();
                        self.tell(News::Began(on_air)).await?;
                    }
                }
                Some(done) = self.tasks.join_next() => {
                    // A task that panicked returns no name; it is the one whose controls are closed.
                    let (file, outcome) = done.unwrap_or_else(|_| (self.fallen(), Outcome::fallen()));
                    self.over(file, outcome).await?;
                }
                () = sleep_until_opt(until) => {
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
        } else if self.publications.len() + self.waiting.len() >= MAX_AT_ONCE {
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
        let question =
            PermissionRequest { number: self.numbers, by: asked.by.clone(), file: asked.file.clone() };
        let until = Instant::now() + ASK_TIMEOUT;
        self.waiting.push_back(Waiting { number: self.numbers, until, asked });
        self.tell(News::Asked(question)).await
    }

    async fn answered(&mut self, number: u64, may: bool) -> Result<(), Unheard> {
        let place = self.waiting.iter().position(|waiting| waiting.number == number);
        // Otherwise the question has expired, which was already reported.
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
            let outcome = publication::run(&folder, &dialer, &rtsp, &file, (controls, progress, began)).await;
            (file, outcome)
        });
    }

    /// Reports the reason to the client that asked and to the user.
    async fn refuse(&mut self, asked: &Asked, why: &str) -> Result<(), Unheard> {
        let now = Instant::now();
        if self.rate_limit.next_after(now) > now {
            // The server informs the client that asked when nothing arrives.
            self.unsaid += 1;
            return Ok(());
        }
        self.rate_limit.next(now);
        let others = std::mem::take(&mut self.unsaid);
        let Asked { own, by, file, .. } = asked.clone();
        self.tell(News::Send(cannot(&own, &by, &file, why))).await?;
        self.tell(News::Refused { by, file, why: why.to_owned(), others }).await
    }

    async fn carry_out(&mut self, command: PublishCommand, file: Option<&str>) -> Result<(), Unheard> {
        let meant = |one: &&Publication| file.is_none_or(|file| one.file == file);
        let mut is_one = false;
        for publication in self.publications.iter().filter(meant) {
            is_one = true;
            let control = match command {
                PublishCommand::Stop => Control::Stop,
                PublishCommand::Pause if publication.shown().is_paused => Control::Resume,
                PublishCommand::Pause => Control::Pause,
            };
            publication.control(control);
        }
        if is_one {
            return Ok(());
        }
        self.tell(News::NotPlayed(file.map(str::to_owned))).await
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

    /// Name of the file whose task panicked.
    fn fallen(&self) -> String {
        let fallen = self.publications.iter().find(|one| one.is_fallen());
        fallen.map(|one| one.file.clone()).unwrap_or_default()
    }
}

/// The refusal to the client that asked. It names the file, because that client may wait for several, unless the
/// message would become too long.
pub(super) fn cannot(own: &str, by: &str, file: &str, why: &str) -> Line {
    let mut data = format!("cannot: {file}: {why}");
    let header = Message { sender: own, destination: by, operation: Operation::Play.wire(), data: "" };
    if header.encoded_len() + data.len() > MESSAGE_BYTES {
        data = format!("cannot: {why}");
    }
    Line::lossy(&Message { data: &data, ..header })
}
