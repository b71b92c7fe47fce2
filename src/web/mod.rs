//! The web page: its files, which are compiled into the program, and their HTTP headers.

use actix_web::{
    App, HttpResponse, Resource,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::DefaultHeaders,
    web,
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

/// The page as an HTTP service: its files at their paths, and an error in words for every other path.
pub fn app() -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let headers = DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add(("cross-origin-opener-policy", "same-origin"))
        .add(("cross-origin-resource-policy", "same-origin"))
        .add(("permissions-policy", "camera=(), geolocation=(), microphone=()"))
        // After a restart, another version of the server may serve other files.
        .add((header::CACHE_CONTROL, "no-cache"));
    ASSETS
        .iter()
        .fold(App::new(), |app, asset| {
            let get =
                move || async move { HttpResponse::Ok().content_type(asset.content_type).body(asset.bytes) };
            let resource = web::resource(asset.path).route(web::get().to(get)).route(web::head().to(get));
            app.service(resource.default_service(web::to(refuse_method)))
        })
        .default_service(web::to(refuse_path))
        .wrap(headers)
}

/// The response to methods other than GET and HEAD: status 405.
pub async fn refuse_method() -> HttpResponse {
    words(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.\n").map_into_boxed_body()
}

/// The resource at the WebSocket's address, for requests without a handshake: status 426.
pub fn no_handshake(path: &str) -> Resource {
    let refuse = || async {
        let mut response = words(
            StatusCode::UPGRADE_REQUIRED,
            "This is the address of a WebSocket, and this request asks for none. If a proxy is between, have it pass on the \
             request to upgrade. For nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
             proxy_set_header Connection \"upgrade\";\n",
        );
        response.headers_mut().insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
        response
    };
    web::resource(path)
        .route(web::get().to(refuse))
        .route(web::head().to(refuse))
        .default_service(web::to(refuse_method))
}

async fn refuse_path(method: Method) -> HttpResponse {
    if matches!(method, Method::GET | Method::HEAD) {
        words(
            StatusCode::NOT_FOUND,
            "There is nothing at this address. The page is at /, its WebSocket at /tr2.\n",
        )
    } else {
        words(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.\n")
    }
}

/// The response to a client that must not see the page: status 403, with the reason `why`.
#[must_use]
pub fn refusal(why: &'static str) -> HttpResponse {
    words(StatusCode::FORBIDDEN, why)
}

/// A response in plain text; with status 405, it also lists the allowed methods.
#[must_use]
pub fn words(status: StatusCode, words: &'static str) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.insert_header((header::ALLOW, "GET, HEAD"));
    }
    response.content_type("text/plain; charset=utf-8").body(words)
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
