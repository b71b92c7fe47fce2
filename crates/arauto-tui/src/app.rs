//! [`App`]: the state of the full screen, and how events and keys change it. No IO, no clock.
//!
//! Effects outside the state are queued; [`App::take_effect`] returns them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use ratatui::layout::Size;
use tui_input::Input;
use zeroize::Zeroizing;

use super::{
    arrow::Arrow,
    clock::Now,
    entry::{DeliveryState, EntryKind, LogEntry},
    exit_reason::ExitReason,
    help,
    layout::Panes,
    line::InputLine,
    log::Log,
    pasted::Pasted,
    people::People,
    sentences::without_codes,
    server_info::ServerInfo,
    sound::{Listening, Playing},
    theme::Theme,
    typed,
    unconfirmed::Unconfirmed,
};
use arauto_client::{
    audio::{
        play::{self, Volume},
        publish::PublishCommand,
    },
    display_name::in_sentence,
    files::Assembly,
    link,
    logout::{LEAVE_TIMEOUT, exit},
    text::MESSAGE_BYTES,
};

/// Maximum length of the queue of effects. Only a new conversation and a password are queued beyond it.
const MAX_EFFECTS: usize = 256;

/// An effect that is carried out outside the state.
#[derive(Debug)]
pub enum Effect {
    /// Begin a conversation under this name.
    Begin(String),
    /// Pass this command to the conversation.
    Command(link::Command),
    /// Answer a request for the list of files.
    AnswerFiles {
        /// The user who asks.
        asker: String,
    },
    /// Play a file to a user who wants to hear it, as the server says.
    Publish {
        /// The user who asks.
        by: String,
        /// DATA of the server's message: the file, and the address to which it is sent.
        data: String,
    },
    /// The user's answer to whether a file may be played.
    MayPlay {
        /// The question's number.
        number: u64,
        /// Whether the file may be played.
        may: bool,
    },
    /// Pause or stop files that are played to others.
    Control {
        /// The command.
        command: PublishCommand,
        /// The file that it applies to; `None`: all files.
        file: Option<String>,
    },
    /// Listen to the stream at this address, and to no other any more.
    Listen {
        /// Address of the stream.
        address: String,
        /// The volume.
        volume: Volume,
    },
    /// Pass this command to the stream that is heard.
    Hear(play::PlaybackCommand),
    /// Draw the whole screen anew, because another program wrote to it.
    Redraw,
    /// Give the terminal back and stop, until the shell continues this program.
    Suspend,
}

/// State of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// No connection is wanted yet.
    None,
    /// The client connects.
    Connecting,
    /// The client is connected, and the server has confirmed the name.
    Joined,
    /// The connection broke. The client connects again at this time.
    Cut(Instant),
    /// The conversation has ended. The client does not connect again by itself.
    Over,
}

/// The purpose of the input line.
pub enum Prompt {
    /// Messages and commands.
    Talk,
    /// The user's name.
    Name(Input),
    /// A password, which is not shown.
    Password {
        /// Name of the account.
        name: String,
        /// The characters typed so far.
        typed: Zeroizing<String>,
    },
    /// The confirmation that the server is to end.
    Close,
    /// The decision about pasted lines.
    Paste(Pasted),
    /// No input: the conversation has ended, for this reason.
    Over(ExitReason),
}

/// The state of the full screen.
pub struct App {
    pub(super) theme: Theme,
    pub(super) server_info: ServerInfo,
    /// The user's own name, as far as it is known.
    pub(super) name: String,
    /// Maximum size of a message in bytes, as far as it is known.
    pub(super) message_bytes: usize,
    pub(super) connection: ConnectionState,
    pub(super) log: Log,
    pub(super) people: People,
    pub(super) line: InputLine,
    pub(super) prompt: Prompt,
    /// Shown in the last row until the next key.
    pub(super) hint: Option<String>,
    /// First row of the help in view; `None` while the help is hidden.
    pub(super) help: Option<usize>,
    pub(super) size: Size,
    pub(super) unconfirmed: Unconfirmed,
    /// When to send an echo that confirms earlier messages.
    pub(super) confirm_at: Option<Instant>,
    /// When the server last sent something.
    pub(super) heard_at: Instant,
    /// Lists of files that come in parts.
    pub(super) lists: Assembly,
    /// Files that are played to others.
    pub(super) playing: Playing,
    /// Files of others that are heard here.
    pub(super) listening: Listening,
    effects: VecDeque<Effect>,
    pub(super) arrow: Option<Arrow>,
    /// The name in the prompt was refused: typing replaces it.
    pub(super) is_name_refused: bool,
    /// Why the server refused the last name.
    pub(super) refused: Option<String>,
    /// Why the last attempt to connect failed.
    pub(super) no_connection: Option<String>,
    /// Whether the last connection ended because the server did.
    pub(super) is_closed: bool,
    /// Set once `exit` was sent: how long to wait for its confirmation.
    pub(super) leaving: Option<Instant>,
    pub(super) exit_reason: Option<ExitReason>,
}

impl App {
    /// Creates the state for a server. Without a `name`, the user is asked for one.
    #[must_use]
    pub fn new(server_info: ServerInfo, name: Option<String>, theme: Theme, now: Now) -> Self {
        let mut app = Self {
            theme,
            server_info,
            name: String::new(),
            message_bytes: MESSAGE_BYTES,
            connection: ConnectionState::None,
            log: Log::default(),
            people: People::default(),
            line: InputLine::default(),
            prompt: Prompt::Name(Input::default()),
            hint: None,
            help: None,
            size: Size::new(80, 24),
            unconfirmed: Unconfirmed::default(),
            confirm_at: None,
            heard_at: now.at,
            lists: Assembly::default(),
            playing: Playing::default(),
            listening: Listening::default(),
            effects: VecDeque::new(),
            arrow: None,
            is_name_refused: false,
            refused: None,
            no_connection: None,
            is_closed: false,
            leaving: None,
            exit_reason: None,
        };
        for warning in app.server_info.warnings.clone() {
            app.error(now, &format!("Warning: {warning}"));
        }
        match name {
            Some(name) => app.introduce(name),
            None => app.note(now, "Type the name that others are to know you by, and Enter."),
        }
        app
    }

    /// Sets the size of the screen.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
        self.clamp_help();
    }

    /// Takes the next effect to carry out.
    pub fn take_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The user's own name, as far as it is known.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the client is connected and the server has confirmed the name.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.connection == ConnectionState::Joined
    }

    /// Shows that `asker` gets no list of files, and why.
    pub fn no_answer(&mut self, asker: &str, why: &str, now: Now) {
        self.error(
            now,
            &format!("{} gets no list of your files: {}", in_sentence(asker), without_codes(why)),
        );
    }

    /// Why the screen is to be left; `None` while it stays.
    #[must_use]
    pub fn exit_reason(&self) -> Option<&ExitReason> {
        self.exit_reason.as_ref()
    }

    /// Latest time at which [`Self::tick`] has to be called; `None` if without limit.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let list = (self.connection == ConnectionState::Joined).then(|| self.people.deadline()).flatten();
        let countdown = match self.connection {
            ConnectionState::Cut(until) if until > now => {
                // The number of seconds left changes then.
                let left = until - now;
                Some(now + Duration::from_nanos(u64::from(left.subsec_nanos()).max(1)))
            }
            _ => None,
        };
        [list, countdown, self.leaving, self.lists.due(), self.confirm_at, self.next_silence(now)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Carries out what is due at `now`.
    pub fn tick(&mut self, now: Now) {
        if self.leaving.is_some_and(|until| now.at >= until) {
            self.exit_reason = Some(ExitReason::Left);
        }
        self.show_given_up_files(now);
        if self.connection == ConnectionState::Joined
            && let Some((request, mark)) = self.people.ask(now.at)
        {
            // Sent together: the echo marks the end of the list.
            self.send(typed::request(&self.name, request));
            self.send(typed::echo(&self.name, &mark));
            self.unconfirmed.mark(mark, now.at);
            self.confirm_at = None;
        }
        self.confirm(now);
    }

    /// Leaves. While joined, sends `exit` and waits for the confirmation; a second call does not wait.
    pub fn leave(&mut self, now: Now) {
        if self.connection == ConnectionState::Joined && self.leaving.is_none() {
            self.send(exit(&self.name));
            self.leaving = Some(now.at + LEAVE_TIMEOUT);
        } else {
            self.exit_reason = Some(match (&self.prompt, self.refused.take()) {
                (Prompt::Over(why), _) => why.clone(),
                (_, Some(why)) => ExitReason::Refused(why),
                _ if self.is_closed => ExitReason::ServerClosed,
                _ => ExitReason::Left,
            });
        }
    }

    /// Starts a conversation under this name.
    pub(super) fn introduce(&mut self, name: String) {
        self.name.clone_from(&name);
        self.prompt = Prompt::Talk;
        self.connection = ConnectionState::Connecting;
        self.effects.push_back(Effect::Begin(name));
    }

    /// Answers the server's request for a password.
    pub(super) fn give_password(&mut self, password: Zeroizing<String>) {
        self.prompt = Prompt::Talk;
        self.effects.push_back(Effect::Command(link::Command::Password(password)));
    }

    /// Requests that the whole screen is drawn anew.
    pub(super) fn redraw(&mut self) {
        if self.has_room() {
            self.effects.push_back(Effect::Redraw);
        }
    }

    /// Drops messages that were not passed to the connection before it broke.
    pub(super) fn forget_sending(&mut self) {
        self.effects.retain(|effect| !matches!(effect, Effect::Command(link::Command::Send(_))));
    }

    /// Queues a message. Returns whether there was room.
    pub(super) fn send(&mut self, message: arauto_protocol::Line) -> bool {
        self.leave_effect(Effect::Command(link::Command::Send(message)))
    }

    /// Queues an effect. Returns whether there was room.
    pub(super) fn leave_effect(&mut self, effect: Effect) -> bool {
        let has_room = self.has_room();
        if has_room {
            self.effects.push_back(effect);
        }
        has_room
    }

    /// Shows that `asker` requests the list of files, and queues the answer.
    pub(super) fn answer_files(&mut self, asker: &str, now: Now) {
        if self.has_room() {
            self.note(now, &format!("{} asked for the list of your files.", in_sentence(asker)));
            self.effects.push_back(Effect::AnswerFiles { asker: asker.to_owned() });
        } else {
            self.error(
                now,
                &format!(
                    "{} asked for the list of your files and gets none: too many requests are waiting",
                    in_sentence(asker)
                ),
            );
        }
    }

    fn has_room(&self) -> bool {
        self.effects.len() < MAX_EFFECTS
    }

    pub(super) fn say(&mut self, now: Now, kind: EntryKind, text: &str) {
        let (clock, text) = (now.clock, text.to_owned());
        self.log.push(LogEntry { clock, kind, text, standing: DeliveryState::Settled });
    }

    pub(super) fn note(&mut self, now: Now, text: &str) {
        self.say(now, EntryKind::Notice, text);
    }

    pub(super) fn error(&mut self, now: Now, text: &str) {
        self.say(now, EntryKind::Error, text);
    }

    /// The panes of the screen at its present size.
    pub(super) fn panes(&self) -> Panes {
        Panes::new(self.size)
    }

    /// Columns and rows of the conversation's pane, and the theme.
    pub(super) fn view(&self) -> (usize, usize, Theme) {
        let log = self.panes().log;
        (usize::from(log.width), usize::from(log.height), self.theme)
    }

    /// Leaves at once, for this reason.
    pub(super) fn go(&mut self, why: ExitReason) {
        self.exit_reason = Some(why);
    }

    /// Records whether the terminal has the keyboard focus. Entries that come without it are new.
    pub fn focus(&mut self, is_focused: bool) {
        self.log.focus(is_focused);
    }

    pub(super) fn clamp_help(&mut self) {
        let panes = self.panes();
        if let Some(at) = &mut self.help {
            let (columns, rows) = (usize::from(panes.log.width), usize::from(panes.log.height));
            let all = help::rows(columns, self.theme).len();
            *at = (*at).min(all.saturating_sub(rows));
        }
    }
}
