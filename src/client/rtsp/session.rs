//! [`Session`]: one stream on one connection.

use std::{future::pending, net::SocketAddr, time::Duration};

use rtsp_types::{
    Method, Response, Url,
    headers::{ACCEPT, CONTENT_BASE, CONTENT_TYPE, HeaderName, RANGE, SESSION, TRANSPORT},
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    Failure, Way,
    connection::{Came, Connection},
    datagrams::Datagrams,
    keepalive::Keepalive,
    transport::{self, Agreed},
};
use crate::{
    client::dial::{Dialer, Reached, Stream},
    media::{Description, description},
};

/// How long an ending may take.
const END_WITHIN: Duration = Duration::from_secs(2);
/// Where RTSP listens unless an address says otherwise, without TLS and with it.
const PORTS: (u16, u16) = (554, 322);

/// The longest time that is believed of what is played: 30 days.
const MOST_SECONDS: f64 = 30.0 * 24.0 * 3600.0;

/// What makes a NAT let through what comes from the server: an RTP header and nothing after it, and a receiver report
/// about nobody.
pub(super) const PUNCH_RTP: [u8; 12] = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
pub(super) const PUNCH_RTCP: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 0];

/// What comes.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// An RTP packet, as it came: it may be anything.
    Rtp(Vec<u8>),
    /// RTCP packets, as they came: they may be anything.
    Rtcp(Vec<u8>),
    /// The server ended the connection.
    Closed,
}

/// A stream that is under way. It is kept alive as long as [`Session::next`] is waited for.
pub struct Session {
    connection: Connection,
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
    connection: Connection,
    url: Url,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Session {
    /// Publishes a stream at this address: what is sent from now on is heard. Interleaved where the address is one of
    /// `rtsps`, and where the server takes no datagrams.
    ///
    /// # Errors
    /// If that fails.
    pub async fn publish(
        dialer: &Dialer,
        address: &str,
        description: &Description,
        way: Way,
    ) -> Result<Self, Failure> {
        let (opened, way) = Opened::dial(dialer, address, way).await?;
        Self::publish_on(opened, description, way).await
    }

    /// Listens to the stream at this address. Interleaved in the same cases.
    ///
    /// # Errors
    /// If that fails.
    pub async fn play(dialer: &Dialer, address: &str, way: Way) -> Result<(Description, Self), Failure> {
        let (opened, way) = Opened::dial(dialer, address, way).await?;
        Self::play_on(opened, way).await
    }

    pub(super) async fn publish_on(
        mut opened: Opened,
        description: &Description,
        way: Way,
    ) -> Result<Self, Failure> {
        let Opened { connection, url, local, .. } = &mut opened;
        // NTP's seconds would do (RFC 8866, section 5.2); any number that is not there twice does.
        let number = u64::from(local.port());
        let sdp = description.to_sdp(local.ip(), number);
        connection.ask(Method::Announce, url, &[(CONTENT_TYPE, "application/sdp")], sdp).await?;
        let url = opened.url.clone();
        let mut session = opened.set_up(&url, way, true).await?;
        session.begin(Method::Record).await?;
        Ok(session)
    }

    pub(super) async fn play_on(mut opened: Opened, way: Way) -> Result<(Description, Self), Failure> {
        let Opened { connection, url, .. } = &mut opened;
        let response =
            connection.ask(Method::Describe, url, &[(ACCEPT, "application/sdp")], Vec::new()).await?;
        if response.body().len() > description::MOST_BYTES {
            return Err(Failure::Malformed("a description is too long"));
        }
        let description = Description::parse(response.body())?;
        let part = part(&opened.url, header(&response, &CONTENT_BASE), description.control.as_deref())?;
        let mut session = opened.set_up(&part, way, false).await?;
        session.begin(Method::Play).await?;
        Ok((description, session))
    }

    async fn begin(&mut self, method: Method) -> Result<(), Failure> {
        self.punch().await;
        let range = [(RANGE, "npt=0-")];
        // Who plays joins where the others are.
        let headers = if method == Method::Record { &range[..] } else { &[] };
        let is_play = method == Method::Play;
        let response = self.connection.ask(method, &self.url, headers, Vec::new()).await?;
        self.position = header(&response, &RANGE).and_then(range_begin);
        self.keepalive.begin(is_play, Instant::now());
        Ok(())
    }

    /// Where in what is played the stream was when it was joined, if the server says so (RFC 2326, section 12.29).
    #[must_use]
    pub fn position(&self) -> Option<Duration> {
        self.position
    }

    /// How datagrams go.
    #[must_use]
    pub fn way(&self) -> Way {
        match self.path {
            Path::Udp(_) => Way::Udp,
            Path::Interleaved { .. } => Way::Interleaved,
        }
    }

    /// Sends datagrams of no use, so that a NAT lets through what comes from the server. It is done once at the beginning.
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
    pub async fn send_rtp(&self, packet: &[u8]) -> Result<(), Failure> {
        match &self.path {
            Path::Udp(datagrams) => datagrams.send_rtp(packet).await,
            Path::Interleaved { rtp, .. } => self.connection.send_data(*rtp, packet).await?,
        }
        Ok(())
    }

    /// Sends RTCP packets, in the same way.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send_rtcp(&self, packet: &[u8]) -> Result<(), Failure> {
        match &self.path {
            Path::Udp(datagrams) => datagrams.send_rtcp(packet).await,
            Path::Interleaved { rtcp, .. } => self.connection.send_data(*rtcp, packet).await?,
        }
        Ok(())
    }

    /// What comes next; meanwhile the session is kept alive. Dropped before it is done, it loses nothing. Not to be
    /// called again after [`Event::Closed`].
    ///
    /// # Errors
    /// If the connection breaks, or the server gives the session up.
    pub async fn next(&mut self) -> Result<Event, Failure> {
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
                        Came::Closed => return Ok(Event::Closed),
                        Came::Answer(number, status) => self.keepalive.answered(number, status, Instant::now())?,
                        Came::Data(channel, packet) => match self.path {
                            Path::Interleaved { rtp, .. } if channel == rtp => return Ok(Event::Rtp(packet)),
                            Path::Interleaved { rtcp, .. } if channel == rtcp => return Ok(Event::Rtcp(packet)),
                            // Nothing was agreed on for this channel.
                            _ => {}
                        }
                    }
                }
                () = sleep_until(due) => self.keep_alive()?,
            }
        }
    }

    fn keep_alive(&mut self) -> Result<(), Failure> {
        if self.keepalive.is_asked() {
            return Err(Failure::Silence { method: "GET_PARAMETER" });
        }
        let asked = self.connection.ask_later(Method::GetParameter, &self.url);
        self.keepalive.asked(asked, Instant::now());
        Ok(())
    }

    /// Ends it, if the server answers in time; else the end of the connection does.
    pub async fn end(mut self) {
        let teardown = self.connection.ask(Method::Teardown, &self.url, &[], Vec::new());
        let _ = timeout(END_WITHIN, teardown).await;
    }
}

impl Opened {
    /// Connects to the server that the dialer is for, whatever host the address names. Gives also in which way datagrams
    /// are to go.
    async fn dial(dialer: &Dialer, address: &str, way: Way) -> Result<(Self, Way), Failure> {
        let url = Url::parse(address).map_err(|_| Failure::Address)?;
        let (is_encrypted, port) = match url.scheme() {
            "rtsp" => (false, PORTS.0),
            "rtsps" => (true, PORTS.1),
            _ => return Err(Failure::Address),
        };
        let port = url.port().unwrap_or(port);
        // Before anything is sent: the address holds the key, and comes from the server.
        if !is_encrypted && !dialer.may_be_plain() {
            return Err(Failure::Exposed);
        }
        if !dialer.is_audio_port(port) {
            return Err(Failure::Port { port, allowed: dialer.audio_ports().to_string() });
        }
        let Reached { stream, local, peer } = dialer.reach(port, is_encrypted).await?;
        // A datagram would not be encrypted.
        let way = if is_encrypted { Way::Interleaved } else { way };
        Ok((Self::new(stream, url, local, peer), way))
    }

    pub(super) fn new(stream: Box<dyn Stream>, url: Url, local: SocketAddr, peer: SocketAddr) -> Self {
        Self { connection: Connection::new(stream), url, local, peer }
    }

    /// Sets up the stream at this address: by UDP if that is wanted and the server can; else interleaved.
    async fn set_up(mut self, part: &Url, way: Way, is_record: bool) -> Result<Session, Failure> {
        // Where this machine has no two ports for datagrams, there is still the connection.
        if way == Way::Udp
            && let Ok(datagrams) = Datagrams::bind(self.local).await
        {
            match self.ask_transport(part, Some(datagrams.ports()?), is_record).await {
                Ok((Agreed::Udp(rtp, rtcp), keepalive)) => {
                    datagrams.connect(self.peer, (rtp, rtcp)).await?;
                    return Ok(self.session(Path::Udp(datagrams), keepalive));
                }
                Ok((Agreed::Interleaved(..), _)) => {
                    return Err(Failure::Malformed("another transport than asked for"));
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
            (Agreed::Udp(..), _) => Err(Failure::Malformed("another transport than asked for")),
        }
    }

    fn session(self, path: Path, keepalive: Keepalive) -> Session {
        let Self { connection, url, .. } = self;
        Session { connection, url, path, keepalive, position: None }
    }

    async fn ask_transport(
        &mut self,
        part: &Url,
        ports: Option<(u16, u16)>,
        is_record: bool,
    ) -> Result<(Agreed, Keepalive), Failure> {
        let way = if ports.is_some() { Way::Udp } else { Way::Interleaved };
        let asked = [(TRANSPORT, &*transport::asked(ports, is_record))];
        let response = self.connection.ask(Method::Setup, part, &asked, Vec::new()).await?;
        let agreed = header(&response, &TRANSPORT).and_then(|header| Agreed::parse(header, way));
        let session = header(&response, &SESSION).unwrap_or_default();
        let (name, parameters) = session.split_once(';').unwrap_or((session, ""));
        if name.trim().is_empty() {
            return Err(Failure::Malformed("SETUP was answered without a session"));
        }
        self.connection.session = Some(name.trim().to_owned());
        let timeout = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("timeout="));
        let timeout = timeout.and_then(|seconds| seconds.parse::<u32>().ok());
        let timeout = timeout.map(|seconds| Duration::from_secs(seconds.into()));
        let agreed = agreed.ok_or(Failure::Malformed("SETUP was answered without a transport"))?;
        Ok((agreed, Keepalive::new(timeout, Instant::now())))
    }
}

fn header<'a>(response: &'a Response<Vec<u8>>, name: &HeaderName) -> Option<&'a str> {
    response.header(name).map(|value| value.as_str().trim())
}

/// The beginning of a range such as `npt=72.300-` or `npt=0:01:12.3-220` (RFC 2326, section 3.6).
fn range_begin(range: &str) -> Option<Duration> {
    let npt = range.split(';').next()?.trim().strip_prefix("npt=")?;
    let (begin, _) = npt.split_once('-')?;
    let parts: Vec<_> =
        begin.split(':').map(|part| part.trim().parse::<f64>()).collect::<Result<_, _>>().ok()?;
    if parts.len() != 1 && parts.len() != 3 || parts.iter().any(|part| part.is_sign_negative()) {
        return None;
    }
    let seconds = parts.iter().fold(0.0, |all, part| all * 60.0 + part);
    Some(seconds).filter(|seconds| *seconds <= MOST_SECONDS).map(Duration::from_secs_f64)
}

/// The address of what is to be set up (RFC 2326, appendix C.1.1).
fn part(url: &Url, base: Option<&str>, control: Option<&str>) -> Result<Url, Failure> {
    let Some(control) = control else { return Ok(url.clone()) };
    let base = base.unwrap_or(url.as_str());
    let is_whole = control.starts_with("rtsp://") || control.starts_with("rtsps://");
    let text = if is_whole {
        control.to_owned()
    } else {
        // Appended, as everybody does it, not resolved.
        format!("{}/{control}", base.trim_end_matches('/'))
    };
    Url::parse(&text).map_err(|_| Failure::Malformed("a=control is no address"))
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
