//! [`run`]: passes keys, the conversation, signals and time to an [`App`], and its picture to the terminal.

use std::{
    future::pending,
    io,
    time::{Duration, Instant},
};

use arauto_protocol::Line;
use crossterm::{
    event::{Event as Input, KeyEventKind},
    style::force_color_output,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{Permit, Receiver, Sender, channel, error::SendError},
};

use super::{
    app::{App, Effect},
    clock::Now,
    exit_reason::ExitReason,
    hold::{Happened, Hold},
    server_info::ServerInfo,
    theme::Theme,
};
use arauto_client::{
    audio::{
        play::{Heard, Listener, PlaybackError, Volume},
        publish::{Asking, News, Publisher, TooMuch},
    },
    deadline::sleep_until_opt,
    decoder::Item,
    dial::Dialer,
    files::{Folder, Sharer},
    link::{self, Event, Link},
    meaning::Meaning,
    signals::Signals,
};

/// Minimum time between two pictures: about 30 pictures per second at most.
const PICTURE_INTERVAL: Duration = Duration::from_millis(33);

/// Maximum number of events that are taken before keys are checked again.
const EVENTS_AT_ONCE: usize = 256;

/// Maximum number of keys that are taken before everything else is checked again.
const INPUTS_AT_ONCE: usize = 64;

/// Maximum number of queued news about files that are played to others.
const MAX_NEWS: usize = 64;

/// Shows a conversation until the user leaves it or it ends. `folder`: users who ask get the list of its files, and
/// can hear them. `asks`: whether the user is asked before a file is played.
///
/// # Errors
/// If the terminal cannot be used.
pub async fn run(
    dialer: Dialer,
    name: Option<String>,
    theme: Theme,
    folder: Option<Folder>,
    asks: bool,
) -> io::Result<ExitReason> {
    let (to_driver, answers) = channel(1);
    let (to_app, news) = channel(MAX_NEWS);
    let asking = if asks { Asking::First } else { Asking::Never };
    let publisher = Publisher::spawn(folder.as_ref().map(Folder::opener), asking, dialer.clone(), to_app);
    let sharer = Sharer::spawn(folder, to_driver);
    let (mut signals, mut hang_up) = (Signals::new()?, signal(SignalKind::hangup())?);
    let mut hold = Hold::take()?;
    // Overrides the library's own reading of the environment, which was considered where the theme was chosen.
    force_color_output(theme.has_colours());
    let mut app = App::new(ServerInfo::from(&dialer), name, theme, Now::read());
    if let Some(screen) = hold.screen() {
        app.resize(screen.size()?);
    }
    let mut driver = Driver {
        dialer,
        app,
        conversation: None,
        waiting: None,
        is_spoilt: false,
        suspends: false,
        sharer,
        answers,
        publisher,
        news,
        listener: None,
    };
    let mut next_picture = Instant::now();
    let mut is_stale = true;
    loop {
        driver.carry_out();
        if let Some(exit_reason) = driver.app.exit_reason() {
            return Ok(exit_reason.clone());
        }
        if std::mem::take(&mut driver.suspends) {
            hold.suspend().await;
        }
        let now = Instant::now();
        if is_stale
            && now >= next_picture
            && let Some(screen) = hold.screen()
        {
            if std::mem::take(&mut driver.is_spoilt) {
                screen.clear()?;
            }
            let app = &mut driver.app;
            screen.draw(|buffer| {
                // The terminal's size is read for each picture.
                app.resize(buffer.area.as_size());
                app.draw(buffer, now)
            })?;
            (is_stale, next_picture) = (false, Instant::now() + PICTURE_INTERVAL);
        }
        let tick = driver.app.deadline(now);
        let has_screen = hold.screen().is_some();
        let wake = tick.into_iter().chain((is_stale && has_screen).then_some(next_picture)).min();
        tokio::select! {
            happened = hold.next() => match happened? {
                Happened::Input(input) => is_stale |= driver.inputs(input, &hold)?,
                Happened::Back => is_stale = true,
            },
            () = driver.converse() => is_stale = true,
            () = sleep_until_opt(wake.map(Into::into)) => {}
            () = signals.next() => driver.app.leave(Now::read()),
            // The terminal is gone.
            _ = hang_up.recv() => return Ok(ExitReason::Left),
        }
        let now = Now::read();
        if tick.is_some_and(|tick| now.at >= tick) {
            driver.app.tick(now);
            is_stale = true;
        }
    }
}

/// A running conversation.
struct Conversation {
    commands: Sender<link::Command>,
    events: Receiver<Event>,
}

struct Driver {
    dialer: Dialer,
    app: App,
    conversation: Option<Conversation>,
    /// The command that goes to the conversation before any other.
    waiting: Option<link::Command>,
    /// Whether the whole screen has to be drawn anew.
    is_spoilt: bool,
    /// Whether the program has to stop, because the user pressed Ctrl-Z.
    suspends: bool,
    /// Answers requests for the list of files.
    sharer: Sharer,
    /// Messages from the sharer to the server.
    answers: Receiver<Line>,
    /// Plays files to others.
    publisher: Publisher,
    /// News from the publisher.
    news: Receiver<News>,
    /// Plays the stream that is heard here.
    listener: Option<Listener>,
}

impl Driver {
    /// Carries out the queued effects, as far as it is possible without waiting.
    fn carry_out(&mut self) {
        while self.waiting.is_none()
            && let Some(effect) = self.app.take_effect()
        {
            match effect {
                Effect::Begin(name) => {
                    let (commands, events) = Link::spawn(self.dialer.clone(), &name);
                    self.conversation = Some(Conversation { commands, events });
                }
                Effect::Command(command) => self.waiting = Some(command),
                Effect::AnswerFiles { asker } => self.answer_files(&asker),
                Effect::Redraw => self.is_spoilt = true,
                Effect::Suspend => self.suspends = true,
                Effect::Publish { by, data } => {
                    let done = self.publisher.summoned(self.app.name(), &by, &data);
                    self.too_much(done);
                }
                Effect::MayPlay { number, may } => {
                    let done = self.publisher.answer(number, may);
                    self.too_much(done);
                }
                Effect::Control { command, file } => {
                    let done = self.publisher.command(command, file.as_deref());
                    self.too_much(done);
                }
                Effect::Listen { address, volume } => self.listen(address, volume),
                Effect::Hear(command) => {
                    if let Some(listener) = &self.listener {
                        listener.command(command);
                    }
                }
            }
        }
    }

    /// Answers a request for the list of files.
    fn answer_files(&mut self, asker: &str) {
        if let Err(why) = self.sharer.asked(self.app.name(), asker) {
            self.app.no_answer(asker, &why.to_string(), Now::read());
        }
    }

    fn too_much(&mut self, done: Result<(), TooMuch>) {
        if let Err(why) = done {
            self.app.news(News::CannotDo(why.to_string()), Now::read());
        }
    }

    /// Listens to the stream at this address, and to no other any more.
    fn listen(&mut self, address: String, volume: Volume) {
        match Listener::spawn(self.dialer.clone(), address, volume) {
            Ok(listener) => self.listener = Some(listener),
            Err(why) => self.app.heard(Err(PlaybackError::Sink(why)), Now::read()),
        }
    }

    /// Takes the next event, or passes on the command that waits, whichever is first. Streams that are heard and
    /// played may outlast the conversation.
    async fn converse(&mut self) {
        let (commands, mut events) =
            self.conversation.as_mut().map(|all| (&all.commands, &mut all.events)).unzip();
        let is_waiting = self.waiting.is_some();
        let may_answer = !is_waiting && self.app.is_joined();
        let event = tokio::select! {
            event = received(events.as_deref_mut()) => event,
            place = room(commands), if is_waiting => {
                // A command for a conversation that is over is dropped.
                if let (Some(command), Ok(place)) = (self.waiting.take(), place) {
                    place.send(command);
                }
                return;
            }
            Some(news) = self.news.recv() => {
                self.app.news(news, Now::read());
                return;
            }
            heard = next(&mut self.listener) => {
                take_heard(&mut self.listener, &mut self.app, heard);
                return;
            }
            Some(answer) = self.answers.recv(), if may_answer => {
                self.waiting = Some(link::Command::Send(answer));
                return;
            }
        };
        let now = Now::read();
        let (Some(mut event), Some(events)) = (event, events) else {
            (self.conversation, self.waiting) = (None, None);
            self.app.conversation_is_gone();
            return;
        };
        for _ in 0..EVENTS_AT_ONCE {
            note_refusal(&self.sharer, &event);
            self.app.event(event, now);
            let Ok(next) = events.try_recv() else { return self.forget_sending() };
            event = next;
        }
        note_refusal(&self.sharer, &event);
        self.app.event(event, now);
        self.forget_sending();
    }

    /// Drops the message that waits for a connection that is gone: it was shown as perhaps not arrived.
    fn forget_sending(&mut self) {
        if !self.app.is_joined() {
            self.waiting.take_if(|command| matches!(command, link::Command::Send(_)));
        }
    }

    /// Takes an input and those that are already there: keys that come together belong to one moment. Returns whether
    /// they may change the picture.
    fn inputs(&mut self, first: Input, hold: &Hold) -> io::Result<bool> {
        let now = Now::read();
        let mut is_stale = self.input(first, now);
        for _ in 1..INPUTS_AT_ONCE {
            // The effect of a key may concern the terminal.
            self.carry_out();
            if self.suspends || self.app.exit_reason().is_some() {
                break;
            }
            let Some(input) = hold.ready() else { break };
            is_stale |= self.input(input?, now);
        }
        Ok(is_stale)
    }

    fn input(&mut self, input: Input, now: Now) -> bool {
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => self.app.key(key, now),
            Input::Paste(text) => self.app.paste(&text),
            // The size is read for the next picture, by code that handles a size of 0.
            Input::Resize(..) => {}
            Input::FocusGained => self.app.focus(true),
            Input::FocusLost => self.app.focus(false),
            Input::Key(_) | Input::Mouse(_) => return false,
        }
        true
    }
}

/// Waits for the next event of the conversation, without end if there is none.
async fn received(events: Option<&mut Receiver<Event>>) -> Option<Event> {
    match events {
        Some(events) => events.recv().await,
        None => pending().await,
    }
}

/// Waits for room for a command, without end if there is no conversation.
async fn room(commands: Option<&Sender<link::Command>>) -> Result<Permit<'_, link::Command>, SendError<()>> {
    match commands {
        Some(commands) => commands.reserve().await,
        None => pending().await,
    }
}

/// Waits for the next event of the stream that is heard, without end if there is none.
async fn next(listener: &mut Option<Listener>) -> Heard {
    match listener {
        Some(listener) => listener.next().await,
        None => pending().await,
    }
}

fn take_heard(listener: &mut Option<Listener>, app: &mut App, heard: Heard) {
    match heard {
        Heard::More(progress) => app.hears(progress, Now::read()),
        Heard::Over(over) => {
            *listener = None;
            app.heard(over, Now::read());
        }
    }
}

/// Passes message limits and refusals to the sharer: the server may refuse a list of files because it is too long.
fn note_refusal(sharer: &Sharer, event: &Event) {
    if let Event::MessageBytes(limit) = event {
        sharer.limited(*limit);
    }
    if let Event::Received(Item::Message(message)) = event
        && let Meaning::Refusal { why, .. } = message.meaning()
    {
        sharer.refused(why);
    }
}
