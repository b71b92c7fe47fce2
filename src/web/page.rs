//! The files of the page, which are compiled into the program.

use super::Asset;

macro_rules! assets {
    ($($path:literal: $file:literal as $content_type:expr;)*) => {
        pub(super) const ASSETS: &[Asset] = &[$(Asset {
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
    "/deliveries.js": "deliveries.js" as SCRIPT;
    "/dom.js": "dom.js" as SCRIPT;
    "/entrance.js": "entrance.js" as SCRIPT;
    "/explain.js": "explain.js" as SCRIPT;
    "/files.js": "files.js" as SCRIPT;
    "/hidden.js": "hidden.js" as SCRIPT;
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
    "/search.js": "search.js" as SCRIPT;
    "/server-words.js": "server-words.js" as SCRIPT;
    "/short-forms.js": "short-forms.js" as SCRIPT;
    "/streams.js": "streams.js" as SCRIPT;
    "/style.css": "style.css" as STYLE;
    "/talk.css": "talk.css" as STYLE;
    "/text.js": "text.js" as SCRIPT;
    "/words.js": "words.js" as SCRIPT;
}
