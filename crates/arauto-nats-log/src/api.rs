//! The JSON of JetStream's answers. Unknown fields are ignored: each version of the server adds some.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{error::ApiError, stream_config::StreamConfig};

/// Longest answer that is parsed. The longest regular one has a message of 512 KiB as base64.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// `err_code` of the answer if there is no such stream.
pub const STREAM_NOT_FOUND: u64 = 10_059;

/// `err_code` of the answer if there is no such message.
pub const MESSAGE_NOT_FOUND: u64 = 10_037;

/// `err_code` of the answer if the account may not use JetStream.
pub const NOT_FOR_ACCOUNT: u64 = 10_039;

/// `err_code` of the answer if several replicas are wanted of a server that is not part of a NATS cluster.
pub const NOT_CLUSTERED: u64 = 10_074;

/// The answer to an append.
#[derive(Debug, Deserialize)]
pub struct PubAck {
    /// Why the append failed.
    pub error: Option<ApiError>,
    /// The stream that has stored the message.
    #[serde(default)]
    pub stream: String,
    /// The position.
    #[serde(default)]
    pub seq: u64,
}

/// The answer to `STREAM.INFO` and `STREAM.CREATE`.
#[derive(Debug, Deserialize)]
pub struct StreamInfo {
    /// Why the request failed.
    pub error: Option<ApiError>,
    /// The stream's settings.
    pub config: Option<StreamConfig>,
    /// The bounds of the stream.
    pub state: Option<StreamState>,
    /// When the stream was created. Tells it from an earlier one of its name.
    pub created: Option<String>,
    /// The server's time. Servers from 2.10 on send it.
    pub ts: Option<String>,
}

/// The bounds of a stream.
#[derive(Debug, Deserialize)]
pub struct StreamState {
    /// The position of the oldest message. If the stream is empty, the position of the next one.
    pub first_seq: u64,
    /// The position of the newest message that was ever stored.
    pub last_seq: u64,
    /// When the newest message was stored.
    #[serde(default)]
    pub last_ts: String,
}

/// The answer to `STREAM.MSG.GET`.
#[derive(Debug, Deserialize)]
pub struct LeaderAnswer {
    /// Why the request failed.
    pub error: Option<ApiError>,
    /// The message.
    pub message: Option<StoredMessage>,
}

/// A message as the leader has stored it. Its publisher's headers are apart, so nothing in it can be forged.
#[derive(Debug, Deserialize)]
pub struct StoredMessage {
    /// The subject.
    pub subject: String,
    /// The position.
    pub seq: u64,
    /// The content as base64.
    #[serde(default)]
    data: String,
}

impl StoredMessage {
    /// The content. Nothing, if it is not base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.data).ok()
    }
}

/// Parses an answer.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    if bytes.len() > MAX_ANSWER_BYTES {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_server_are_parsed() {
        let ack: PubAck = parse(br#"{"stream":"ARAUTO_c","seq":7,"x":1}"#).expect("an answer");
        assert_eq!((ack.stream.as_str(), ack.seq, ack.error), ("ARAUTO_c", 7, None));
        let failed =
            br#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes\nexceeded"},"seq":0}"#;
        let error = parse::<PubAck>(failed).and_then(|ack| ack.error).expect("an error");
        assert_eq!(error.to_string(), "maximum bytes?exceeded (10077)");
        let stored = br#"{"message":{"subject":"s","seq":3,"data":"aGk=","hdrs":"!"}}"#;
        let stored = parse::<LeaderAnswer>(stored).and_then(|answer| answer.message).expect("a message");
        assert_eq!((stored.seq, stored.bytes()), (3, Some(b"hi".to_vec())));
        let empty = br#"{"message":{"subject":"s","seq":3}}"#;
        let empty = parse::<LeaderAnswer>(empty).and_then(|answer| answer.message).expect("a message");
        assert_eq!(empty.bytes(), Some(Vec::new()));
    }

    #[test]
    fn what_is_too_long_or_not_an_answer_is_not_parsed() {
        let long = format!(r#"{{"stream":"{}"}}"#, "x".repeat(MAX_ANSWER_BYTES));
        assert!(parse::<PubAck>(long.as_bytes()).is_none());
        assert!(parse::<PubAck>(b"{").is_none() && parse::<PubAck>(br#"{"seq":-1}"#).is_none());
        assert!(parse::<StreamInfo>(&b"[".repeat(100_000)).is_none());
    }
}
