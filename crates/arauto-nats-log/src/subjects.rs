//! [`Subjects`]: the names of the stream and of all subjects, and [`Reply`]: what an answer in the inbox answers.
//!
//! Clusters' and nodes' names have no character that means something in a subject, and no text of users is in any.

use arauto_cluster::{Instance, NodeName};

/// The names that one node of one cluster uses.
#[derive(Debug)]
pub struct Subjects {
    node: NodeName,
    /// `ARAUTO_` and the cluster's name.
    stream: String,
    /// `arauto.`, the cluster's name and a dot.
    prefix: String,
    /// The subject below which answers come: random, so that answers to an earlier run of the node are not taken for ours.
    inbox: String,
}

/// A request whose answer comes to the inbox. It is a part of the answer's subject, so nothing is kept for a request that
/// is never answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An append of a frame.
    Append {
        /// The writer of the frame.
        instance: Instance,
        /// The number of the frame.
        number: u64,
    },
    /// `STREAM.INFO`, because the program asks for the end of the log.
    End,
    /// `STREAM.INFO`, to see whether the stream is still there.
    Check,
    /// `STREAM.INFO`, because a replica and the leader say that the message at this position is gone.
    Bounds(u64),
    /// `STREAM.CREATE`.
    Create,
    /// `DIRECT.GET` of the message at this position, which any replica answers.
    Direct(u64),
    /// `STREAM.MSG.GET` of the message at this position, which the leader answers.
    Leader(u64),
    /// As [`Self::Leader`], of a message that the program wants to compare.
    Verify(u64),
    /// `STREAM.INFO`, because the leader has no message to compare at this position.
    VerifyBounds(u64),
    /// A request that is made only to see whether it is permitted.
    Probe,
}

impl Subjects {
    /// The names for this node. `inbox` is unique for this run.
    pub fn new(cluster: &NodeName, node: &NodeName, inbox: String) -> Self {
        Self {
            node: node.clone(),
            stream: format!("ARAUTO_{cluster}"),
            prefix: format!("arauto.{cluster}."),
            inbox,
        }
    }

    /// The subject below which a node makes its inboxes. Its user may subscribe to what is below this.
    pub fn inbox_prefix(cluster: &NodeName, node: &NodeName) -> String {
        format!("_INBOX.arauto.{cluster}.{node}")
    }

    /// The stream.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The subjects of all nodes' frames, which the stream stores.
    pub fn log(&self) -> String {
        format!("{}log.>", self.prefix)
    }

    /// The subject that this node appends to.
    pub fn own_log(&self) -> String {
        format!("{}log.{}", self.prefix, self.node)
    }

    /// The subjects on which the server publishes what it has stored.
    pub fn tail(&self) -> String {
        format!("{}tail.>", self.prefix)
    }

    /// The subject on which the server publishes this node's frames, and on which the node must not be allowed to publish.
    pub fn own_tail(&self) -> String {
        format!("{}tail.{}", self.prefix, self.node)
    }

    /// The subject on which this node sends the state to an instance.
    pub fn state_to(&self, joiner: Instance) -> String {
        format!("{}state.{joiner}.{}", self.prefix, self.node)
    }

    /// The subjects on which an instance is sent the state.
    pub fn states_for(&self, joiner: Instance) -> String {
        format!("{}state.{joiner}.*", self.prefix)
    }

    /// A request to JetStream, such as `STREAM.INFO`.
    pub fn api(&self, request: &str) -> String {
        format!("$JS.API.{request}.{}", self.stream)
    }

    /// The subjects of all answers.
    pub fn inbox(&self) -> String {
        format!("{}.>", self.inbox)
    }

    /// Something that only this run knows.
    pub fn secret(&self) -> &str {
        &self.inbox
    }

    /// The subject to which the answer to this request is to be sent.
    pub fn reply_subject(&self, reply: Reply) -> String {
        let inbox = &self.inbox;
        match reply {
            Reply::Append { instance, number } => format!("{inbox}.append.{instance}.{number}"),
            Reply::End => format!("{inbox}.end"),
            Reply::Check => format!("{inbox}.check"),
            Reply::Bounds(position) => format!("{inbox}.bounds.{position}"),
            Reply::Create => format!("{inbox}.create"),
            Reply::Direct(position) => format!("{inbox}.direct.{position}"),
            Reply::Leader(position) => format!("{inbox}.leader.{position}"),
            Reply::Verify(position) => format!("{inbox}.verify.{position}"),
            Reply::VerifyBounds(position) => format!("{inbox}.verify-bounds.{position}"),
            Reply::Probe => format!("{inbox}.probe"),
        }
    }

    /// The request that was answered on this subject.
    pub fn reply(&self, subject: &str) -> Option<Reply> {
        let mut parts = subject.strip_prefix(&self.inbox)?.strip_prefix('.')?.split('.');
        let request = (parts.next()?, parts.next(), parts.next(), parts.next());
        let reply = match request {
            ("append", Some(instance), Some(number), None) => Reply::Append {
                instance: Instance(u64::from_str_radix(instance, 16).ok()?),
                number: number.parse().ok()?,
            },
            ("end", None, None, None) => Reply::End,
            ("check", None, None, None) => Reply::Check,
            ("create", None, None, None) => Reply::Create,
            ("probe", None, None, None) => Reply::Probe,
            ("bounds", Some(position), None, None) => Reply::Bounds(position.parse().ok()?),
            ("direct", Some(position), None, None) => Reply::Direct(position.parse().ok()?),
            ("leader", Some(position), None, None) => Reply::Leader(position.parse().ok()?),
            ("verify", Some(position), None, None) => Reply::Verify(position.parse().ok()?),
            ("verify-bounds", Some(position), None, None) => Reply::VerifyBounds(position.parse().ok()?),
            _ => return None,
        };
        Some(reply)
    }

    /// Whether a message on this subject of the tail repeats a message that was stored under that subject of the log.
    pub fn repeats(&self, tail: &str, log: &str) -> bool {
        let after = |subject, kind| str::strip_prefix(subject, self.prefix.as_str())?.strip_prefix(kind);
        matches!((after(tail, "tail."), after(log, "log.")), (Some(tail), Some(log)) if tail == log)
    }

    /// The node that appends to this subject. Nothing, if it is not a subject of a node.
    pub fn writer(&self, log: &str) -> Option<NodeName> {
        log.strip_prefix(&self.prefix)?.strip_prefix("log.")?.parse().ok()
    }

    /// The node that sends the state on this subject.
    pub fn donor(&self, state: &str) -> Option<NodeName> {
        let (_, donor) = state.strip_prefix(&self.prefix)?.strip_prefix("state.")?.split_once('.')?;
        donor.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects() -> Subjects {
        let name = |name: &str| name.parse().expect("a name");
        Subjects::new(&name("c"), &name("n1"), "_INBOX.arauto.c.n1.x".into())
    }

    #[test]
    fn each_reply_is_read_from_its_subject_and_nothing_else_is() {
        let subjects = subjects();
        let instance = Instance(0xfeed);
        let replies = [
            Reply::Append { instance, number: u64::MAX },
            Reply::End,
            Reply::Check,
            Reply::Bounds(1),
            Reply::Create,
            Reply::Direct(2),
            Reply::Leader(3),
            Reply::Verify(4),
            Reply::VerifyBounds(5),
            Reply::Probe,
        ];
        for reply in replies {
            assert_eq!(subjects.reply(&subjects.reply_subject(reply)), Some(reply));
        }
        let others = ["", ".", ".end.1", ".direct", ".direct.x", ".direct.1.2", ".append.x.1", "y.end"];
        for other in others {
            assert_eq!(subjects.reply(&format!("_INBOX.arauto.c.n1.x{other}")), None, "{other}");
        }
        assert_eq!(subjects.reply("_INBOX.arauto.c.n1.other.end"), None, "an answer to an earlier run");
    }

    #[test]
    fn subjects_name_nodes() {
        let subjects = subjects();
        assert_eq!(subjects.writer("arauto.c.log.n2"), "n2".parse().ok());
        for other in ["arauto.c.log.n2.x", "arauto.c.log.N2", "arauto.d.log.n2", "arauto.c.tail.n2"] {
            assert_eq!(subjects.writer(other), None, "{other}");
        }
        assert!(subjects.repeats("arauto.c.tail.n2", "arauto.c.log.n2"));
        assert!(!subjects.repeats("arauto.c.tail.n2", "arauto.c.log.n3"));
        assert!(!subjects.repeats("arauto.d.tail.n2", "arauto.d.log.n2"));
        assert_eq!(subjects.donor(&subjects.state_to(Instance(1))), "n1".parse().ok());
        assert_eq!(subjects.donor("arauto.c.state.1"), None);
    }
}
