//! [`App`]: all that a full screen shows, and what follows from events and keys. No IO, no clock.
//!
//! What there is to do outside is left in [`App::take_effect`].

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use ratatui::layout::Size;
use tui_input::Input;
use zeroize::Zeroizing;

use super::{
    clock::Now,
    entry::{Entry, Kind, Standing},
    farewell::Farewell,
    help,
    layout::Panes,
    line::Line,
    log::Log,
    pasting::Pasted,
    people::People,
    place::Place,
    sound::{Listening, Playing},
    theme::Theme,
    typed,
    unconfirmed::Unconfirmed,
    wheel::Arrow,
};
use crate::{
    client::{
        audio::{
            play::{self, Volume},
            publish::Order,
        },
        files::Assembly,
        leaving::{LEAVE_WITHIN, exit},
        link,
        names::in_sentence,
        text::MESSAGE_BYTES,
    },
    protocol,
};

/// The most that waits to be given to the link.
const MOST_EFFECTS: usize = 256;

/// What is to be done outside.
#[derive(Debug)]
pub enum Effect {
    /// Begin a conversation under this name.
    Begin(String),
    /// Give this to the conversation.
    Command(link::Command),
    /// Tell this one what files there are here.
    AnswerFiles {
        /// Who asked.
        asker: String,
    },
    /// The server says that this one wants to hear a file.
    Publish {
        /// Who.
        by: String,
        /// Which, and where it is to go.
        data: String,
    },
    /// The user's answer to whether a file may be played.
    MayPlay {
        /// The question's number.
        number: u64,
        /// Whether it may.
        may: bool,
    },
    /// Do this with what is played to others.
    Order {
        /// What.
        order: Order,
        /// With which; with all, if it is not said.
        file: Option<String>,
    },
    /// Listen to what is played there, and to nothing else any more.
    Listen {
        /// Where.
        address: String,
        /// How loud.
        volume: Volume,
    },
    /// Have this done with what is heard.
    Hear(play::Order),
    /// Draw all of the screen anew: something else wrote to it.
    Redraw,
    /// Give the terminal back and stop, until the shell has this program go on.
    Suspend,
}

/// How it stands with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// None is wanted yet.
    None,
    /// One is being made.
    Connecting,
    /// There is one, with a name.
    Joined,
    /// It broke; it is made again then.
    Cut(Instant),
    /// It is over for good.
    Over,
}

/// What is typed for.
pub enum Prompt {
    /// Messages and commands.
    Talk,
    /// One's name.
    Name(Input),
    /// A password. Nothing of it is shown.
    Password {
        /// Whose.
        name: String,
        /// What is typed so far.
        typed: Zeroizing<String>,
    },
    /// Whether to end the server.
    Close,
    /// What to do with lines that were pasted.
    Paste(Pasted),
    /// Nothing; it is over, and this is why.
    Over(Farewell),
}

/// All that a full screen shows.
pub struct App {
    pub(super) theme: Theme,
    pub(super) place: Place,
    /// One's own name, as far as it is known.
    pub(super) name: String,
    /// The most bytes of a message, as far as is known.
    pub(super) message_bytes: usize,
    pub(super) connection: Connection,
    pub(super) log: Log,
    pub(super) people: People,
    pub(super) line: Line,
    pub(super) prompt: Prompt,
    /// Said in the last row, until the next key.
    pub(super) hint: Option<String>,
    /// How far down the help is looked at, where it is shown.
    pub(super) help: Option<usize>,
    pub(super) size: Size,
    pub(super) unconfirmed: Unconfirmed,
    /// When an echo is to be sent that confirms what was sent before.
    pub(super) confirm_at: Option<Instant>,
    /// When the server said something last.
    pub(super) heard_at: Instant,
    /// Lists of files that come in parts.
    pub(super) lists: Assembly,
    /// What one plays to others.
    pub(super) playing: Playing,
    /// What one hears of others.
    pub(super) listening: Listening,
    effects: VecDeque<Effect>,
    pub(super) arrow: Option<Arrow>,
    /// The name in the prompt was refused: typing replaces it.
    pub(super) is_name_refused: bool,
    /// Why the last name was not given.
    pub(super) refused: Option<String>,
    /// Why there was no connection the last time that one was tried.
    pub(super) no_connection: Option<String>,
    /// The last connection ended because the server did.
    pub(super) is_closed: bool,
    /// `exit` was sent; it is not waited for longer than this.
    pub(super) leaving: Option<Instant>,
    pub(super) farewell: Option<Farewell>,
}

impl App {
    /// A screen on this server. Without a name, it is asked for.
    #[must_use]
    pub fn new(place: Place, name: Option<String>, theme: Theme, now: Now) -> Self {
        let mut app = Self {
            theme,
            place,
            name: String::new(),
            message_bytes: MESSAGE_BYTES,
            connection: Connection::None,
            log: Log::default(),
            people: People::default(),
            line: Line::default(),
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
            farewell: None,
        };
        for warning in app.place.warnings.clone() {
            app.error(now, &format!("Warning: {warning}"));
        }
        match name {
            Some(name) => app.introduce(name),
            None => app.note(now, "Type the name that others are to know you by, and Enter."),
        }
        app
    }

    /// The screen is so large now.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
        self.clamp_help();
    }

    /// Takes the next thing to be done outside.
    pub fn take_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// One's own name, as far as it is known.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is a connection with a name.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.connection == Connection::Joined
    }

    /// Someone who asked for the list of files gets none.
    pub fn no_answer(&mut self, asker: &str, why: &str, now: Now) {
        self.error(now, &format!("{} gets no list of your files: {why}", in_sentence(asker)));
    }

    /// Whether the screen is to be left, and why.
    #[must_use]
    pub fn farewell(&self) -> Option<&Farewell> {
        self.farewell.as_ref()
    }

    /// When [`Self::tick`] is to be called at the latest.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let list = (self.connection == Connection::Joined).then(|| self.people.deadline()).flatten();
        let countdown = match self.connection {
            Connection::Cut(until) if until > now => {
                // When another number of seconds is left.
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

    /// Time went by.
    pub fn tick(&mut self, now: Now) {
        if self.leaving.is_some_and(|until| now.at >= until) {
            self.farewell = Some(Farewell::Left);
        }
        self.show_given_up_files(now);
        if self.connection == Connection::Joined
            && let Some(mark) = self.people.ask(now.at)
        {
            // Together: the one marks the end of the other's answer.
            self.send(typed::list_clients(&self.name));
            self.send(typed::echo(&self.name, &mark));
            self.unconfirmed.mark(mark, now.at);
            self.confirm_at = None;
        }
        self.confirm(now);
    }

    /// Leaves, with a goodbye where there is somebody to say it to; asked for again, without.
    pub fn leave(&mut self, now: Now) {
        if self.connection == Connection::Joined && self.leaving.is_none() {
            self.send(exit(&self.name));
            self.leaving = Some(now.at + LEAVE_WITHIN);
        } else {
            self.farewell = Some(match (&self.prompt, self.refused.take()) {
                (Prompt::Over(why), _) => why.clone(),
                (_, Some(why)) => Farewell::Refused(why),
                _ if self.is_closed => Farewell::ServerClosed,
                _ => Farewell::Left,
            });
        }
    }

    /// Takes a name that was typed.
    pub(super) fn introduce(&mut self, name: String) {
        self.name.clone_from(&name);
        self.prompt = Prompt::Talk;
        self.connection = Connection::Connecting;
        self.effects.push_back(Effect::Begin(name));
    }

    /// Gives the answer to a password request.
    pub(super) fn give_password(&mut self, password: Zeroizing<String>) {
        self.prompt = Prompt::Talk;
        self.effects.push_back(Effect::Command(link::Command::Password(password)));
    }

    /// Draws all of the screen anew.
    pub(super) fn redraw(&mut self) {
        if self.has_room() {
            self.effects.push_back(Effect::Redraw);
        }
    }

    /// Drops messages that were not given to the connection before it broke.
    pub(super) fn forget_sending(&mut self) {
        self.effects.retain(|effect| !matches!(effect, Effect::Command(link::Command::Send(_))));
    }

    /// Leaves a message to be sent. Whether there was room.
    pub(super) fn send(&mut self, message: protocol::Line) -> bool {
        self.leave_effect(Effect::Command(link::Command::Send(message)))
    }

    /// Leaves this to be done. Whether there was room.
    pub(super) fn leave_effect(&mut self, effect: Effect) -> bool {
        let has_room = self.has_room();
        if has_room {
            self.effects.push_back(effect);
        }
        has_room
    }

    /// Someone asks what files there are here.
    pub(super) fn answer_files(&mut self, asker: &str, now: Now) {
        if self.has_room() {
            self.note(now, &format!("{} asked for the list of your files.", in_sentence(asker)));
            self.effects.push_back(Effect::AnswerFiles { asker: asker.to_owned() });
        } else {
            self.error(
                now,
                &format!(
                    "{} asked for the list of your files and gets none: too much waits",
                    in_sentence(asker)
                ),
            );
        }
    }

    fn has_room(&self) -> bool {
        self.effects.len() < MOST_EFFECTS
    }

    pub(super) fn say(&mut self, now: Now, kind: Kind, text: &str) {
        let (clock, text) = (now.clock, text.to_owned());
        self.log.push(Entry { clock, kind, text, standing: Standing::Settled });
    }

    pub(super) fn note(&mut self, now: Now, text: &str) {
        self.say(now, Kind::Notice, text);
    }

    pub(super) fn error(&mut self, now: Now, text: &str) {
        self.say(now, Kind::Error, text);
    }

    /// The panes of the screen as it is.
    pub(super) fn panes(&self) -> Panes {
        Panes::of(self.size)
    }

    /// How many columns and rows the conversation has.
    pub(super) fn view(&self) -> (usize, usize, Theme) {
        let log = self.panes().log;
        (usize::from(log.width), usize::from(log.height), self.theme)
    }

    /// Leaves at once.
    pub(super) fn go(&mut self, why: Farewell) {
        self.farewell = Some(why);
    }

    /// Whether the terminal is the one that keys go to. What comes while it is not is new when it is again.
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
