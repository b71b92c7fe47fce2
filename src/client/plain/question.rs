//! [`Question`]: what the dialogue asks for. The texts are the report's, as far as it shows them.

/// What is asked for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// What to do.
    Operation,
    /// What to have echoed.
    Echo,
    /// Whether a broadcast is for oneself too.
    Except,
    /// What to say to everyone, or everyone else.
    Broadcast {
        /// Everyone else.
        except: bool,
    },
    /// Whom to say something.
    PrivateTo,
    /// What to say to them.
    Private {
        /// Whom.
        to: String,
    },
    /// Whose files to list.
    FilesOf,
    /// The password of the account.
    Password,
}

/// The question for the name, before there is a connection.
pub(super) const NAME: &str = "write down your name: \n";

/// The words that `Operation:` takes, printed after a word that it does not know.
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
    /// As it is printed, with its line ending: the answer is typed on a line of its own.
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
