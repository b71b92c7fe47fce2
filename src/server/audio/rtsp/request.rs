//! [`Ask`]: the meaning of a request. Without IO.

use rtsp_types::{HeaderName, Method, Request, StatusCode, headers};

use super::target::StreamTarget;

/// A request's method and its argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Lists the methods.
    Options,
    /// Describes a stream.
    Describe,
    /// Announces a stream, with its description in SDP.
    Announce(Vec<u8>),
    /// Sets up a transport, with the value of the header `Transport`.
    SetUp(String),
    /// Starts playing.
    Play,
    /// Pauses playing or publishing.
    Pause,
    /// Starts publishing.
    Record,
    /// Ends the session.
    Teardown,
    /// Only keeps the session alive.
    KeepAlive,
}

/// A valid request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedRequest {
    /// The method.
    pub what: Ask,
    /// The stream. `None` for `*`, and for an address that cannot be a stream's.
    pub target: Option<StreamTarget>,
    /// The address as the client wrote it.
    pub uri: String,
    /// The session that the client named.
    pub session: Option<String>,
}

/// The `CSeq` value, which the response repeats. `None` if it has a control character, such as a bare CR, which could
/// end the header.
pub fn sequence(request: &Request<Vec<u8>>) -> Option<&str> {
    let value = request.header(&headers::CSEQ).map(headers::HeaderValue::as_str);
    value.filter(|value| !value.contains(char::is_control))
}

/// Reads a request.
///
/// # Errors
/// The status of the response, if the request is invalid or not supported.
pub fn read(request: &Request<Vec<u8>>) -> Result<ParsedRequest, StatusCode> {
    let header = |name: HeaderName| request.header(&name).map(headers::HeaderValue::as_str);
    if sequence(request).is_none_or(|number| number.trim().parse::<u32>().is_err()) {
        return Err(StatusCode::BadRequest);
    }
    if header(headers::REQUIRE).is_some() {
        return Err(StatusCode::OptionNotSupported);
    }
    let uri = request.request_uri().map(ToString::to_string).unwrap_or_default();
    let session = header(headers::SESSION).map(|session| {
        let (id, _parameters) = session.split_once(';').unwrap_or((session, ""));
        id.trim().to_owned()
    });
    let what = match request.method() {
        Method::Options => Ask::Options,
        Method::Describe => match header(headers::ACCEPT) {
            Some(accept)
                if !["application/sdp", "application/*", "*/*"].iter().any(|kind| accept.contains(kind)) =>
            {
                return Err(StatusCode::NotAcceptable);
            }
            _ => Ask::Describe,
        },
        Method::Announce => {
            let kind = header(headers::CONTENT_TYPE).unwrap_or_default();
            let (kind, _parameters) = kind.split_once(';').unwrap_or((kind, ""));
            if !kind.trim().eq_ignore_ascii_case("application/sdp") {
                return Err(StatusCode::UnsupportedMediaType);
            }
            Ask::Announce(request.body().clone())
        }
        Method::Setup => Ask::SetUp(header(headers::TRANSPORT).ok_or(StatusCode::BadRequest)?.to_owned()),
        Method::Play => Ask::Play,
        Method::Pause => Ask::Pause,
        Method::Record => Ask::Record,
        Method::Teardown => Ask::Teardown,
        // There are no parameters to get or set.
        Method::GetParameter | Method::SetParameter if request.body().trim_ascii().is_empty() => {
            Ask::KeepAlive
        }
        Method::GetParameter | Method::SetParameter => return Err(StatusCode::ParameterNotUnderstood),
        // Only a server sends these.
        Method::PlayNotify | Method::Redirect => return Err(StatusCode::MethodNotAllowed),
        Method::Extension(_) => return Err(StatusCode::NotImplemented),
    };
    Ok(ParsedRequest { what, target: StreamTarget::parse(&uri), uri, session })
}
