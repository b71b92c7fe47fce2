//! A scripted RTSP client, which does nothing by itself.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
};

use super::DEADLINE;

/// A connection.
pub trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

pub struct Client {
    reader: BufReader<Box<dyn Stream>>,
    socket: TcpStream,
    sequence: u32,
    pub url: String,
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.head);
        self
    }
}

impl Client {
    pub fn to(url: &str) -> Self {
        let address: SocketAddr =
            url.strip_prefix("rtsp://").unwrap().split('/').next().unwrap().parse().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let socket = stream.try_clone().unwrap();
        Self::over(Box::new(stream), socket, url)
    }

    /// A client over a connection other than a plain socket.
    pub fn over(stream: Box<dyn Stream>, socket: TcpStream, url: &str) -> Self {
        Self { reader: BufReader::new(stream), socket, sequence: 0, url: url.to_owned() }
    }

    pub fn stream(&self) -> &TcpStream {
        &self.socket
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    /// Sends a request and waits for the response. `more` are headers.
    pub fn ask(&mut self, method: &str, more: &str, body: &str) -> Reply {
        let url = self.url.clone();
        self.ask_at(&url, method, more, body)
    }

    pub fn ask_at(&mut self, url: &str, method: &str, more: &str, body: &str) -> Reply {
        self.sequence += 1;
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request =
            format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\n{more}{length}\r\n{body}", self.sequence);
        self.write(request.as_bytes());
        let answer = self.answer();
        assert_eq!(answer.header("CSeq"), self.sequence.to_string());
        answer
    }

    /// Reads the next response. Skips datagrams before it.
    pub fn answer(&mut self) -> Reply {
        loop {
            if self.reader.fill_buf().unwrap().first() == Some(&b'$') {
                self.frame();
                continue;
            }
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(self.reader.read_line(&mut head).unwrap(), 0, "the end: {head}");
            }
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            self.reader.read_exact(&mut body).unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            return Reply { status, head, body: String::from_utf8(body).unwrap() };
        }
    }

    /// Reads the next interleaved datagram, and returns its channel, too.
    pub fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut header = [0; 4];
        self.reader.read_exact(&mut header).unwrap();
        assert_eq!(header[0], b'$');
        let mut bytes = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
        self.reader.read_exact(&mut bytes).unwrap();
        (header[1], bytes)
    }

    /// Reads the next interleaved datagram of audio.
    pub fn sound(&mut self) -> Vec<u8> {
        loop {
            if let (0, bytes) = self.frame() {
                return bytes;
            }
        }
    }

    pub fn send_frame(&mut self, channel: u8, bytes: &[u8]) {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        self.write(&[&[b'$', channel][..], &length, bytes].concat());
    }

    /// Reads all bytes until the end.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.reader.read_to_end(&mut rest);
        rest
    }

    pub fn announce(&mut self) -> Reply {
        let sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 14\r\n\
                   a=range:npt=0-10\r\n";
        self.ask("ANNOUNCE", "Content-Type: application/sdp\r\n", sdp)
    }

    /// Publishes with interleaved datagrams.
    pub fn publish(&mut self) {
        self.announce().expect(200);
        self.ask("SETUP", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\r\n", "").expect(200);
        self.ask("RECORD", "", "").expect(200);
    }

    /// Publishes by UDP from this socket. Returns the address to send to.
    pub fn publish_by_udp(&mut self, from: &UdpSocket) -> SocketAddr {
        self.announce().expect(200);
        let to = self.set_up_udp(from);
        self.ask("RECORD", "", "").expect(200);
        to
    }

    pub fn set_up_udp(&mut self, socket: &UdpSocket) -> SocketAddr {
        let port = socket.local_addr().unwrap().port();
        let transport = format!("Transport: RTP/AVP;unicast;client_port={port}-{}\r\n", port ^ 1);
        let answer = self.ask("SETUP", &transport, "").expect(200);
        let transport = answer.header("Transport");
        let port = transport.split("server_port=").nth(1).unwrap().split('-').next().unwrap();
        SocketAddr::new(self.stream().peer_addr().unwrap().ip(), port.parse().unwrap())
    }

    /// Listens with interleaved datagrams.
    pub fn listen(&mut self) {
        self.ask("SETUP", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", "").expect(200);
        self.ask("PLAY", "", "").expect(200);
    }
}

/// A socket at an even port, as RTP requires.
pub fn udp() -> UdpSocket {
    super::until(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.local_addr().unwrap().port().is_multiple_of(2).then_some(socket)
    })
}

/// An RTP datagram with the payload type of MP3, whose audio is this text.
pub fn rtp(ssrc: u32, sequence: u16, text: &str) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 900;
    [
        &[0x80, 14][..],
        &sequence.to_be_bytes(),
        &timestamp.to_be_bytes(),
        &ssrc.to_be_bytes(),
        &[0; 4],
        text.as_bytes(),
    ]
    .concat()
}

/// Two sockets at ports that differ in the last bit.
pub fn udp_pair() -> (UdpSocket, UdpSocket) {
    super::until(|| {
        let one = udp();
        let port = one.local_addr().unwrap().port() ^ 1;
        let other = UdpSocket::bind(("127.0.0.1", port)).ok()?;
        other.set_read_timeout(Some(DEADLINE)).unwrap();
        Some((one, other))
    })
}
