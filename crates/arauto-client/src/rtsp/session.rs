//! [`StreamSession`]: one stream on one RTSP connection.

use std::{future::pending, net::SocketAddr, time::Duration};

use arauto_rtsp::{Description, description};
use rtsp_types::{
    Method, Response, Url,
    headers::{ACCEPT, CONTENT_BASE, CONTENT_TYPE, HeaderName, RANGE, SESSION, TRANSPORT},
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    RtspError, Transport,
    connection::{Came, RtspConnection},
    datagrams::Datagrams,
    keepalive::Keepalive,
    transport::{self, Agreed},
};
use crate::dial::{Dialer, Reached, Stream};

/// Time that a server has to answer TEARDOWN.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// Default ports of RTSP, without TLS and with it.
const PORTS: (u16, u16) = (554, 322);

/// Maximum position in a stream that is believed: 30 days, in seconds.
const MAX_SECONDS: f64 = 30.0 * 24.0 * 3600.0;

/// Packets that open a NAT for the server's packets: an RTP header without payload, and a receiver report without
/// report blocks.
pub(super) const PUNCH_RTP: [u8; 12] = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
pub(super) const PUNCH_RTCP: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 0];

/// An event of a session.
#[derive(Debug, PartialEq, Eq)]
pub enum RtspEvent {
    /// An RTP packet, unchecked.
    Rtp(Vec<u8>),
    /// RTCP packets, unchecked.
    Rtcp(Vec<u8>),
    /// The server ended the connection.
    Closed,
}

/// A stream in progress. It is kept alive only while [`StreamSession::next`] is awaited.
pub struct StreamSession {
    connection: RtspConnection,
    url: Url,
    path: Path,
    keepalive: Keepalive,
    /// See [`Self::position`].
    position: Option<Duration>,
}

enum Path {
    Udp(Datagrams),
    Interleaved { rtp: u8, rtcp: u8 },
}

/// A connection, and what is needed to set up a stream on it.
pub(super) struct Opened {
    connection: RtspConnection,
    url: Url,
    local: SocketAddr,
    peer: SocketAddr,
}

impl StreamSession {
    /// Publishes a stream at this address: listeners hear what is sent from now on. Packets are interleaved if the
    /// scheme is `rtsps`, or if the server does not accept UDP.
    ///
    /// # Errors
    /// If the connection or a request fails, or the address is not allowed.
    pub async fn publish(
        dialer: &Dialer,
        address: &str,
        description: &Description,
        way: Transport,
    ) -> Result<Self, RtspError> {
        let (opened, way) = Opened::dial(dialer, address, way).await?;
        Self::publish_on(opened, description, way).await
    }

    /// Plays the stream at this address. Packets are interleaved in the same cases as in [`Self::publish`].
    ///
    /// # Errors
    /// If the connection or a request fails, the address is not allowed, or the stream cannot be played.
    pub async fn play(
        dialer: &Dialer,
        address: &str,
        way: Transport,
    ) -> Result<(Description, Self), RtspError> {
        let (opened, way) = Opened::dial(dialer, address, way).await?;
        Self::play_on(opened, way).await
    }

    pub(super) async fn publish_on(
        mut opened: Opened,
        description: &Description,
        way: Transport,
    ) -> Result<Self, RtspError> {
        let Opened { connection, url, local, .. } = &mut opened;
        // RFC 8866 (section 5.2) suggests an NTP timestamp, but any unique number suffices.
        let number = u64::from(local.port());
        let sdp = description.to_sdp(local.ip(), number);
        connection.ask(Method::Announce, url, &[(CONTENT_TYPE, "application/sdp")], sdp).await?;
        let url = opened.url.clone();
        let mut session = opened.set_up(&url, way, true).await?;
        session.begin(Method::Record).await?;
        Ok(session)
    }

    pub(super) async fn play_on(
        mut opened: Opened,
        way: Transport,
    ) -> Result<(Description, Self), RtspError> {
        let Opened { connection, url, .. } = &mut opened;
        let response =
            connection.ask(Method::Describe, url, &[(ACCEPT, "application/sdp")], Vec::new()).await?;
        if response.body().len() > description::MAX_BYTES {
            return Err(RtspError::Malformed("a description is too long"));
        }
        let description = Description::parse(response.body())?;
        let part = part(&opened.url, header(&response, &CONTENT_BASE), description.control.as_deref())?;
        let mut session = opened.set_up(&part, way, false).await?;
        session.begin(Method::Play).await?;
        Ok((description, session))
    }

    async fn begin(&mut self, method: Method) -> Result<(), RtspError> {
        self.punch().await;
        let range = [(RANGE, "npt=0-")];
        // A listener joins the stream at its present position.
        let headers = if method == Method::Record { &range[..] } else { &[] };
        let is_play = method == Method::Play;
        let response = self.connection.ask(method, &self.url, headers, Vec::new()).await?;
        self.position = header(&response, &RANGE).and_then(range_begin);
        self.keepalive.begin(is_play, Instant::now());
        Ok(())
    }

    /// Returns the position of the stream in its file when it was joined, if the server states it (RFC 2326, section
    /// 12.29).
    #[must_use]
    pub fn position(&self) -> Option<Duration> {
        self.position
    }

    /// Returns the transport of the packets.
    #[must_use]
    pub fn way(&self) -> Transport {
        match self.path {
            Path::Udp(_) => Transport::Udp,
            Path::Interleaved { .. } => Transport::Interleaved,
        }
    }

    /// Sends packets without content that open a NAT for the server's packets. The set-up of the session sends them
    /// once.
    pub async fn punch(&self) {
        if let Path::Udp(datagrams) = &self.path {
            datagrams.send_rtp(&PUNCH_RTP).await;
            datagrams.send_rtcp(&PUNCH_RTCP).await;
        }
    }

    /// Sends an RTP packet. Interleaved, it waits while the server takes nothing; by UDP, it may be lost.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send_rtp(&self, packet: &[u8]) -> Result<(), RtspError> {
        match &self.path {
            Path::Udp(datagrams) => datagrams.send_rtp(packet).await,
            Path::Interleaved { rtp, .. } => self.connection.send_data(*rtp, packet).await?,
        }
        Ok(())
    }

    /// Sends RTCP packets. Interleaved, it waits while the server takes nothing; by UDP, they may be lost.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send_rtcp(&self, packet: &[u8]) -> Result<(), RtspError> {
        match &self.path {
            Path::Udp(datagrams) => datagrams.send_rtcp(packet).await,
            Path::Interleaved { rtcp, .. } => self.connection.send_data(*rtcp, packet).await?,
        }
        Ok(())
    }

    /// Waits for the next event, and keeps the session alive meanwhile. Cancel-safe. It must not be called again
    /// after [`RtspEvent::Closed`].
    ///
    /// # Errors
    /// If the connection breaks, or the server no longer answers or knows the session.
    pub async fn next(&mut self) -> Result<RtspEvent, RtspError> {
        loop {
            let (path, due) = (&mut self.path, self.keepalive.next());
            let datagram = async {
                match path {
                    Path::Udp(datagrams) => datagrams.next().await,
                    Path::Interleaved { .. } => pending().await,
                }
            };
            tokio::select! {
                event = datagram => {
                    self.keepalive.came(Instant::now());
                    return Ok(event);
                }
                came = self.connection.next() => {
                    self.keepalive.came(Instant::now());
                    match came? {
                        Came::Closed => return Ok(RtspEvent::Closed),
                        Came::Answer(number, status) => self.keepalive.answered(number, status, Instant::now())?,
                        Came::Data(channel, packet) => match self.path {
                            Path::Interleaved { rtp, .. } if channel == rtp => return Ok(RtspEvent::Rtp(packet)),
                            Path::Interleaved { rtcp, .. } if channel == rtcp => return Ok(RtspEvent::Rtcp(packet)),
                            // The channel was not agreed on.
                            _ => {}
                        }
                    }
                }
                () = sleep_until(due) => self.keep_alive()?,
            }
        }
    }

    fn keep_alive(&mut self) -> Result<(), RtspError> {
        if self.keepalive.is_asked() {
            return Err(RtspError::Silence { method: "GET_PARAMETER" });
        }
        let asked = self.connection.ask_later(Method::GetParameter, &self.url);
        self.keepalive.asked(asked, Instant::now());
        Ok(())
    }

    /// Ends the session by TEARDOWN if the server answers in time, else by closing the connection.
    pub async fn end(mut self) {
        let teardown = self.connection.ask(Method::Teardown, &self.url, &[], Vec::new());
        let _ = timeout(END_TIMEOUT, teardown).await;
    }
}

impl Opened {
    /// Connects to the dialer's server, whatever host the address names. Also returns the transport to use.
    async fn dial(dialer: &Dialer, address: &str, way: Transport) -> Result<(Self, Transport), RtspError> {
        let url = Url::parse(address).map_err(|_| RtspError::Address)?;
        let (is_encrypted, port) = match url.scheme() {
            "rtsp" => (false, PORTS.0),
            "rtsps" => (true, PORTS.1),
            _ => return Err(RtspError::Address),
        };
        let port = url.port().unwrap_or(port);
        // These checks precede any sending: the address holds the key, and comes from the server.
        if !is_encrypted && !dialer.may_be_plain() {
            return Err(RtspError::Exposed);
        }
        if !dialer.is_audio_port(port) {
            return Err(RtspError::Port { port, allowed: dialer.audio_ports().to_string() });
        }
        let Reached { stream, local, peer } = dialer.reach(port, is_encrypted).await?;
        // UDP datagrams would not be encrypted.
        let way = if is_encrypted { Transport::Interleaved } else { way };
        Ok((Self::new(stream, url, local, peer), way))
    }

    pub(super) fn new(stream: Box<dyn Stream>, url: Url, local: SocketAddr, peer: SocketAddr) -> Self {
        Self { connection: RtspConnection::new(stream), url, local, peer }
    }

    /// Sets up the stream at this address: by UDP if `way` says so and the server can, else interleaved.
    async fn set_up(
        mut self,
        part: &Url,
        way: Transport,
        is_record: bool,
    ) -> Result<StreamSession, RtspError> {
        // If this machine has no two free ports, the stream is interleaved.
        if way == Transport::Udp
            && let Ok(datagrams) = Datagrams::bind(self.local).await
        {
            match self.ask_transport(part, Some(datagrams.ports()?), is_record).await {
                Ok((Agreed::Udp(rtp, rtcp), keepalive)) => {
                    datagrams.connect(self.peer, (rtp, rtcp)).await?;
                    return Ok(self.session(Path::Udp(datagrams), keepalive));
                }
                Ok((Agreed::Interleaved(..), _)) => {
                    return Err(RtspError::Malformed("another transport than asked for"));
                }
                // "Unsupported transport", and "Service Unavailable": the server has no UDP ports left.
                Err(failure) if failure.is_refusal(461) || failure.is_refusal(503) => {}
                Err(failure) => return Err(failure),
            }
        }
        match self.ask_transport(part, None, is_record).await? {
            (Agreed::Interleaved(rtp, rtcp), keepalive) => {
                Ok(self.session(Path::Interleaved { rtp, rtcp }, keepalive))
            }
            (Agreed::Udp(..), _) => Err(RtspError::Malformed("another transport than asked for")),
        }
    }

    fn session(self, path: Path, keepalive: Keepalive) -> StreamSession {
        let Self { connection, url, .. } = self;
        StreamSession { connection, url, path, keepalive, position: None }
    }

    async fn ask_transport(
        &mut self,
        part: &Url,
        ports: Option<(u16, u16)>,
        is_record: bool,
    ) -> Result<(Agreed, Keepalive), RtspError> {
        let way = if ports.is_some() { Transport::Udp } else { Transport::Interleaved };
        let asked = [(TRANSPORT, &*transport::asked(ports, is_record))];
        let response = self.connection.ask(Method::Setup, part, &asked, Vec::new()).await?;
        let agreed = header(&response, &TRANSPORT).and_then(|header| Agreed::parse(header, way));
        let session = header(&response, &SESSION).unwrap_or_default();
        let (name, parameters) = session.split_once(';').unwrap_or((session, ""));
        if name.trim().is_empty() {
            return Err(RtspError::Malformed("SETUP was answered without a session"));
        }
        self.connection.session = Some(name.trim().to_owned());
        let timeout = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("timeout="));
        let timeout = timeout.and_then(|seconds| seconds.parse::<u32>().ok());
        let timeout = timeout.map(|seconds| Duration::from_secs(seconds.into()));
        let agreed = agreed.ok_or(RtspError::Malformed("SETUP was answered without a transport"))?;
        Ok((agreed, Keepalive::new(timeout, Instant::now())))
    }
}

fn header<'a>(response: &'a Response<Vec<u8>>, name: &HeaderName) -> Option<&'a str> {
    response.header(name).map(|value| value.as_str().trim())
}

/// Parses the beginning of a range such as `npt=72.300-` or `npt=0:01:12.3-220` (RFC 2326, section 3.6).
fn range_begin(range: &str) -> Option<Duration> {
    let npt = range.split(';').next()?.trim().strip_prefix("npt=")?;
    let (begin, _) = npt.split_once('-')?;
    let parts: Vec<_> =
        begin.split(':').map(|part| part.trim().parse::<f64>()).collect::<Result<_, _>>().ok()?;
    if parts.len() != 1 && parts.len() != 3 || parts.iter().any(|part| part.is_sign_negative()) {
        return None;
    }
    let seconds = parts.iter().fold(0.0, |all, part| all * 60.0 + part);
    Some(seconds).filter(|seconds| *seconds <= MAX_SECONDS).map(Duration::from_secs_f64)
}

/// Returns the address to set up (RFC 2326, appendix C.1.1).
fn part(url: &Url, base: Option<&str>, control: Option<&str>) -> Result<Url, RtspError> {
    let Some(control) = control else { return Ok(url.clone()) };
    let base = base.unwrap_or(url.as_str());
    let is_whole = control.starts_with("rtsp://") || control.starts_with("rtsps://");
    let text = if is_whole {
        control.to_owned()
    } else {
        // The control attribute is appended, as is common practice, not resolved as a relative URL.
        format!("{}/{control}", base.trim_end_matches('/'))
    };
    Url::parse(&text).map_err(|_| RtspError::Malformed("a=control is no address"))
}

#[cfg(test)]
mod ranges {
    use super::*;

    #[test]
    fn begin() {
        for (range, begin) in [
            ("npt=72.300-", Some(72_300)),
            ("npt=0-", Some(0)),
            ("npt=5.5-220;time=19970123T143720Z", Some(5_500)),
            ("npt=1:01:12.3-", Some(3_672_300)),
            ("npt=now-", None),
            ("npt=-5", None),
            ("npt=NaN-", None),
            ("npt=inf-", None),
            ("npt=1e300-", None),
            ("npt=1:2-", None),
            ("npt=-1:0:0-", None),
            ("clock=1-", None),
            ("72-", None),
            ("", None),
        ] {
            assert_eq!(range_begin(range), begin.map(Duration::from_millis), "{range}");
        }
    }
}
