//! [`WebClient`]: a test client that connects by WebSocket.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use tungstenite::{
    Message, WebSocket,
    client::{IntoClientRequest, client},
    handshake::client::Request,
    protocol::CloseFrame,
};

use crate::{NAME_REQUEST, TestServer, client::ready, confirmation};

/// A WebSocket client, built on a library that conforms to RFC 6455.
pub struct WebClient<S = TcpStream>(WebSocket<S>);

impl WebClient {
    /// Connects and reads the name request.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = ready(TcpStream::connect(address).expect("a server that listens"));
        Self::over(stream, &format!("ws://{address}/tr2"))
    }

    /// Connects and gives the client a name.
    pub fn join(address: SocketAddr, name: &str) -> Self {
        let mut client = Self::connect(address);
        client.ask(name, &confirmation(name));
        client
    }
}

impl TestServer {
    /// Connects a WebSocket client and gives it a name.
    pub fn join_by_websocket(&self, name: &str) -> WebClient {
        WebClient::join(self.web_address(), name)
    }
}

impl<S: Read + Write> WebClient<S> {
    /// Performs the WebSocket handshake over this stream, and reads the name request.
    #[track_caller]
    pub fn over(stream: S, url: &str) -> Self {
        Self::asking(stream, url.into_client_request().unwrap())
    }

    /// As [`Self::over`], with this handshake request.
    #[track_caller]
    pub fn asking(stream: S, request: Request) -> Self {
        let url = request.uri().clone();
        let Ok((socket, _)) = client(request, stream) else { panic!("no WebSocket at {url}") };
        let mut client = Self(socket);
        client.expect(NAME_REQUEST);
        client
    }

    /// Sends a text message.
    #[track_caller]
    pub fn send(&mut self, message: &str) {
        self.send_frame(Message::text(message));
    }

    /// Sends a frame of any kind.
    #[track_caller]
    pub fn send_frame(&mut self, message: Message) {
        self.0.send(message).expect("a connection that takes frames");
    }

    /// The next frame that is not a ping.
    #[track_caller]
    pub fn frame(&mut self) -> Message {
        loop {
            match self.0.read().expect("a frame") {
                Message::Ping(_) => {}
                message => return message,
            }
        }
    }

    /// The next frame, which has to be a text message.
    #[track_caller]
    pub fn line(&mut self) -> String {
        match self.frame() {
            Message::Text(text) => text.to_string(),
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// Checks that this text message comes next.
    #[track_caller]
    pub fn expect(&mut self, message: &str) {
        assert_eq!(self.line(), message);
    }

    /// Sends a message and checks that the answer is what comes next.
    #[track_caller]
    pub fn ask(&mut self, message: &str, answer: &str) {
        self.send(message);
        self.expect(answer);
    }

    /// Checks that the server sends a close frame with this code and then ends the connection.
    #[track_caller]
    pub fn expect_closed(&mut self, code: u16) {
        match self.frame() {
            Message::Close(Some(CloseFrame { code: told, .. })) => assert_eq!(u16::from(told), code),
            other => panic!("{other:?} instead of a close frame"),
        }
        let error = self.0.read().expect_err("the end");
        assert!(matches!(error, tungstenite::Error::ConnectionClosed), "{error}");
    }
}
