//! [`Question`]: the questions of the dialogue. Their texts are the report's, as far as the report shows them.

/// The question that the user answers next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// The operation to carry out.
    Operation,
    /// The text of an echo.
    Echo,
    /// Whether a broadcast leaves out its sender.
    Except,
    /// The text of a broadcast.
    Broadcast {
        /// Whether the sender is left out.
        except: bool,
    },
    /// The receiver of a private message.
    PrivateTo,
    /// The text of a private message.
    Private {
        /// The receiver's name.
        to: String,
    },
    /// The user whose files are listed.
    FilesOf,
    /// The password of the account.
    Password,
}

/// The question for the name, asked before the client connects.
pub(super) const NAME: &str = "write down your name: \n";

/// The words that `Operation:` accepts, printed on request and after an unknown word.
pub(super) const OPERATIONS: &str = "\
Operations:
    echo               what you type comes back to you
    broadcast          to everyone, or to everyone but you
    broadcast_not_me   to everyone but you
    private_message    to one user
    list_clients       who is connected
    list_files         which files a user shares
    exit               leave
    close server       end the server for everyone
    help               this list

";

impl Question {
    /// The text to print, with its line ending: the answer is typed on the next line.
    pub(super) fn text(&self) -> &'static str {
        match self {
            Self::Operation => "Operation: \n",
            Self::Echo => "Echo message: \n",
            Self::Except => "Broadcast message except you? y/n\n",
            Self::Broadcast { .. } => "Broadcast message: \n",
            Self::PrivateTo | Self::FilesOf => "Client name: \n",
            Self::Private { .. } => "Private message: \n",
            Self::Password => "Password: \n",
        }
    }
}
