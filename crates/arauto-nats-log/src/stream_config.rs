//! The settings of the stream: those with which it is created, and whether those of an existing one will do.

use std::time::Duration;

use arauto_cluster::frame::MAX_FRAME_BYTES;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use crate::{
    error::{Difference, Limits},
    options::Options,
    subjects::Subjects,
};

/// Longest message that the stream takes: more than a frame, so that a longer one is an error of the node.
const MAX_MESSAGE_BYTES: usize = 512 * 1024;

/// The settings of an existing stream, as far as they matter. The server leaves out what is false or empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StreamConfig {
    subjects: Vec<String>,
    retention: String,
    discard: String,
    storage: String,
    num_replicas: usize,
    max_msgs: i64,
    max_msgs_per_subject: i64,
    max_msg_size: i64,
    max_bytes: i64,
    max_age: i64,
    republish: Republish,
    mirror: Option<IgnoredAny>,
    sources: Option<IgnoredAny>,
    subject_transform: Option<IgnoredAny>,
    #[serde(flatten)]
    switches: Switches,
}

/// The settings that are on or off.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the server's names")]
struct Switches {
    allow_direct: bool,
    allow_rollup_hdrs: bool,
    deny_delete: bool,
    deny_purge: bool,
    no_ack: bool,
    sealed: bool,
}

/// The messages that the server publishes again once it has stored them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Republish {
    src: String,
    dest: String,
    headers_only: bool,
}

/// The request that creates the stream.
pub fn creation(options: &Options, subjects: &Subjects) -> Value {
    json!({
        "name": subjects.stream(),
        "subjects": [subjects.log()],
        "retention": "limits",
        "discard": "old",
        "storage": "file",
        "num_replicas": options.replicas,
        "max_msg_size": MAX_MESSAGE_BYTES,
        "max_bytes": max_bytes(options),
        "max_age": max_age(options),
        "allow_direct": true,
        "deny_delete": true,
        "deny_purge": true,
        "republish": { "src": subjects.log(), "dest": subjects.tail() },
    })
}

fn max_bytes(options: &Options) -> i64 {
    i64::try_from(options.log_bytes).unwrap_or(i64::MAX)
}

/// In nanoseconds.
fn max_age(options: &Options) -> i64 {
    i64::try_from(options.log_age.as_nanos()).unwrap_or(i64::MAX)
}

impl StreamConfig {
    /// The settings without which the log would not be what this crate promises.
    pub fn differences(&self, options: &Options, subjects: &Subjects) -> Vec<Difference> {
        let switches = &self.switches;
        let is = |setting, value: &dyn ToString, wanted: &dyn ToString| {
            let (value, wanted) = (value.to_string(), wanted.to_string());
            (value != wanted).then(|| Difference::new(setting, &value, wanted))
        };
        let absent = |setting, value: &Option<IgnoredAny>| {
            value.is_some().then(|| Difference::new(setting, "set", "absent".into()))
        };
        let unlimited = |setting, value: i64| {
            (value > 0).then(|| Difference::new(setting, &value.to_string(), "without a limit".into()))
        };
        // The server writes -1 for no limit, and takes 0 for none.
        let is_too_short =
            usize::try_from(self.max_msg_size).is_ok_and(|bytes| (1..MAX_FRAME_BYTES).contains(&bytes));
        let differences = [
            is("subjects", &self.subjects.join(" "), &subjects.log()),
            is("retention", &self.retention, &"limits"),
            is("discard", &self.discard, &"old"),
            is("storage", &self.storage, &"file"),
            is("num_replicas", &self.num_replicas, &options.replicas),
            is("republish.src", &self.republish.src, &subjects.log()),
            is("republish.dest", &self.republish.dest, &subjects.tail()),
            is("republish.headers_only", &self.republish.headers_only, &false),
            is("allow_direct", &switches.allow_direct, &true),
            is("deny_delete", &switches.deny_delete, &true),
            is("deny_purge", &switches.deny_purge, &true),
            is("allow_rollup_hdrs", &switches.allow_rollup_hdrs, &false),
            is("no_ack", &switches.no_ack, &false),
            is("sealed", &switches.sealed, &false),
            absent("mirror", &self.mirror),
            absent("sources", &self.sources),
            absent("subject_transform", &self.subject_transform),
            unlimited("max_msgs", self.max_msgs),
            unlimited("max_msgs_per_subject", self.max_msgs_per_subject),
            is_too_short.then(|| {
                let wanted = format!("at least {MAX_FRAME_BYTES}");
                Difference::new("max_msg_size", &self.max_msg_size.to_string(), wanted)
            }),
        ];
        differences.into_iter().flatten().collect()
    }

    /// The limits of the stream, if they are not those of the options. Nothing depends on them but how long messages can
    /// be fetched.
    pub fn other_limits(&self, options: &Options) -> Option<Limits> {
        let differ = self.max_bytes != max_bytes(options) || self.max_age != max_age(options);
        differ.then(|| Limits {
            log_bytes: u64::try_from(self.max_bytes).ok().filter(|bytes| *bytes > 0),
            log_age: u64::try_from(self.max_age).ok().filter(|age| *age > 0).map(Duration::from_nanos),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> (Options, Subjects, Value) {
        let name = |name: &str| name.parse().expect("a name");
        let options = Options::new(vec!["127.0.0.1".into()], name("c"), name("n1"));
        let subjects = Subjects::new(&options.cluster, &options.node, "x".into());
        let mut config = creation(&options, &subjects);
        config["max_msgs"] = json!(-1);
        config["max_msgs_per_subject"] = json!(-1);
        config["duplicate_window"] = json!(120_000_000_000_u64);
        (options, subjects, config)
    }

    fn differing(config: &Value) -> Vec<String> {
        let (options, subjects, _) = wanted();
        let config: StreamConfig = serde_json::from_value(config.clone()).expect("settings");
        config.differences(&options, &subjects).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_stream_that_is_created_will_do_and_each_change_that_matters_is_named() {
        let (.., config) = wanted();
        assert_eq!(differing(&config), Vec::<String>::new());
        let changes = [
            ("storage", json!("memory"), "storage is `memory` and has to be `file`"),
            ("num_replicas", json!(3), "num_replicas is `3` and has to be `1`"),
            ("subjects", json!(["a", "b"]), "subjects is `a b` and has to be `arauto.c.log.>`"),
            ("republish", json!({}), "republish.src is `` and has to be `arauto.c.log.>`"),
            ("allow_direct", json!(false), "allow_direct is `false` and has to be `true`"),
            ("max_msgs", json!(9), "max_msgs is `9` and has to be `without a limit`"),
            ("max_msg_size", json!(9), "max_msg_size is `9` and has to be `at least 262144`"),
            ("sources", json!([{}]), "sources is `set` and has to be `absent`"),
        ];
        for (setting, value, words) in changes {
            let mut config = config.clone();
            config[setting] = value;
            assert_eq!(differing(&config).first().map(String::as_str), Some(words), "{setting}");
        }
    }

    #[test]
    fn other_limits_will_do() {
        let (options, _, mut config) = wanted();
        config["max_bytes"] = json!(1_000);
        config["max_age"] = json!(0);
        assert_eq!(differing(&config), Vec::<String>::new());
        let parsed: StreamConfig = serde_json::from_value(config).expect("settings");
        let limits = Limits { log_bytes: Some(1_000), log_age: None };
        assert_eq!(parsed.other_limits(&options), Some(limits));
    }
}
