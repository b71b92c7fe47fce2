//! The web page: its files, which are compiled into the program, and their HTTP headers.

use actix_http::{
    Method, Response, StatusCode,
    body::BoxBody,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};

/// Allows only the page's own files and connections to its own server. Inline scripts and styles are forbidden, so that
/// no text of a user can ever become one.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal: $file:literal as $content_type:expr;)*) => {
        const ASSETS: &[Asset] = &[$(Asset {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("page/", $file)),
        }),*];
    };
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

assets! {
    "/": "index.html" as HTML;
    "/announcer.js": "announcer.js" as SCRIPT;
    "/app.js": "app.js" as SCRIPT;
    "/banner.js": "banner.js" as SCRIPT;
    "/chat.js": "chat.js" as SCRIPT;
    "/close-dialog.js": "close-dialog.js" as SCRIPT;
    "/commands.js": "commands.js" as SCRIPT;
    "/composer.js": "composer.js" as SCRIPT;
    "/connection.js": "connection.js" as SCRIPT;
    "/conversations.js": "conversations.js" as SCRIPT;
    "/dom.js": "dom.js" as SCRIPT;
    "/entrance.js": "entrance.js" as SCRIPT;
    "/explain.js": "explain.js" as SCRIPT;
    "/files.js": "files.js" as SCRIPT;
    "/icon.svg": "icon.svg" as PICTURE;
    "/list-view.js": "list-view.js" as SCRIPT;
    "/liveness.js": "liveness.js" as SCRIPT;
    "/log-view.js": "log-view.js" as SCRIPT;
    "/meaning.js": "meaning.js" as SCRIPT;
    "/outstanding.js": "outstanding.js" as SCRIPT;
    "/people.js": "people.js" as SCRIPT;
    "/player.js": "player.js" as SCRIPT;
    "/press.js": "press.js" as SCRIPT;
    "/protocol.js": "protocol.js" as SCRIPT;
    "/server-words.js": "server-words.js" as SCRIPT;
    "/short-forms.js": "short-forms.js" as SCRIPT;
    "/streams.js": "streams.js" as SCRIPT;
    "/style.css": "style.css" as STYLE;
    "/talk.css": "talk.css" as STYLE;
    "/text.js": "text.js" as SCRIPT;
    "/words.js": "words.js" as SCRIPT;
}

/// Headers of every response about the page.
const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (header::PERMISSIONS_POLICY, "camera=(), geolocation=(), microphone=()"),
    // After a restart, another version of the server may serve other files.
    (header::CACHE_CONTROL, "no-cache"),
];

/// Adds those of [`HEADERS`] that a response does not set itself.
pub fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// Responds with the file at this path, or with an error in words.
#[must_use]
pub fn respond(method: &Method, path: &str) -> Response<BoxBody> {
    if !is_read(method) {
        return refuse_method();
    }
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return words(
            StatusCode::NOT_FOUND,
            "There is nothing at this address. The page is at /, its WebSocket at /tr2.\n",
        );
    };
    Response::build(StatusCode::OK).content_type(asset.content_type).body(asset.bytes).map_into_boxed_body()
}

/// Whether this method asks for what is at a path. All others are refused with [`refuse_method`].
#[must_use]
pub fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The response to methods other than GET and HEAD: status 405.
#[must_use]
pub fn refuse_method() -> Response<BoxBody> {
    let mut response = words(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.\n");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// The response at the WebSocket's path to a request without a handshake: status 426.
#[must_use]
pub fn no_handshake(method: &Method) -> Response<BoxBody> {
    if !is_read(method) {
        return refuse_method();
    }
    let mut response = words(
        StatusCode::UPGRADE_REQUIRED,
        "This is the address of a WebSocket, and this request asks for none. If a proxy is between, have it pass on the \
         request to upgrade. For nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
         proxy_set_header Connection \"upgrade\";\n",
    );
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// A response in plain text.
#[must_use]
pub fn words(status: StatusCode, words: &'static str) -> Response<BoxBody> {
    Response::build(status).content_type("text/plain; charset=utf-8").body(words).map_into_boxed_body()
}

#[cfg(test)]
mod tests {
    use arauto_protocol::Operation;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/page");
        let name =
            |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(name).collect();
        files.sort();
        let mut served: Vec<_> =
            ASSETS.iter().map(|asset| asset.path.trim_start_matches('/').to_owned()).collect();
        served[0] = "index.html".to_owned();
        served.sort();
        assert_eq!(served, files);
    }

    #[test]
    fn the_page_has_the_table_of_operations() {
        let script = include_str!("page/short-forms.js");
        let between = |start: &str, end: &str| {
            let (_, rest) = script.split_once(start).unwrap();
            rest.split_once(end).unwrap().0
        };
        let list =
            |words: &[&str]| words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        let row = |operation: Operation| {
            let names = [operation.short(), operation.wire(), operation.typed()];
            format!("[{}],", list(&[&names, operation.aliases()].concat()))
        };
        let of_page: Vec<&str> = between("const TABLE = [\n", "].map(").lines().map(str::trim).collect();
        assert_eq!(of_page, Operation::all().map(row).collect::<Vec<_>>());
        let is_unnamed = |operation: &Operation| operation.is_the_servers() || operation.is_for_programs();
        let unnamed: Vec<&str> = Operation::all().filter(is_unnamed).map(Operation::wire).collect();
        assert_eq!(between("const UNNAMED = new Set([", "])"), list(&unnamed));
    }
}
