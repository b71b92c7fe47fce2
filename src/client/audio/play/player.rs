//! [`play`]: a stream at an address to a sink, until it ends.

use std::{future::Future, io, time::Duration};

use tokio::{
    select,
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};

use super::{
    playout::{Figures, Playout},
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

/// Plays until the stream ends or that is ordered, and all of it is heard. What came of it.
///
/// # Errors
/// If something fails first; what came until then is heard all the same.
pub async fn play(
    wanted: Wanted<'_>,
    orders: &mut mpsc::Receiver<Order>,
    progress: &watch::Sender<Progress>,
) -> Result<Figures, Failed> {
    let Wanted { dialer, address, way, ready, volume } = wanted;
    let (description, mut session) = Session::play(dialer, address, way).await?;
    let mut first = None;
    if session.way() == Way::Udp {
        first = timeout_at(Instant::now() + FIRST_WITHIN, session.next()).await.ok();
        if first.is_none() {
            session.end().await;
            progress.send_modify(|progress| progress.fell_back = true);
            (_, session) = Session::play(dialer, address, Way::Interleaved).await?;
        }
    }
    let heard = listen(&mut session, &description, first.transpose()?, ready, volume, orders, progress).await;
    session.end().await;
    heard
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
) -> Result<Figures, Failed> {
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
            order = orders.recv(), if !orders.is_closed() => match order {
                Some(Order::Volume(volume)) => player.loudness.set(volume),
                Some(Order::Stop) => is_wanted = false,
                None => {}
            },
            _ = tick.tick() => {}
        }
        player.feed().await?;
        player.tell(progress);
        if let Some(report) = player.report() {
            // If the connection is gone, waiting for what comes says so.
            let _ = incoming.report(&report).await;
        }
    }
    if let Some(sink) = player.sink.take() {
        sink.finish().await.map_err(Failed::Sink)?;
    }
    match failure {
        Some(why) => Err(why.into()),
        None => Ok(player.playout.figures(player.now())),
    }
}

struct Player {
    began: Instant,
    playout: Playout,
    reports: Reports,
    loudness: Loudness,
    ready: Option<Ready>,
    sink: Option<Box<dyn Sink>>,
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
            sink: None,
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

    fn is_over(&self) -> bool {
        self.is_cut && self.playout.is_over()
    }

    /// Gives the sink what it has room for.
    async fn feed(&mut self) -> Result<(), Failed> {
        if self.over.is_some_and(|over| over <= Instant::now()) {
            self.end();
        }
        let now = self.now();
        let Some(spec) = self.playout.begin(now) else { return Ok(()) };
        if let Some(ready) = self.ready.take() {
            self.sink = Some(ready.open(spec).await?);
            self.channels = spec.channels;
        }
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let room = sink.room().map_err(Failed::Sink)?;
        if room == 0 {
            return Ok(());
        }
        self.samples.clear();
        if self.playout.pull(now, room, &mut self.samples) > 0 {
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
        let stage = if self.sink.is_some() { Stage::Playing } else { Stage::Waiting };
        progress.send_modify(|progress| (progress.stage, progress.figures) = (stage, figures));
    }
}
