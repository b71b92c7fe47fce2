//! How the state follows keys.

use arauto_protocol::{Line, Message, Operation, name::MAX_NAME_CHARS};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};
use zeroize::{Zeroize, Zeroizing};

use super::{
    app::{App, ConnectionState, Effect, Prompt},
    clock::Now,
    entry::{DeliveryState, EntryKind, LogEntry},
    line,
    typed::{self, Typed},
    unconfirmed::returned,
};
use arauto_client::audio::publish::PublishCommand;

/// Maximum size of a typed password in bytes.
const MAX_PASSWORD_BYTES: usize = 1024;

impl App {
    /// Takes a key press.
    pub fn key(&mut self, key: KeyEvent, now: Now) {
        self.hint = None;
        if self.key_anywhere(key, now) {
            return;
        }
        let replaces = std::mem::take(&mut self.is_name_refused) && line::typed(key).is_some();
        match &mut self.prompt {
            Prompt::Talk => self.key_in_talk(key, now),
            Prompt::Name(input) => {
                if key.code == KeyCode::Enter {
                    let name = input.value().trim().to_owned();
                    self.take_name(name);
                } else {
                    if replaces {
                        input.reset();
                    }
                    edit_name(input, key);
                }
            }
            Prompt::Password { typed, .. } => match key.code {
                KeyCode::Enter => {
                    let password = std::mem::replace(typed, Zeroizing::new(String::new()));
                    self.give_password(password);
                }
                KeyCode::Backspace => drop(typed.pop()),
                KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => typed.zeroize(),
                _ => {
                    if let Some(c) = line::typed(key) {
                        type_secretly(typed, c);
                    }
                }
            },
            Prompt::Close => self.key_in_close(key, now),
            Prompt::Paste(_) => self.key_in_paste(key, now),
            Prompt::Over(why) => match key.code {
                KeyCode::Enter => self.introduce(self.name.clone()),
                KeyCode::Esc | KeyCode::Char('q') => {
                    let why = why.clone();
                    self.go(why);
                }
                _ => {}
            },
        }
    }

    /// Handles keys that mean the same for all prompts. Returns whether `key` is such a key.
    fn key_anywhere(&mut self, key: KeyEvent, now: Now) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => self.interrupt(now),
            KeyCode::Char('d') if control && self.nothing_is_typed() => self.leave(now),
            KeyCode::Char('l') if control => self.redraw(),
            KeyCode::Char('z') if control => {
                self.leave_effect(Effect::Suspend);
            }
            KeyCode::F(1) => self.toggle_help(),
            KeyCode::Esc if self.help.is_some() => self.help = None,
            KeyCode::Esc
                if matches!(self.prompt, Prompt::Talk | Prompt::Name(_) | Prompt::Password { .. }) =>
            {
                self.log.follow();
            }
            KeyCode::PageUp | KeyCode::Home if control => self.scroll_to_top(),
            KeyCode::PageDown | KeyCode::End if control => self.scroll_to_bottom(),
            KeyCode::PageUp => self.scroll_up(self.page()),
            KeyCode::PageDown => self.scroll_down(self.page()),
            KeyCode::Up if self.help.is_some() || !matches!(self.prompt, Prompt::Talk) => self.scroll_up(1),
            KeyCode::Down if self.help.is_some() || !matches!(self.prompt, Prompt::Talk) => {
                self.scroll_down(1);
            }
            KeyCode::Up if key.modifiers.contains(KeyModifiers::SHIFT) => self.scroll_up(1),
            KeyCode::Down if key.modifiers.contains(KeyModifiers::SHIFT) => self.scroll_down(1),
            _ => return false,
        }
        true
    }

    fn nothing_is_typed(&self) -> bool {
        match &self.prompt {
            Prompt::Talk => self.line.text().is_empty(),
            Prompt::Name(input) => input.value().is_empty(),
            Prompt::Password { typed, .. } => typed.is_empty(),
            Prompt::Close | Prompt::Over(_) => true,
            Prompt::Paste(_) => false,
        }
    }

    fn key_in_talk(&mut self, key: KeyEvent, now: Now) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('p') if control => self.line.older(),
            KeyCode::Char('n') if control => self.line.newer(),
            KeyCode::Enter => self.enter(now),
            KeyCode::Up | KeyCode::Down => self.arrow(key.code == KeyCode::Up, now),
            KeyCode::Tab => self.complete(false),
            KeyCode::BackTab => self.complete(true),
            _ => {
                self.line.key(key);
            }
        }
    }

    fn key_in_close(&mut self, key: KeyEvent, now: Now) {
        match key.code {
            KeyCode::Char('y' | 'Y') => {
                self.prompt = Prompt::Talk;
                if self.connection == ConnectionState::Joined {
                    self.send(typed::close_server(&self.name));
                } else {
                    self.error(now, "There is no connection: the server was not told to end.");
                }
            }
            KeyCode::Char('n' | 'N') | KeyCode::Esc | KeyCode::Enter => {
                self.prompt = Prompt::Talk;
                self.hint = Some("The server goes on.".to_owned());
            }
            _ => self.hint = Some("y or n?".to_owned()),
        }
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str) {
        self.hint = None;
        let replaces = std::mem::take(&mut self.is_name_refused);
        match &mut self.prompt {
            Prompt::Talk => self.paste_into_line(text),
            Prompt::Name(input) => {
                if replaces {
                    input.reset();
                }
                for c in text.trim().chars().filter(|c| !c.is_control()).take(2 * MAX_NAME_CHARS) {
                    input.handle(InputRequest::InsertChar(c));
                }
            }
            Prompt::Password { typed, .. } => {
                text.trim_end_matches(['\r', '\n']).chars().for_each(|c| type_secretly(typed, c));
            }
            Prompt::Close | Prompt::Paste(_) | Prompt::Over(_) => {}
        }
    }

    /// Handles Ctrl-C.
    fn interrupt(&mut self, now: Now) {
        if matches!(self.prompt, Prompt::Talk) && !self.line.text().is_empty() {
            self.line.take();
            self.hint = Some("Ctrl-C again leaves; Up brings the text back".to_owned());
        } else if matches!(self.prompt, Prompt::Close) {
            self.prompt = Prompt::Talk;
            self.hint = Some("The server goes on. Ctrl-C again leaves".to_owned());
        } else if matches!(self.prompt, Prompt::Paste(_)) {
            self.forget_paste("Nothing was pasted. Ctrl-C again leaves");
        } else {
            self.leave(now);
        }
    }

    fn take_name(&mut self, name: String) {
        if name.is_empty() {
            self.hint = Some("A name has at least one character".to_owned());
        } else {
            self.introduce(name);
        }
    }

    fn complete(&mut self, back: bool) {
        let own = &self.name;
        let names: Vec<_> = self.people.names().iter().filter(|name| *name != own).cloned().collect();
        let listening = &self.listening;
        self.line.complete(&names, |of| listening.files_of(of).to_vec(), back);
        if self.line.completion().is_none() {
            self.hint = Some("Nothing to complete: Tab completes /commands, names and files".to_owned());
        }
    }

    fn enter(&mut self, now: Now) {
        if self.listens(now) {
            return;
        }
        let typed = self.line.text().to_owned();
        if self.answers(&typed) {
            self.line.take();
            return;
        }
        match typed::read(self.line.text(), &self.name, self.message_bytes) {
            Typed::Nothing => {
                self.line.set("");
                self.log.follow();
            }
            Typed::Help => {
                self.line.take();
                self.help = Some(0);
            }
            Typed::Leave => {
                self.line.take();
                self.leave(now);
            }
            Typed::Control(command, file) => {
                if self.control(command, file) {
                    self.line.take();
                }
            }
            Typed::Send(message) if let Some(file) = self.own_file_to_stop(&message.message()) => {
                if self.control(PublishCommand::Stop, Some(file)) {
                    self.line.take();
                }
            }
            Typed::Wrong(why) => self.hint = Some(why),
            _ if self.connection != ConnectionState::Joined => {
                self.hint = Some("Not sent: there is no connection. Enter sends it once there is".to_owned());
            }
            Typed::Close => {
                self.line.take();
                self.prompt = Prompt::Close;
            }
            Typed::List => {
                self.line.take();
                self.people.show(now.at);
                self.tick(now);
            }
            Typed::Send(message) => self.send_typed(message, now),
        }
    }

    fn send_typed(&mut self, line: Line, now: Now) {
        let typed = self.line.text().to_owned();
        if self.send_words(line, typed, now) {
            self.line.take();
        } else {
            self.hint = Some("Not sent: the server takes nothing just now. Enter tries again".to_owned());
        }
    }

    /// Sends a message that was typed as `typed`. Returns whether there was room for it.
    pub(super) fn send_words(&mut self, line: Line, typed: String, now: Now) -> bool {
        let message = line.message();
        let own_copy = self.own_copy(&message, now);
        let returns = returned(&message).is_some();
        self.note_asked(&message, now);
        if !self.send(line.clone()) {
            self.not_played(message.operation, "");
            return false;
        }
        match own_copy {
            Some(entry) if returns => self.log.push_waiting(entry),
            // Takes its final place at once: answers to it come below.
            Some(entry) => self.log.push(entry),
            None => {}
        }
        if !returns {
            self.confirm_soon(now.at);
        }
        self.unconfirmed.words(typed, line, now.at);
        self.log.follow();
        self.log.all_is_seen();
        true
    }

    /// The entry shown at once for the user's own message, marked until it is known to have arrived.
    fn own_copy(&self, message: &Message<'_>, now: Now) -> Option<LogEntry> {
        let (to, private) = match Operation::from_wire(message.operation)? {
            Operation::PrivateMessage => (Some(message.destination.to_owned()), true),
            Operation::BroadcastNotMe => (Some("others".to_owned()), false),
            Operation::Broadcast => (None, false),
            _ => return None,
        };
        let kind = EntryKind::Said { by: self.name.clone(), to, private, own: true };
        let standing = DeliveryState::Waiting(self.unconfirmed.next_number());
        Some(LogEntry { clock: now.clock, kind, text: message.data.to_owned(), standing })
    }

    fn toggle_help(&mut self) {
        self.help = if self.help.is_some() { None } else { Some(0) };
    }

    /// Rows of a page, less one row that stays in view.
    fn page(&self) -> usize {
        usize::from(self.panes().log.height).saturating_sub(1).max(1)
    }

    pub(super) fn scroll_up(&mut self, by: usize) {
        if let Some(at) = &mut self.help {
            *at = at.saturating_sub(by);
            return;
        }
        let (columns, pane, theme) = self.view();
        self.log.up(by, pane, |entry: &LogEntry| entry.rows(columns, theme).len());
    }

    pub(super) fn scroll_down(&mut self, by: usize) {
        if let Some(at) = &mut self.help {
            *at = at.saturating_add(by);
            self.clamp_help();
            return;
        }
        let (columns, _, theme) = self.view();
        self.log.down(by, |entry: &LogEntry| entry.rows(columns, theme).len());
    }

    fn scroll_to_bottom(&mut self) {
        if self.help.is_some() {
            self.help = Some(usize::MAX);
            self.clamp_help();
        } else {
            self.log.follow();
        }
    }

    fn scroll_to_top(&mut self) {
        if self.help.is_some() {
            self.help = Some(0);
            return;
        }
        let (columns, pane, theme) = self.view();
        self.log.look_at_oldest(pane, |entry: &LogEntry| entry.rows(columns, theme).len());
    }
}

fn edit_name(input: &mut Input, key: KeyEvent) {
    let is_full = input.value().chars().count() >= 2 * MAX_NAME_CHARS;
    if line::typed(key).is_some() && is_full {
        return;
    }
    line::edit(input, key);
}

fn type_secretly(typed: &mut Zeroizing<String>, c: char) {
    // The string must not grow: growing leaves a copy of its old content in memory.
    if typed.capacity() == 0 {
        typed.reserve_exact(MAX_PASSWORD_BYTES);
    }
    if typed.len() + c.len_utf8() <= MAX_PASSWORD_BYTES && !c.is_control() {
        typed.push(c);
    }
}
