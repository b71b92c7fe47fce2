//! [`play`]: a stream at an address to a sink, until it ends.

use std::{
    future::{Future, pending},
    io,
    time::Duration,
};

use futures_util::future::LocalBoxFuture;
use tokio::{
    pin, select,
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};

use super::{
    playout::{Figures, Pace, Playout},
    report::{Reports, Said},
    sink::{NoSink, Ready, Sink},
    volume::{Loudness, Volume},
};
use crate::{
    client::{
        dial::Dialer,
        rtsp::{self, Event, Session, Way},
    },
    media::Description,
};

/// How long the first datagram is waited for before the stream is asked for in RTSP's own connection.
pub const FIRST_WITHIN: Duration = Duration::from_secs(2);
/// How often the sink is looked after.
const TICK: Duration = Duration::from_millis(10);
/// How often what is to be shown is told.
const TOLD: Duration = Duration::from_millis(200);
/// After the end was said, datagrams that were overtaken by that are waited for so long.
const STRAGGLERS: Duration = Duration::from_millis(300);

/// What somebody who listens wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// This loud from now on.
    Volume(Volume),
    /// No more of it.
    Stop,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The server is asked for it.
    #[default]
    Asking,
    /// Nothing is heard yet.
    Waiting,
    /// It is heard.
    Playing,
}

/// What is to be shown of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// How far it is.
    pub stage: Stage,
    /// What came of it so far.
    pub figures: Figures,
    /// No datagram came by UDP: it comes in RTSP's own connection.
    pub fell_back: bool,
    /// How long it is from the beginning to the end, where that is known.
    pub length: Option<Duration>,
    /// Where in it this one joined, as the server says it; `None` where it does not.
    pub from: Option<Duration>,
}

/// Why it is over before its end.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// There is no stream, or no more of it.
    #[error(transparent)]
    Stream(#[from] rtsp::Failure),
    /// Nothing takes it.
    #[error(transparent)]
    NoSink(#[from] NoSink),
    /// What took it takes no more.
    #[error("the sound cannot be given on: {0}")]
    Sink(io::Error),
}

/// How a stream ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The listener stopped it.
    Stopped,
    /// The server said so (RTCP BYE): its publisher ended it, or the server did.
    Over,
    /// The server closed the RTSP connection without a BYE.
    Cut,
}

/// A stream that was played as far as it went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Played {
    /// Counts and durations up to the end.
    pub figures: Figures,
    /// How it ended.
    pub ending: Ending,
}

/// What is played, and how.
pub struct Wanted<'a> {
    /// The way to the server.
    pub dialer: &'a Dialer,
    /// Of the stream.
    pub address: &'a str,
    /// By UDP first, or not.
    pub way: Way,
    /// Where it goes.
    pub ready: Ready,
    /// How loud.
    pub volume: Volume,
}

/// Plays until the stream ends or [`Order::Stop`] comes, and returns once the sink has taken all of it.
///
/// # Errors
/// If something fails first; what came until then is heard all the same.
pub async fn play(
    wanted: Wanted<'_>,
    orders: &mut mpsc::Receiver<Order>,
    progress: &watch::Sender<Progress>,
) -> Result<Played, Failed> {
    let Wanted { dialer, address, way, ready, mut volume } = wanted;
    let begun = {
        let beginning = begin(dialer, address, way, progress);
        pin!(beginning);
        loop {
            select! {
                begun = &mut beginning => break begun?,
                order = orders.recv() => match order {
                    Some(Order::Volume(wanted)) => volume = wanted,
                    // The end of the connection is the end of what was set up on it.
                    Some(Order::Stop) | None => {
                        return Ok(Played { figures: Figures::default(), ending: Ending::Stopped });
                    }
                }
            }
        }
    };
    let (description, mut session, first) = begun;
    progress.send_modify(|progress| progress.from = session.position());
    let heard = listen(&mut session, &description, first, ready, volume, orders, progress).await;
    session.end().await;
    heard
}

/// Sets the stream up: by UDP if that is wanted and something comes, else interleaved. Gives what came already, too.
async fn begin(
    dialer: &Dialer,
    address: &str,
    way: Way,
    progress: &watch::Sender<Progress>,
) -> Result<(Description, Session, Option<Event>), rtsp::Failure> {
    let (description, mut session) = Session::play(dialer, address, way).await?;
    if session.way() == Way::Interleaved {
        return Ok((description, session, None));
    }
    if let Ok(first) = timeout_at(Instant::now() + FIRST_WITHIN, session.next()).await {
        return Ok((description, session, Some(first?)));
    }
    session.end().await;
    progress.send_modify(|progress| progress.fell_back = true);
    let (description, session) = Session::play(dialer, address, Way::Interleaved).await?;
    Ok((description, session, None))
}

/// Where datagrams come from.
pub trait Incoming {
    /// The next that comes. Dropped before it is done, it loses nothing.
    fn next(&mut self) -> impl Future<Output = Result<Event, rtsp::Failure>>;

    /// Sends RTCP.
    fn report(&self, packets: &[u8]) -> impl Future<Output = Result<(), rtsp::Failure>>;
}

impl Incoming for Session {
    async fn next(&mut self) -> Result<Event, rtsp::Failure> {
        Self::next(self).await
    }

    async fn report(&self, packets: &[u8]) -> Result<(), rtsp::Failure> {
        self.send_rtcp(packets).await
    }
}

/// A stream that is under way to what takes it; see [`play`]. `first`: what came already.
///
/// # Errors
/// As there.
pub async fn listen(
    incoming: &mut impl Incoming,
    description: &Description,
    first: Option<Event>,
    ready: Ready,
    volume: Volume,
    orders: &mut mpsc::Receiver<Order>,
    progress: &watch::Sender<Progress>,
) -> Result<Played, Failed> {
    let mut player = Player::new(description, ready, volume);
    progress.send_modify(|progress| {
        (progress.stage, progress.length) = (Stage::Waiting, description.length);
    });
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    if let Some(event) = first {
        player.take(event);
    }
    let mut failure = None;
    let mut is_wanted = true;
    while is_wanted && !player.is_over() {
        select! {
            event = incoming.next(), if !player.is_cut => match event {
                Ok(event) => player.take(event),
                Err(why) => {
                    failure = Some(why);
                    player.end();
                }
            },
            order = orders.recv() => match order {
                Some(Order::Volume(volume)) => player.loudness.set(volume),
                // Who gives none any more does not listen any more.
                Some(Order::Stop) | None => is_wanted = false,
            },
            sink = opened(&mut player.opening) => {
                player.opening = None;
                player.sink = Some(sink?);
            }
            _ = tick.tick() => {}
        }
        player.feed()?;
        player.tell(progress);
        if let Some(report) = player.report() {
            // If the connection is gone, waiting for what comes says so.
            let _ = incoming.report(&report).await;
        }
    }
    if let Some(sink) = player.sink.take() {
        sink.finish().await.map_err(Failed::Sink)?;
    }
    // The place at which it ended, however short ago the last report was.
    player.told = None;
    player.tell(progress);
    match failure {
        Some(why) => Err(why.into()),
        None => {
            Ok(Played { figures: player.playout.figures(player.now()), ending: player.ending(is_wanted) })
        }
    }
}

struct Player {
    began: Instant,
    playout: Playout,
    reports: Reports,
    loudness: Loudness,
    ready: Option<Ready>,
    /// A sound card takes its time; meanwhile what comes is taken.
    opening: Option<LocalBoxFuture<'static, Result<Box<dyn Sink>, NoSink>>>,
    sink: Option<Box<dyn Sink>>,
    /// Something is heard.
    has_begun: bool,
    channels: u8,
    samples: Vec<f32>,
    /// Nothing more comes.
    is_cut: bool,
    /// The end was said; until when stragglers are waited for.
    over: Option<Instant>,
    told: Option<Instant>,
}

impl Player {
    fn new(description: &Description, ready: Ready, volume: Volume) -> Self {
        let mut number = [0; 4];
        // Without random numbers, one of no meaning does as well: nobody else reports in this session.
        let _ = getrandom::fill(&mut number);
        Self {
            began: Instant::now(),
            playout: Playout::new(description, ready.pace()),
            reports: Reports::new(u32::from_ne_bytes(number), Duration::ZERO),
            loudness: Loudness::new(volume),
            ready: Some(ready),
            opening: None,
            sink: None,
            has_begun: false,
            channels: 1,
            samples: Vec::new(),
            is_cut: false,
            over: None,
            told: None,
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn take(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Rtp(datagram) => self.playout.take(now, &datagram),
            Event::Rtcp(packets) => {
                if self.reports.take(now, &packets) == Said::Over {
                    self.over.get_or_insert_with(|| Instant::now() + STRAGGLERS);
                }
            }
            Event::Closed => self.end(),
        }
    }

    fn end(&mut self) {
        self.is_cut = true;
        self.playout.end();
    }

    fn ending(&self, is_wanted: bool) -> Ending {
        match (is_wanted, self.over) {
            (false, _) => Ending::Stopped,
            (true, Some(_)) => Ending::Over,
            (true, None) => Ending::Cut,
        }
    }

    fn is_over(&self) -> bool {
        self.is_cut && self.playout.is_over()
    }

    /// Gives the sink what it has room for; before there is something to be heard, silence, if it is a sound card.
    fn feed(&mut self) -> Result<(), Failed> {
        if self.over.is_some_and(|over| over <= Instant::now()) {
            self.end();
        }
        let now = self.now();
        if self.ready.is_some()
            && let Some(spec) = self.playout.foresee().or_else(|| self.playout.begin(now))
            && let Some(ready) = self.ready.take()
        {
            self.channels = spec.channels;
            self.opening = Some(Box::pin(ready.open(spec)));
        }
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let room = sink.room().map_err(Failed::Sink)?;
        if room == 0 {
            return Ok(());
        }
        self.has_begun |= self.playout.begin(now).is_some();
        self.samples.clear();
        if self.has_begun {
            self.playout.pull(now, room, &mut self.samples);
        } else if sink.pace() == Pace::Card {
            self.samples.resize(room * usize::from(self.channels), 0.0);
        }
        if !self.samples.is_empty() {
            self.loudness.apply(self.channels, &mut self.samples);
            sink.write(&self.samples).map_err(Failed::Sink)?;
        }
        Ok(())
    }

    fn report(&mut self) -> Option<Vec<u8>> {
        let now = self.now();
        self.reports.due(now, &mut self.playout)
    }

    fn tell(&mut self, progress: &watch::Sender<Progress>) {
        if self.told.is_some_and(|told| told.elapsed() < TOLD) {
            return;
        }
        self.told = Some(Instant::now());
        let figures = self.playout.figures(self.now());
        let stage = if self.has_begun { Stage::Playing } else { Stage::Waiting };
        progress.send_modify(|progress| (progress.stage, progress.figures) = (stage, figures));
    }
}

async fn opened(
    opening: &mut Option<LocalBoxFuture<'static, Result<Box<dyn Sink>, NoSink>>>,
) -> Result<Box<dyn Sink>, NoSink> {
    match opening {
        Some(opening) => opening.await,
        None => pending().await,
    }
}
