//! The web page: its files and their HTTP headers.

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

#[cfg(feature = "page")]
mod page;
#[cfg(feature = "page")]
use page::ASSETS;
#[cfg(not(feature = "page"))]
const ASSETS: &[Asset] = &[];

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

/// Adds those of `HEADERS` that a response does not set itself.
pub fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

const NOT_FOUND: &str = if cfg!(feature = "page") {
    "There is nothing at this address. The page is at /, its WebSocket at /tr2.\n"
} else {
    "There is nothing at this address: this server was built without the page. The WebSocket is at /tr2.\n"
};

/// Responds with the file at this path, or with an error in words.
#[must_use]
pub fn respond(method: &Method, path: &str) -> Response<BoxBody> {
    if !is_read(method) {
        return refuse_method();
    }
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return words(StatusCode::NOT_FOUND, NOT_FOUND);
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
#[cfg(feature = "page")]
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
