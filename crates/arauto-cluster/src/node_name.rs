//! [`NodeName`]: the name of a node, part of the subject that it appends to.

use serde::{Deserialize, Serialize};

/// Most characters of a node's or a cluster's name.
pub const MAX_NODE_NAME_CHARS: usize = 32;

/// A name of 1 to [`MAX_NODE_NAME_CHARS`] characters out of `a` to `z`, `0` to `9` and `-`. Safe as a part of a subject.
///
/// ```
/// use arauto_cluster::NodeName;
///
/// assert_eq!("n1".parse::<NodeName>()?.as_str(), "n1");
/// assert!("n.1".parse::<NodeName>().is_err());
/// # Ok::<(), arauto_cluster::node_name::NodeNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

/// Why a text is not a node's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name of 1 to {MAX_NODE_NAME_CHARS} characters a to z, 0 to 9 and - is wanted")]
pub struct NodeNameError;

impl NodeName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NodeName {
    type Error = NodeNameError;

    fn try_from(text: String) -> Result<Self, NodeNameError> {
        let is_valid = (1..=MAX_NODE_NAME_CHARS).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if is_valid { Ok(Self(text)) } else { Err(NodeNameError) }
    }
}

impl std::str::FromStr for NodeName {
    type Err = NodeNameError;

    fn from_str(text: &str) -> Result<Self, NodeNameError> {
        Self::try_from(text.to_owned())
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
