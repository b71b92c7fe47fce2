//! [`play`]: plays the stream at an address to a sink until it ends.

use std::{
    future::{Future, pending},
    io,
    time::Duration,
};

use arauto_rtsp::Description;
use futures_util::future::LocalBoxFuture;
use tokio::{
    pin, select,
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};

use super::{
    playout::{ClockSource, Figures, Playout},
    report::{Reports, StreamStatus},
    sink::{NoSink, Ready, Sink},
    volume::{Loudness, Volume},
};
use crate::{
    dial::Dialer,
    rtsp::{self, RtspEvent, StreamSession, Transport},
};

/// Time to wait for the first datagram by UDP before the stream is requested interleaved in the RTSP connection.
pub const FIRST_TIMEOUT: Duration = Duration::from_secs(2);
/// Interval at which the sink is fed.
const FEED_INTERVAL: Duration = Duration::from_millis(10);
/// Minimum time between two progress updates.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// Time to wait for reordered datagrams after the server has announced the end.
const REORDER_TIMEOUT: Duration = Duration::from_millis(300);

/// A request of the listener to the player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybackCommand {
    /// Sets the volume from now on.
    Volume(Volume),
    /// Stops playback.
    Stop,
}

/// Phase of playback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The stream is being requested from the server.
    #[default]
    Asking,
    /// The stream is set up, and nothing is audible yet.
    Waiting,
    /// The stream is audible.
    Playing,
}

/// Progress of playback, for display.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlaybackProgress {
    /// Phase of playback.
    pub stage: Stage,
    /// Counts and durations so far.
    pub figures: Figures,
    /// No datagram arrived by UDP, so the stream is received interleaved in the RTSP connection.
    pub fell_back: bool,
    /// Length of the whole stream, if known.
    pub length: Option<Duration>,
    /// Position in the stream at which this listener joined, if the server states it.
    pub from: Option<Duration>,
}

/// Reason why playback failed.
#[derive(Debug, thiserror::Error)]
pub enum PlaybackError {
    /// The stream does not exist, or broke off.
    #[error(transparent)]
    Stream(#[from] rtsp::RtspError),
    /// The output cannot be opened.
    #[error(transparent)]
    NoSink(#[from] NoSink),
    /// The output failed during playback.
    #[error("the audio cannot be written: {0}")]
    Sink(io::Error),
}

/// How a stream ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
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
    pub ending: StreamEnd,
}

/// Parameters of [`play`].
pub struct PlaybackOptions<'a> {
    /// Connects to the server.
    pub dialer: &'a Dialer,
    /// Address of the stream.
    pub address: &'a str,
    /// Transport to try first.
    pub way: Transport,
    /// Output to play to.
    pub ready: Ready,
    /// Initial volume.
    pub volume: Volume,
}

/// Plays until the stream ends or [`PlaybackCommand::Stop`] comes, and returns once the sink has taken all audio.
///
/// # Errors
/// If the stream or the output fails first. Audio received until then is played all the same.
pub async fn play(
    wanted: PlaybackOptions<'_>,
    commands: &mut mpsc::Receiver<PlaybackCommand>,
    progress: &watch::Sender<PlaybackProgress>,
) -> Result<Played, PlaybackError> {
    let PlaybackOptions { dialer, address, way, ready, mut volume } = wanted;
    let begun = {
        let beginning = begin(dialer, address, way, progress);
        pin!(beginning);
        loop {
            select! {
                begun = &mut beginning => break begun?,
                command = commands.recv() => match command {
                    Some(PlaybackCommand::Volume(wanted)) => volume = wanted,
                    // Closing the connection ends the session on it.
                    Some(PlaybackCommand::Stop) | None => {
                        return Ok(Played { figures: Figures::default(), ending: StreamEnd::Stopped });
                    }
                }
            }
        }
    };
    let (description, mut session, first) = begun;
    progress.send_modify(|progress| progress.from = session.position());
    let heard = listen(&mut session, &description, first, ready, volume, commands, progress).await;
    session.end().await;
    heard
}

/// Sets the stream up: by UDP if `way` says so and a datagram arrives, else interleaved. Returns the first event, if
/// any.
async fn begin(
    dialer: &Dialer,
    address: &str,
    way: Transport,
    progress: &watch::Sender<PlaybackProgress>,
) -> Result<(Description, StreamSession, Option<RtspEvent>), rtsp::RtspError> {
    let (description, mut session) = StreamSession::play(dialer, address, way).await?;
    if session.way() == Transport::Interleaved {
        return Ok((description, session, None));
    }
    if let Ok(first) = timeout_at(Instant::now() + FIRST_TIMEOUT, session.next()).await {
        return Ok((description, session, Some(first?)));
    }
    session.end().await;
    progress.send_modify(|progress| progress.fell_back = true);
    let (description, session) = StreamSession::play(dialer, address, Transport::Interleaved).await?;
    Ok((description, session, None))
}

/// Source of a stream's events.
pub trait Incoming {
    /// Waits for the next event. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = Result<RtspEvent, rtsp::RtspError>>;

    /// Sends RTCP packets to the server.
    fn report(&self, packets: &[u8]) -> impl Future<Output = Result<(), rtsp::RtspError>>;
}

impl Incoming for StreamSession {
    async fn next(&mut self) -> Result<RtspEvent, rtsp::RtspError> {
        Self::next(self).await
    }

    async fn report(&self, packets: &[u8]) -> Result<(), rtsp::RtspError> {
        self.send_rtcp(packets).await
    }
}

/// Plays a stream that is set up; see [`play`]. `first` is an event that was already received.
///
/// # Errors
/// As for [`play`].
pub async fn listen(
    incoming: &mut impl Incoming,
    description: &Description,
    first: Option<RtspEvent>,
    ready: Ready,
    volume: Volume,
    commands: &mut mpsc::Receiver<PlaybackCommand>,
    progress: &watch::Sender<PlaybackProgress>,
) -> Result<Played, PlaybackError> {
    let mut player = Player::new(description, ready, volume);
    progress.send_modify(|progress| {
        (progress.stage, progress.length) = (Stage::Waiting, description.length);
    });
    let mut tick = interval(FEED_INTERVAL);
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
            command = commands.recv() => match command {
                Some(PlaybackCommand::Volume(volume)) => player.loudness.set(volume),
                // A closed channel means that the listener is gone.
                Some(PlaybackCommand::Stop) | None => is_wanted = false,
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
            // If the connection is gone, `incoming.next()` reports it.
            let _ = incoming.report(&report).await;
        }
    }
    if let Some(sink) = player.sink.take() {
        sink.finish().await.map_err(PlaybackError::Sink)?;
    }
    // Report the final position, however recent the last update is.
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
    /// Opening a sound card takes time; datagrams are received meanwhile.
    opening: Option<LocalBoxFuture<'static, Result<Box<dyn Sink>, NoSink>>>,
    sink: Option<Box<dyn Sink>>,
    /// Whether audio has begun to go to the sink.
    has_begun: bool,
    channels: u8,
    samples: Vec<f32>,
    /// No more events will come.
    is_cut: bool,
    /// The server announced the end; reordered datagrams are accepted until this time.
    over: Option<Instant>,
    told: Option<Instant>,
}

impl Player {
    fn new(description: &Description, ready: Ready, volume: Volume) -> Self {
        let mut number = [0; 4];
        // If random numbers fail, 0 will do: no other receiver reports in this session.
        let _ = getrandom::fill(&mut number);
        Self {
            began: Instant::now(),
            playout: Playout::new(description, ready.clock()),
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

    fn take(&mut self, event: RtspEvent) {
        let now = self.now();
        match event {
            RtspEvent::Rtp(datagram) => self.playout.take(now, &datagram),
            RtspEvent::Rtcp(packets) => {
                if self.reports.take(now, &packets) == StreamStatus::Over {
                    self.over.get_or_insert_with(|| Instant::now() + REORDER_TIMEOUT);
                }
            }
            RtspEvent::Closed => self.end(),
        }
    }

    fn end(&mut self) {
        self.is_cut = true;
        self.playout.end();
    }

    fn ending(&self, is_wanted: bool) -> StreamEnd {
        match (is_wanted, self.over) {
            (false, _) => StreamEnd::Stopped,
            (true, Some(_)) => StreamEnd::Over,
            (true, None) => StreamEnd::Cut,
        }
    }

    fn is_over(&self) -> bool {
        self.is_cut && self.playout.is_over()
    }

    /// Gives the sink as many frames as it has room for. A sound card gets silence until audio is ready.
    fn feed(&mut self) -> Result<(), PlaybackError> {
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
        let room = sink.room().map_err(PlaybackError::Sink)?;
        if room == 0 {
            return Ok(());
        }
        self.has_begun |= self.playout.begin(now).is_some();
        self.samples.clear();
        if self.has_begun {
            self.playout.pull(now, room, &mut self.samples);
        } else if sink.clock() == ClockSource::Card {
            self.samples.resize(room * usize::from(self.channels), 0.0);
        }
        if !self.samples.is_empty() {
            self.loudness.apply(self.channels, &mut self.samples);
            sink.write(&self.samples).map_err(PlaybackError::Sink)?;
        }
        Ok(())
    }

    fn report(&mut self) -> Option<Vec<u8>> {
        let now = self.now();
        self.reports.due(now, &mut self.playout)
    }

    fn tell(&mut self, progress: &watch::Sender<PlaybackProgress>) {
        if self.told.is_some_and(|told| told.elapsed() < PROGRESS_INTERVAL) {
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
