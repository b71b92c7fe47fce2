//! Messages and names in the form that scripts print: lines of text, or of JSON. No IO.

use std::{fmt::Write, time::SystemTime};

use arauto_settings::escape::is_unsafe;
use serde_json::Value;

use crate::{
    OwnedMessage,
    files::{Entry, Quoted},
    spelt::{Keep, Spelt},
};

/// The output form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As received, but with unsafe characters escaped, see [`Spelt`]: output of a pipe is often shown on a terminal.
    Plain,
    /// Safe for a terminal, with escapes such that no two texts look the same.
    Terminal,
    /// Each line is a JSON object.
    Json,
}

/// Returns a message received at `at` as a line with its ending.
#[must_use]
pub fn message(form: Form, received: &OwnedMessage, at: SystemTime) -> String {
    let OwnedMessage { sender, destination, operation, data } = received;
    let line = |keep| {
        let [sender, destination, operation, data] =
            [sender, destination, operation, data].map(|field| Spelt(field, keep));
        format!("{sender} | {destination} | {operation} | {data}\n")
    };
    match form {
        Form::Plain => line(Keep::Tabs),
        Form::Terminal => line(Keep::Nothing),
        Form::Json => object(&[
            ("time", humantime::format_rfc3339_millis(at).to_string().into()),
            ("from", sender.as_str().into()),
            ("to", destination.as_str().into()),
            ("operation", operation.as_str().into()),
            ("data", data.as_str().into()),
        ]),
    }
}

/// Returns the name of a connected client as a line with its ending.
#[must_use]
pub fn client(form: Form, name: &str) -> String {
    one(form, "name", name)
}

/// Returns a user's file as a line with its ending.
#[must_use]
pub fn file(form: Form, entry: &Entry) -> String {
    // Quoted where needed, so safe for a terminal.
    let text = entry.to_string();
    if form != Form::Json {
        return format!("{text}\n");
    }
    let (name, quoted) = (entry.name.to_string_lossy(), Quoted(&entry.name).to_string());
    let mut fields: Vec<(&str, Value)> =
        vec![("name", name.into()), ("quoted", quoted.into()), ("bytes", entry.bytes.into())];
    fields.extend(entry.seconds.map(|seconds| ("seconds", seconds.into())));
    fields.extend(entry.kind.clone().map(|kind| ("type", kind.into())));
    object(&fields)
}

/// Returns the text of a user who does not list files as a line with its ending.
#[must_use]
pub fn words(form: Form, text: &str) -> String {
    one(form, "text", text)
}

/// Returns a text that is alone on its line.
fn one(form: Form, key: &str, text: &str) -> String {
    match form {
        Form::Plain => format!("{}\n", Spelt(text, Keep::Tabs)),
        Form::Terminal => format!("{}\n", Spelt(text, Keep::Nothing)),
        Form::Json => object(&[(key, text.into())]),
    }
}

/// Returns an object with its fields in this order, as a line with its ending. Nothing in it can harm a terminal.
#[must_use]
pub fn object(fields: &[(&str, Value)]) -> String {
    let mut line = String::from("{");
    for (number, (key, value)) in fields.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        // Writing to a string does not fail.
        let _ = write!(line, "{comma}\"{key}\":");
        push_value(&mut line, value);
    }
    line.push_str("}\n");
    line
}

/// Appends a text or a number in JSON. Characters that JSON leaves unescaped and that mean something to a terminal
/// are escaped, too.
fn push_value(line: &mut String, value: &Value) {
    for c in value.to_string().chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsString,
        os::unix::ffi::OsStringExt,
        time::{Duration, UNIX_EPOCH},
    };

    use arauto_settings::strategies::anything;
    use proptest::prelude::*;

    use super::*;

    fn said(data: &str) -> OwnedMessage {
        let [sender, destination, operation] = ["bob", "all clients", "broadcast"].map(str::to_owned);
        OwnedMessage { sender, destination, operation, data: data.to_owned() }
    }

    #[test]
    fn the_forms() {
        let at = UNIX_EPOCH + Duration::from_millis(1_795_440_867_133);
        let said = said("a\u{202e}\"b\" \\ | c");
        assert_eq!(
            message(Form::Plain, &said, at),
            "bob | all clients | broadcast | a\\u{202e}\"b\" \\ | c\n"
        );
        assert_eq!(
            message(Form::Terminal, &said, at),
            "bob | all clients | broadcast | a\\u{202e}\"b\" \\\\ | c\n"
        );
        assert_eq!(
            message(Form::Json, &said, at),
            "{\"time\":\"2026-11-23T13:34:27.133Z\",\"from\":\"bob\",\"to\":\"all clients\",\"operation\":\"broadcast\",\
             \"data\":\"a\\u202e\\\"b\\\" \\\\ | c\"}\n"
        );
        assert_eq!(client(Form::Terminal, "علی\u{200c}رضا"), "علی\u{200c}رضا\n");
        assert_eq!(client(Form::Terminal, "ad\u{200c}min"), "ad\\u{200c}min\n");
        assert_eq!(client(Form::Json, "bob"), "{\"name\":\"bob\"}\n");
        assert_eq!(client(Form::Plain, "bob"), "bob\n");
    }

    #[test]
    fn files_in_both_forms() {
        let name = OsString::from_vec(b"a\"\n\xff".to_vec());
        let mut entry = Entry { name, bytes: 1, seconds: None, kind: None };
        assert_eq!(file(Form::Plain, &entry), "\"a\\\"\\n\\xff\" (1 byte)\n");
        assert_eq!(
            file(Form::Json, &entry),
            "{\"name\":\"a\\\"\\n\u{fffd}\",\"quoted\":\"\\\"a\\\\\\\"\\\\n\\\\xff\\\"\",\"bytes\":1}\n"
        );
        entry =
            Entry { name: "b.mp3".into(), bytes: 7, seconds: Some(61), kind: Some("audio/mpeg".to_owned()) };
        assert_eq!(file(Form::Terminal, &entry), "b.mp3 (7 bytes, 1:01, audio/mpeg)\n");
        assert_eq!(
            file(Form::Json, &entry),
            "{\"name\":\"b.mp3\",\"quoted\":\"b.mp3\",\"bytes\":7,\"seconds\":61,\"type\":\"audio/mpeg\"}\n"
        );
    }

    proptest! {
        #[test]
        fn json_reads_back_and_is_harmless(text in anything()) {
            let line = object(&[("from", "bob".into()), ("data", text.as_str().into())]);
            let inner = line.strip_suffix('\n').unwrap();
            prop_assert!(!inner.chars().any(is_unsafe));
            let read: Value = serde_json::from_str(inner).unwrap();
            prop_assert_eq!(read["data"].as_str(), Some(text.as_str()));
        }
    }
}
