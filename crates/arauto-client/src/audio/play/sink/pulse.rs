//! Plays to a sound server by PulseAudio's native protocol, without its library. PipeWire speaks it, too.

mod config;
mod servers;

use std::{ffi::CString, io, iter, os::unix::net::UnixStream, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use pulseaudio::{AsPlaybackSource, Client, PlaybackStream, protocol};
use tokio::time::timeout;

use self::{
    config::Environment,
    servers::{Named, ServerError},
};
use super::{
    ClockSource, Sink, Spec,
    ring::{SampleConsumer, SampleProducer, ring},
};

/// Time that the server may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Approximate duration of the samples that wait in the server and in the sound card.
const SERVER_LEAD: Duration = Duration::from_millis(150);

/// Length of the secret that a user's programs show to the server.
const COOKIE_BYTES: usize = 256;

/// Reason why no sound can be made through a sound server.
#[derive(Debug, thiserror::Error)]
pub enum PulseError {
    /// There is no server, or it cannot be reached.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The socket takes no timeout.
    #[error("the sound server denies access: {0}")]
    Socket(io::Error),
    /// The handshake failed.
    #[error("the sound server denies access: {0}")]
    Denied(pulseaudio::ClientError),
    /// The server refuses the stream.
    #[error("the sound server refuses: {0}")]
    Refused(pulseaudio::ClientError),
    /// The server does not answer within [`ANSWER_TIMEOUT`].
    #[error("the sound server does not answer")]
    Silence,
}

/// A sound server that answers.
pub struct PulseServer {
    client: Client,
    /// The sink to play to; `None` for the server's default.
    sink: Option<CString>,
}

/// A playback stream on a sound server.
pub struct Pulse {
    producer: SampleProducer,
    stream: PlaybackStream,
    /// Closes the connection when dropped.
    _client: Client,
}

impl PulseServer {
    /// Finds the server that the environment or PulseAudio's settings name, or else the user's.
    ///
    /// # Errors
    /// If there is none that can be used.
    pub fn find() -> Result<Self, PulseError> {
        let named = Named::read(&Environment::of_process())?;
        let socket = named.connect(ANSWER_TIMEOUT)?;
        // Timeouts apply to the handshake, which blocks.
        for set in [UnixStream::set_read_timeout, UnixStream::set_write_timeout] {
            set(&socket, Some(ANSWER_TIMEOUT)).map_err(PulseError::Socket)?;
        }
        // Without a cookie, a server that accepts every program of this user still expects the full length.
        let cookie = named.cookie.and_then(|path| std::fs::read(path).ok());
        let cookie = cookie.unwrap_or_else(|| vec![0; COOKIE_BYTES]);
        let client = Client::new_unix(c"Arauto", socket, Some(cookie)).map_err(PulseError::Denied)?;
        Ok(Self { client, sink: named.sink.and_then(|sink| CString::new(sink).ok()) })
    }

    /// Opens a playback stream.
    ///
    /// # Errors
    /// If the server refuses it or does not answer.
    pub async fn open(self, spec: Spec) -> Result<Pulse, PulseError> {
        let Self { client, sink } = self;
        let (producer, mut consumer) = ring(spec);
        let give = move |bytes: &mut [u8]| give(&mut consumer, bytes);
        let opened = client.create_playback_stream(parameters(spec, sink), give.as_playback_source());
        let opened = timeout(ANSWER_TIMEOUT, opened).await.map_err(|_| PulseError::Silence)?;
        let stream = opened.map_err(PulseError::Refused)?;
        Ok(Pulse { producer, stream, _client: client })
    }
}

fn parameters(spec: Spec, sink: Option<CString>) -> protocol::PlaybackStreamParams {
    let bytes = |time| {
        u32::try_from(spec.frames(time) * usize::from(spec.channels) * size_of::<f32>()).unwrap_or(u32::MAX)
    };
    let mut props = protocol::Props::new();
    props.set(protocol::Prop::MediaName, c"Arauto");
    props.set(protocol::Prop::MediaRole, c"music");
    protocol::PlaybackStreamParams {
        sample_spec: protocol::SampleSpec {
            format: protocol::SampleFormat::Float32Le,
            channels: spec.channels,
            sample_rate: spec.rate,
        },
        channel_map: match spec.channels {
            1 => protocol::ChannelMap::mono(),
            _ => protocol::ChannelMap::stereo(),
        },
        sink_name: Some(sink.unwrap_or_else(|| protocol::DEFAULT_SINK.to_owned())),
        // The server applies the volume that the user chose for this program, or the sink's. With flat volumes, a
        // volume set here would change that of the whole machine.
        cvolume: None,
        buffer_attr: protocol::stream::BufferAttr {
            target_length: bytes(SERVER_LEAD),
            ..protocol::stream::BufferAttr::default()
        },
        // Makes the length include the sound card's own buffer, which could otherwise be 2 s and be filled at once.
        flags: protocol::stream::StreamFlags {
            adjust_latency: true,
            ..protocol::stream::StreamFlags::default()
        },
        props,
        ..protocol::PlaybackStreamParams::default()
    }
}

/// Fills `bytes`, with silence where no samples are queued. Returns 0 at the end of the stream.
fn give(consumer: &mut SampleConsumer, bytes: &mut [u8]) -> usize {
    let wanted = bytes.len() / size_of::<f32>();
    let (there, is_last) = consumer.waiting();
    let given = if is_last { wanted.min(there) } else { wanted };
    let samples = consumer.take(wanted.min(there)).chain(iter::repeat(0.0)).take(given);
    for (place, sample) in bytes.chunks_exact_mut(size_of::<f32>()).zip(samples) {
        place.copy_from_slice(&f32::to_le_bytes(sample));
    }
    given * size_of::<f32>()
}

impl Sink for Pulse {
    fn clock(&self) -> ClockSource {
        ClockSource::Card
    }

    fn room(&mut self) -> io::Result<usize> {
        // The source ends early only if the connection is gone: `give` has not returned 0 yet.
        if self.stream.source_eof().now_or_never().is_some() {
            return Err(io::Error::other("the sound server closed the connection"));
        }
        Ok(self.producer.room())
    }

    fn write(&mut self, samples: &[f32]) -> io::Result<()> {
        self.producer.put(samples);
        Ok(())
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, io::Result<()>> {
        Box::pin(async move {
            let Self { producer, stream, _client } = *self;
            drop(producer);
            match timeout(ANSWER_TIMEOUT, stream.play_all()).await {
                Ok(Ok(())) => Ok(()),
                _ => Err(io::Error::other("the sound server did not play to the end")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_until_there_is_something_and_then_the_end() {
        let (mut producer, mut consumer) = ring(Spec { rate: 10, channels: 1 });
        let mut bytes = [1; 12];
        assert_eq!(give(&mut consumer, &mut bytes), 12);
        assert_eq!(bytes, [0; 12]);
        producer.put(&[1.0, -1.0]);
        assert_eq!(give(&mut consumer, &mut bytes), 12);
        assert_eq!(bytes, [0, 0, 0x80, 0x3f, 0, 0, 0x80, 0xbf, 0, 0, 0, 0]);
        producer.put(&[1.0]);
        drop(producer);
        assert_eq!((give(&mut consumer, &mut bytes), give(&mut consumer, &mut bytes)), (4, 0));
    }
}
