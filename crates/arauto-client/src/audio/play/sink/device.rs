//! Plays to a sound card by the operating system's interface (ALSA, `CoreAudio`, WASAPI), where there is no sound
//! server.

use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use cpal::{
    BufferSize, ErrorKind, OutputCallbackInfo, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfigRange,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};
use futures_util::future::BoxFuture;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use super::{
    ClockSource, Sink, Spec,
    ring::{SampleConsumer, SampleProducer, ring},
    wav,
};

/// Requested length of the card's period. Two periods wait in the card.
const PERIOD: Duration = Duration::from_millis(50);
/// Time within which the card asks for the last samples. If it does not, it has stalled.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// Upper bound for the delay that a card reports, which may be wrong.
const MAX_DELAY: Duration = Duration::from_secs(5);
/// Time after an error within which a card asks for more samples if it recovers.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval at which the card's presence is checked where the system does not report its removal.
const PRESENCE_INTERVAL: Duration = Duration::from_secs(1);

/// Reason why a sound card cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no card.
    #[error("there is no sound card")]
    NoCard,
    /// Another program uses the card.
    #[error("another program is using the sound card")]
    Busy,
    /// The user has no permission.
    #[error("this user may not use the sound card")]
    Denied,
    /// The card does not support this sample rate, in Hz.
    #[error("the sound card does not support {0} samples per second")]
    Rate(u32),
    /// Any other error. Holds the system's text.
    #[error("the sound card: {}", .0.trim_end_matches('.'))]
    Other(String),
}

impl From<&cpal::Error> for DeviceError {
    fn from(error: &cpal::Error) -> Self {
        match error.kind() {
            ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => Self::NoCard,
            ErrorKind::DeviceBusy => Self::Busy,
            ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// A sound card and its supported formats.
pub struct Device {
    device: cpal::Device,
    offered: Vec<SupportedStreamConfigRange>,
}

/// A sound card that plays.
pub struct DeviceSink {
    producer: SampleProducer,
    evenly: Evenly,
    state: Arc<State>,
    /// Dropping it stops playback.
    stream: cpal::Stream,
}

/// Spreads the card's demand over time: the card asks for much at once, and if as much were taken from the network's
/// buffer at once, some datagrams would always be late.
struct Evenly {
    spec: Spec,
    /// Time up to which samples were taken.
    until: Instant,
}

/// State shared with the card's thread.
#[derive(Default)]
struct State {
    /// Reason of the final failure.
    failed: OnceLock<DeviceError>,
    /// Last error that may pass, when it first occurred, and the value of `asked` then. The callback that
    /// asks for samples never locks this.
    trouble: Mutex<Option<(DeviceError, Instant, u64)>>,
    /// Number of times that the card asked for samples.
    asked: AtomicU64,
    /// Time from the card's last request until its last sample is audible, in µs.
    delay: AtomicU64,
    /// Notified when the last sample was taken, or the card has failed.
    over: Notify,
}

impl Device {
    /// Finds the system's preferred card.
    ///
    /// # Errors
    /// If there is none, or it cannot be used.
    pub fn find() -> Result<Self, DeviceError> {
        keep_quiet();
        // Not `default_host`, which panics if that host is unavailable.
        let host = cpal::available_hosts().into_iter().find_map(|host| cpal::host_from_id(host).ok());
        let device = host.and_then(|host| host.default_output_device());
        let device = device.ok_or(DeviceError::NoCard)?;
        // Only this call shows whether the card exists: a default device may be a mere name.
        let offered = device.supported_output_configs().map_err(|why| DeviceError::from(&why))?.collect();
        Ok(Self { device, offered })
    }

    /// Opens a playback stream.
    ///
    /// # Errors
    /// If the card does not support the sample rate, or refuses.
    pub fn open(self, spec: Spec) -> Result<DeviceSink, DeviceError> {
        keep_quiet();
        let Some((config, format)) = choose(&self.offered, spec) else {
            return Err(DeviceError::Rate(spec.rate));
        };
        let begin = |config| match format {
            SampleFormat::F32 => self.start(config, spec, |sample| sample),
            _ => self.start(config, spec, wav::to_i16),
        };
        // The buffer sizes that a card reports are not always accurate.
        let begun =
            begin(config).or_else(|_| begin(StreamConfig { buffer_size: BufferSize::Default, ..config }));
        begun.map_err(|why| DeviceError::from(&why))
    }

    fn start<T: SizedSample + 'static>(
        &self,
        config: StreamConfig,
        spec: Spec,
        convert: fn(f32) -> T,
    ) -> Result<DeviceSink, cpal::Error> {
        let (producer, mut consumer) = ring(spec);
        let state = Arc::new(State::default());
        let (giving, failing) = (Arc::clone(&state), Arc::clone(&state));
        let (from, into) = (usize::from(spec.channels), usize::from(config.channels));
        let give = move |out: &mut [T], info: &OutputCallbackInfo| {
            let is_over = give(&mut consumer, from, out, into, convert);
            giving.is_asked(spec.time((out.len() / into) as u64), info, is_over);
        };
        let fail = move |why: cpal::Error| failing.fail(&why);
        let stream = self.device.build_output_stream(config, give, fail, Some(PRESENCE_INTERVAL))?;
        stream.play()?;
        Ok(DeviceSink { producer, evenly: Evenly { spec, until: Instant::now() }, state, stream })
    }
}

/// Stops ALSA's library from writing errors to the terminal. The relevant ones are also returned.
fn keep_quiet() {
    #[cfg(any(target_os = "linux", target_os = "dragonfly", target_os = "freebsd", target_os = "netbsd"))]
    // If this fails, the library keeps writing.
    let _ = alsa::Output::local_error_handler();
}

/// Chooses the best format: as many channels as needed, or else more; `f32` samples, or else 16 bits.
fn choose(
    offered: &[SupportedStreamConfigRange],
    Spec { rate, channels }: Spec,
) -> Option<(StreamConfig, SampleFormat)> {
    let fits = |range: &&SupportedStreamConfigRange| {
        let is_known = matches!(range.sample_format(), SampleFormat::F32 | SampleFormat::I16);
        is_known && range.contains_rate(rate) && range.channels() > 0
    };
    let best = offered.iter().filter(fits).min_by_key(|range| {
        let more = range.channels().checked_sub(u16::from(channels)).unwrap_or(u16::MAX);
        (more, range.sample_format() != SampleFormat::F32)
    })?;
    let frames = u32::try_from(Spec { rate, channels }.frames(PERIOD)).unwrap_or(u32::MAX);
    let buffer_size = match *best.buffer_size() {
        SupportedBufferSize::Range { min, max } => BufferSize::Fixed(frames.min(max).max(min)),
        SupportedBufferSize::Unknown => BufferSize::Default,
    };
    Some((StreamConfig { channels: best.channels(), sample_rate: rate, buffer_size }, best.sample_format()))
}

/// Fills `out`, with silence where no samples are queued. Returns whether these were the last. `from` and `into` are
/// the channel counts of the samples and of the card.
fn give<T: SizedSample>(
    consumer: &mut SampleConsumer,
    from: usize,
    out: &mut [T],
    into: usize,
    convert: fn(f32) -> T,
) -> bool {
    let (there, is_last) = consumer.waiting();
    let wanted = out.len() / into * from;
    let mut samples = consumer.take(wanted.min(there));
    for frame in out.chunks_exact_mut(into) {
        let Some(left) = samples.next() else { break };
        let right = if from == 1 { left } else { samples.next().unwrap_or(left) };
        match frame {
            [only] => *only = convert(f32::midpoint(left, right)),
            // Side and rear channels stay silent.
            _ => frame.iter_mut().zip([left, right]).for_each(|(place, sample)| *place = convert(sample)),
        }
    }
    is_last && there <= wanted
}

impl Evenly {
    /// Frames that may be taken now: those of the time since the last call and 5 % more, because the card's clock may
    /// be faster, and to make up for what the card asked for at once at the beginning.
    fn due(&mut self, now: Instant) -> usize {
        let frames = self.spec.frames(now.saturating_duration_since(self.until));
        self.until += self.spec.time(frames as u64);
        frames + frames / 20
    }
}

impl State {
    /// Records that the card asked for `length` of samples.
    fn is_asked(&self, length: Duration, info: &OutputCallbackInfo, is_over: bool) {
        let times = info.timestamp();
        let delay = times.playback.saturating_duration_since(times.callback) + length;
        self.asked.fetch_add(1, Relaxed);
        self.delay.store(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Relaxed);
        if is_over {
            self.over.notify_one();
        }
    }

    fn fail(&self, why: &cpal::Error) {
        // Playback continues after these errors.
        if matches!(why.kind(), ErrorKind::Xrun | ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied) {
            return;
        }
        if matches!(why.kind(), ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated) {
            // The first error gives the reason.
            let _ = self.failed.set(why.into());
            self.over.notify_one();
            return;
        }
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = self.asked.load(Relaxed);
        if trouble.as_ref().is_none_or(|(_, _, before)| *before != asked) {
            *trouble = Some((why.into(), Instant::now(), asked));
        }
    }

    fn check(&self, now: Instant) -> io::Result<()> {
        if let Some(why) = self.failed.get() {
            return Err(io::Error::other(why.clone()));
        }
        match &*self.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((why, since, before))
                if *before == self.asked.load(Relaxed) && now >= *since + RECOVERY_TIMEOUT =>
            {
                Err(io::Error::other(why.clone()))
            }
            _ => Ok(()),
        }
    }
}

impl Sink for DeviceSink {
    fn clock(&self) -> ClockSource {
        ClockSource::Card
    }

    fn room(&mut self) -> io::Result<usize> {
        let now = Instant::now();
        self.state.check(now)?;
        Ok(self.producer.room().min(self.evenly.due(now)))
    }

    fn write(&mut self, samples: &[f32]) -> io::Result<()> {
        self.producer.put(samples);
        Ok(())
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, io::Result<()>> {
        Box::pin(async move {
            let Self { producer, state, stream, .. } = *self;
            drop(producer);
            let over = timeout(END_TIMEOUT, state.over.notified()).await;
            state.check(Instant::now())?;
            over.map_err(|_| io::Error::other("the sound card did not play to the end"))?;
            sleep(Duration::from_micros(state.delay.load(Relaxed)).min(MAX_DELAY)).await;
            drop(stream);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEREO: Spec = Spec { rate: 44_100, channels: 2 };

    fn offer(channels: u16, rates: [u32; 2], format: SampleFormat) -> SupportedStreamConfigRange {
        let buffer = SupportedBufferSize::Range { min: 64, max: 1024 };
        SupportedStreamConfigRange::new(channels, rates[0], rates[1], buffer, format)
    }

    fn chosen(offered: &[SupportedStreamConfigRange], spec: Spec) -> Option<(u16, SampleFormat)> {
        choose(offered, spec).map(|(config, format)| (config.channels, format))
    }

    #[test]
    fn what_fits_best_is_chosen() {
        use SampleFormat::{F32, I16, I32};
        let all = [8_000, 96_000];
        let offered = [offer(1, all, I16), offer(6, all, F32), offer(2, all, I16), offer(2, all, F32)];
        assert_eq!(chosen(&offered, STEREO), Some((2, F32)));
        assert_eq!(chosen(&offered, Spec { channels: 1, ..STEREO }), Some((1, I16)));
        assert_eq!(chosen(&offered[..3], STEREO), Some((2, I16)));
        assert_eq!(chosen(&offered[..2], STEREO), Some((6, F32)));
        assert_eq!(chosen(&offered[..1], STEREO), Some((1, I16)));
        assert_eq!(chosen(&[offer(2, [48_000; 2], F32), offer(2, all, I32)], STEREO), None);
        let (config, _) = choose(&offered, STEREO).expect("one fits");
        assert_eq!((config.sample_rate, config.buffer_size), (44_100, BufferSize::Fixed(1024)));
    }

    #[test]
    fn channels_are_made_to_fit_and_the_end_is_told() {
        let heard = |from, into, samples: &[f32], places| {
            let spec = Spec { rate: 5, channels: from };
            let (mut producer, mut consumer) = ring(spec);
            assert_eq!(consumer.take(100).count(), usize::from(from), "silence first");
            producer.put(samples);
            drop(producer);
            let mut out = vec![0; places];
            let is_over = give(&mut consumer, usize::from(from), &mut out, into, wav::to_i16);
            (out, is_over)
        };
        assert_eq!(heard(1, 2, &[0.5], 4), (vec![16_384, 16_384, 0, 0], true));
        assert_eq!(heard(2, 1, &[0.5, 0.25], 1), (vec![12_288], true));
        assert_eq!(heard(2, 4, &[0.5, -1.0], 8), (vec![16_384, -32_768, 0, 0, 0, 0, 0, 0], true));
        assert_eq!(heard(2, 2, &[0.5, -1.0], 0), (vec![], false));
    }

    #[test]
    fn it_is_given_evenly_however_often_one_looks() {
        let began = Instant::now();
        let mut evenly = Evenly { spec: STEREO, until: began };
        assert_eq!(evenly.due(began), 0);
        assert_eq!(evenly.due(began + Duration::from_millis(100)), 4_410 + 220);
        let looks = (1..=10_000)
            .map(|look| evenly.due(began + Duration::from_millis(100) + Duration::from_micros(10) * look));
        assert!((4_408..=4_410).contains(&looks.sum::<usize>()), "too small for more");
    }

    #[test]
    fn only_what_ends_it_is_a_failure() {
        let state = State::default();
        for kind in [ErrorKind::Xrun, ErrorKind::DeviceChanged, ErrorKind::RealtimeDenied] {
            state.fail(&kind.into());
        }
        let now = Instant::now();
        state.fail(&cpal::Error::with_message(ErrorKind::BackendError, "It burns."));
        state.fail(&ErrorKind::Other.into());
        let later = now + 2 * RECOVERY_TIMEOUT;
        state.check(now).expect("it may pass");
        let why = state.check(later).expect_err("it does not").to_string();
        assert_eq!(why, "the sound card: It burns");
        state.asked.fetch_add(1, Relaxed);
        state.check(later).expect("it passed");
        state.fail(&ErrorKind::DeviceNotAvailable.into());
        let why = state.check(now).expect_err("it is gone").to_string();
        assert_eq!(why, "there is no sound card");
    }
}
