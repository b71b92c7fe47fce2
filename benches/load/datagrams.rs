//! Measures the relay's cost of one datagram to one of many listeners, beside a bare loop of `sendto()`.
//!
//! Both receive a stream by UDP and send it on to the same number of sockets, each in a process of its own. No datagram
//! may be lost. The loop sends each datagram unchanged; the relay gives each listener a header of its own, and counts.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
};

use anyhow::{Context, Result, ensure};

use crate::{
    report::{progress, row},
    servers::{DEADLINE, Kind, Server},
};

/// Listeners of the one stream.
const LISTENERS: usize = 500;

/// Datagrams per run.
const DATAGRAMS: usize = 2_000;

/// Datagrams in flight: a live stream, and one after a pause of the network.
const WINDOWS: [usize; 2] = [1, 8];

/// Audio bytes per datagram: 26 ms of MP3 at 128 kbit/s.
const SOUND_BYTES: usize = 418;

/// Prints a row for each window, server and round. The first round only warms up.
pub fn measure(rounds: usize) -> Result<()> {
    row("experiment,server,listeners,window,round,ns_per_datagram")?;
    for window in WINDOWS {
        for round in 0..=rounds {
            for kind in [Kind::RELAY, Kind::SENDTO] {
                let cost = run(kind, window)?;
                let name = kind.name();
                progress(&format!("{name}, {window} on the way: {cost} ns a datagram"))?;
                if round > 0 {
                    row(&format!("datagrams,{name},{LISTENERS},{window},{round},{cost}"))?;
                }
            }
        }
    }
    Ok(())
}

/// Nanoseconds of the server's CPU time per datagram delivered.
fn run(kind: Kind, window: usize) -> Result<u64> {
    let sockets = (0..LISTENERS).map(|_| listener()).collect::<Result<Vec<_>>>()?;
    let publisher = listener()?;
    let stream =
        if kind == Kind::SENDTO { through_floor(&sockets)? } else { through_relay(&sockets, &publisher)? };
    let mut bytes = [0; 2_048];
    let before = stream.server.cpu()?;
    let mut sequence: u16 = 1;
    for _ in 0..DATAGRAMS / window {
        for _ in 0..window {
            publisher.send_to(&datagram(sequence), stream.to)?;
            sequence = sequence.wrapping_add(1);
        }
        for socket in &sockets {
            for _ in 0..window {
                let length = socket.recv(&mut bytes).context("a datagram was lost")?;
                ensure!(length == datagram(0).len(), "a datagram of {length} bytes came");
            }
        }
    }
    let spent = stream.server.cpu()? - before;
    Ok(spent / (DATAGRAMS / window * window * LISTENERS) as u64)
}

/// A server, and the address whose datagrams it sends on.
struct Stream {
    server: Server,
    to: SocketAddr,
    /// Connections that keep the stream open.
    _connections: Vec<TcpStream>,
}

/// Binds an even port, so that the relay's reports go to an odd one that is not bound by a listener.
fn listener() -> Result<UdpSocket> {
    loop {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        if socket.local_addr()?.port() % 2 == 0 {
            socket.set_read_timeout(Some(DEADLINE))?;
            return Ok(socket);
        }
    }
}

/// An RTP datagram of MP3.
fn datagram(sequence: u16) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 2_351;
    let header = [&[0x80, 14][..], &sequence.to_be_bytes(), &timestamp.to_be_bytes(), &[0, 0, 0, 7]].concat();
    [&header[..], &[0; 4 + SOUND_BYTES]].concat()
}

fn through_floor(sockets: &[UdpSocket]) -> Result<Stream> {
    let server = Server::start(Kind::SENDTO, 0)?;
    let mut connection = TcpStream::connect(server.address())?;
    for socket in sockets {
        writeln!(connection, "{}", socket.local_addr()?)?;
    }
    writeln!(connection)?;
    let mut answer = String::new();
    BufReader::new(connection.try_clone()?).read_line(&mut answer)?;
    Ok(Stream { server, to: answer.trim().parse()?, _connections: vec![connection] })
}

fn through_relay(sockets: &[UdpSocket], publisher: &UdpSocket) -> Result<Stream> {
    let server = Server::start(Kind::RELAY, 0)?;
    let mut ana = Talk::to(server.address())?;
    ana.write("ana\n")?;
    ana.line_with("connection_confirmation")?;
    let mut rui = Talk::to(server.address())?;
    rui.write("rui\nrui | ana | play | song.mp3\n")?;
    let summons = ana.line_with("| publish | ")?;
    let publish = url(&summons)?;
    let mut connections = Vec::new();
    let sdp =
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 14\r\n";
    let announced = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    let mut talk = Talk::to(address(&publish)?)?;
    talk.ask("ANNOUNCE", &publish, &announced)?;
    let to = talk.ask("SETUP", &publish, &transport(publisher)?)?.context("no port")?;
    talk.ask("RECORD", &publish, "\r\n")?;
    publisher.send_to(&datagram(0), to)?;
    connections.push(talk.0.into_inner());
    let listen = url(&rui.line_with("| play | rtsp://")?)?;
    for socket in sockets {
        let mut talk = Talk::to(address(&listen)?)?;
        talk.ask("SETUP", &listen, &transport(socket)?)?;
        talk.ask("PLAY", &listen, "\r\n")?;
        connections.push(talk.0.into_inner());
    }
    connections.extend([ana.0.into_inner(), rui.0.into_inner()]);
    Ok(Stream { server, to, _connections: connections })
}

fn transport(socket: &UdpSocket) -> Result<String> {
    let port = socket.local_addr()?.port();
    Ok(format!("Transport: RTP/AVP;unicast;client_port={port}-{}\r\n\r\n", port ^ 1))
}

fn url(line: &str) -> Result<String> {
    let begin = line.find("rtsp://").with_context(|| format!("no address: {line}"))?;
    Ok(line[begin..].split(' ').next().unwrap_or_default().to_owned())
}

fn address(url: &str) -> Result<SocketAddr> {
    let rest = url.trim_start_matches("rtsp://");
    Ok(rest.split('/').next().unwrap_or_default().parse()?)
}

/// A line-based connection.
struct Talk(BufReader<TcpStream>);

impl Talk {
    fn to(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    fn write(&mut self, text: &str) -> Result<()> {
        Ok(self.0.get_mut().write_all(text.as_bytes())?)
    }

    fn line_with(&mut self, words: &str) -> Result<String> {
        loop {
            let mut line = String::new();
            ensure!(self.0.read_line(&mut line)? > 0, "the end before {words:?}");
            if line.contains(words) {
                return Ok(line.trim_end().to_owned());
            }
        }
    }

    /// Sends an RTSP request. Returns the server's port for datagrams, if the response has one.
    fn ask(&mut self, method: &str, url: &str, rest: &str) -> Result<Option<SocketAddr>> {
        self.write(&format!("{method} {url} RTSP/1.0\r\nCSeq: 1\r\n{rest}"))?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(self.0.read_line(&mut head)? > 0, "the end: {head}");
        }
        ensure!(head.starts_with("RTSP/1.0 200"), "{method}: {head}");
        let Some((_, port)) = head.split_once("server_port=") else { return Ok(None) };
        let port = port.split('-').next().unwrap_or_default().parse()?;
        Ok(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
    }
}

/// Runs the floor: receives the listeners' addresses by TCP, and sends on what arrives by UDP. Never returns.
pub fn serve_floor(port: u16) -> Result<()> {
    let (connection, _) = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.accept()?;
    let mut listeners = Vec::new();
    let mut lines = BufReader::new(&connection);
    loop {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        match line.trim() {
            "" => break,
            address => listeners.push(address.parse::<SocketAddr>()?),
        }
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    writeln!(&connection, "{}", socket.local_addr()?)?;
    let mut bytes = [0; 2_048];
    loop {
        let length = socket.recv(&mut bytes)?;
        for listener in &listeners {
            socket.send_to(&bytes[..length], listener)?;
        }
    }
}
