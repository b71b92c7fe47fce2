//! Responses of an RTSP session, and those to connections that have none.

use arauto_rtsp::input::Unreadable;
use rtsp_types::{Response, StatusCode, Version, headers};

/// A response.
#[derive(Debug)]
pub struct Answer {
    /// The encoded response.
    pub bytes: Vec<u8>,
    /// Whether the connection is closed after it.
    pub is_last: bool,
}

/// The response to input that cannot be parsed. The connection is closed after it.
pub fn not_understood(why: Unreadable) -> Vec<u8> {
    let status = match why {
        Unreadable::Http => {
            let words = "Audio by RTSP is here, and no page. Its addresses begin with rtsp://\n";
            let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n";
            return format!("{head}Content-Length: {}\r\n\r\n{words}", words.len()).into_bytes();
        }
        Unreadable::Version => StatusCode::RTSPVersionNotSupported,
        Unreadable::Head | Unreadable::Malformed => StatusCode::BadRequest,
        Unreadable::Body => StatusCode::RequestMessageBodyTooLarge,
    };
    let mut response = plain(status);
    response.insert_header(headers::CONNECTION, "close");
    encode(&response)
}

/// The response to a banned address.
pub fn forbidden() -> Vec<u8> {
    encode(&plain(StatusCode::Forbidden))
}

/// The response to a connection for which there is no place.
pub fn unavailable() -> Vec<u8> {
    encode(&plain(StatusCode::ServiceUnavailable))
}

/// A response with status 200 and no body.
pub fn ok() -> Response<Vec<u8>> {
    plain(StatusCode::Ok)
}

/// A response with this status and no body.
pub fn plain(status: StatusCode) -> Response<Vec<u8>> {
    with_body(status, Vec::new())
}

/// A response with this status and body.
pub fn with_body(status: StatusCode, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::builder(Version::V1_0, status).build(body);
    if status == StatusCode::Ok {
        // The phrase in the RFC's spelling.
        response.set_reason_phrase("OK");
    }
    response
}

/// The bytes of a response.
pub fn encode(response: &Response<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(()) = response.write(&mut bytes) else { unreachable!("a Vec takes everything") };
    bytes
}
