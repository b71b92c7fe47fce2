//! [`Ask`]: what a request asks for. Without IO.

use rtsp_types::{HeaderName, Method, Request, StatusCode, headers};

use super::target::Target;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// What can be asked.
    Options,
    /// What a stream holds.
    Describe,
    /// To say what a stream will hold.
    Announce(Vec<u8>),
    /// To set up a way for it; the `Transport` header.
    SetUp(String),
    /// To hear it.
    Play,
    /// To hear nothing for a while.
    Pause,
    /// To publish it.
    Record,
    /// The end.
    Teardown,
    /// Nothing, but that the session is not forgotten.
    KeepAlive,
}

/// A request that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What.
    pub what: Ask,
    /// Of which stream. `None` for the server, or for none that there could be.
    pub target: Option<Target>,
    /// As it was written.
    pub uri: String,
    /// The session it belongs to.
    pub session: Option<String>,
}

/// What all answers repeat. A value with a control character, such as a bare CR, is not repeated: it could end the header.
pub fn sequence(request: &Request<Vec<u8>>) -> Option<&str> {
    let value = request.header(&headers::CSEQ).map(headers::HeaderValue::as_str);
    value.filter(|value| !value.contains(char::is_control))
}

/// Reads a request.
///
/// # Errors
/// What it is refused with.
pub fn read(request: &Request<Vec<u8>>) -> Result<Asked, StatusCode> {
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
        // Those are a server's to ask.
        Method::PlayNotify | Method::Redirect => return Err(StatusCode::MethodNotAllowed),
        Method::Extension(_) => return Err(StatusCode::NotImplemented),
    };
    Ok(Asked { what, target: Target::parse(&uri), uri, session })
}
