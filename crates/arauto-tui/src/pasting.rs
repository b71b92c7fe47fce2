//! A paste of several lines: the user is asked, and each line is sent as a message.

use arauto_protocol::{
    Operation,
    short_form::{self, ShortForm},
};
use crossterm::event::{KeyCode, KeyEvent};

use super::{
    app::{App, ConnectionState, Prompt},
    clock::Now,
    pasted::Pasted,
    typed::{self, Typed},
};

/// Maximum number of lines that are sent as messages at once. The server's flood control allows 500 at once.
const MAX_LINES: usize = 200;

/// Kind of a paste into the input line.
enum Kind {
    /// A text that goes into the input line as one line.
    OneLine,
    Lines(Vec<String>),
    /// A text that cannot be sent, for this reason.
    Wrong(String),
}

impl App {
    /// Takes a paste into the input line.
    pub(super) fn paste_into_line(&mut self, text: &str) {
        match kind((self.line.text(), self.line.cursor()), text, &self.name, self.message_bytes) {
            Kind::OneLine => self.paste_as_one_line(text),
            Kind::Lines(lines) => self.prompt = Prompt::Paste(Pasted { lines, whole: text.to_owned() }),
            Kind::Wrong(why) => self.hint = Some(why),
        }
    }

    /// Inserts a paste as one line, with blanks in place of line ends.
    pub(super) fn paste_as_one_line(&mut self, text: &str) {
        let pasted = self.line.paste(text);
        self.hint = match (pasted.blanks, pasted.left_out) {
            (0, 0) => None,
            (blanks, 0) => Some(format!("Pasted as one line; {blanks} line ends or tabs became blanks")),
            (_, out) => Some(format!("Pasted as one line; {out} characters that cannot be sent left out")),
        };
    }

    pub(super) fn key_in_paste(&mut self, key: KeyEvent, now: Now) {
        match key.code {
            KeyCode::Char('y' | 'Y') => self.send_pasted(now),
            KeyCode::Char('n' | 'N') => {
                if let Some(pasted) = self.take_pasted() {
                    self.paste_as_one_line(&pasted.whole);
                }
            }
            KeyCode::Esc => self.forget_paste("Nothing was pasted"),
            _ => self.hint = Some("y: a message each. n: as one line. Esc: not at all".to_owned()),
        }
    }

    /// Drops the paste and returns to the input line.
    pub(super) fn forget_paste(&mut self, why: &str) {
        self.take_pasted();
        self.hint = Some(why.to_owned());
    }

    fn take_pasted(&mut self) -> Option<Pasted> {
        match std::mem::replace(&mut self.prompt, Prompt::Talk) {
            Prompt::Paste(pasted) => Some(pasted),
            other => {
                self.prompt = other;
                None
            }
        }
    }

    /// Sends the lines, as many as there is room for. The user is asked about the others again.
    fn send_pasted(&mut self, now: Now) {
        if self.connection != ConnectionState::Joined {
            self.hint = Some("Not sent: there is no connection. y sends them once there is".to_owned());
            return;
        }
        let Some(mut pasted) = self.take_pasted() else { return };
        self.line.set("");
        let mut sent = 0;
        for line in &pasted.lines {
            // The line was checked when it was pasted.
            if let Typed::Send(message) = typed::read(line, &self.name, self.message_bytes)
                && !self.send_words(message, line.clone(), now)
            {
                break;
            }
            sent += 1;
        }
        pasted.lines.drain(..sent);
        if !pasted.lines.is_empty() {
            self.hint = Some("The server takes no more just now. y tries again".to_owned());
            self.prompt = Prompt::Paste(pasted);
        }
    }
}

/// Determines the kind of a paste by `own` at this cursor of a line. A message has at most `limit` bytes.
fn kind((line, cursor): (&str, usize), text: &str, own: &str, limit: usize) -> Kind {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<String> = text
        .split('\n')
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.chars().filter(|c| !c.is_control() || *c == '\t').collect())
        .collect();
    if lines.len() < 2 {
        return Kind::OneLine;
    }
    if lines.len() > MAX_LINES {
        let count = lines.len();
        return Kind::Wrong(format!(
            "Nothing was pasted: {count} lines, and at most {MAX_LINES} are sent at once"
        ));
    }
    let cut = line.char_indices().nth(cursor).map_or(line.len(), |(at, _)| at);
    let (before, after) = line.split_at(cut);
    if before.starts_with('/') && !before.starts_with("//") {
        // All lines go to the receiver of the first. Any other command takes one line only.
        if !is_address(before) || !after.is_empty() {
            return Kind::OneLine;
        }
        for line in &mut lines {
            line.insert_str(0, before);
        }
    } else {
        // A line that begins with a slash is sent as text: no pasted line is carried out as a command by mistake.
        for line in
            lines.iter_mut().skip(usize::from(!before.is_empty())).filter(|line| line.starts_with('/'))
        {
            line.insert(0, '/');
        }
        lines[0].insert_str(0, before);
        if let Some(last) = lines.last_mut() {
            last.push_str(after);
        }
    }
    for (number, line) in (1..).zip(&lines) {
        match typed::read(line, own, limit) {
            Typed::Send(_) => {}
            Typed::Wrong(why) => return Kind::Wrong(format!("Nothing was pasted: line {number}: {why}")),
            _ => return Kind::OneLine,
        }
    }
    Kind::Lines(lines)
}

/// Whether `before` begins a short form whose text follows, such as `/msg bob `.
fn is_address(before: &str) -> bool {
    let line = format!("{before}x");
    let Some(Ok(ShortForm { operation, data: "x", .. })) = line.strip_prefix('/').map(short_form::parse)
    else {
        return false;
    };
    matches!(
        operation,
        Operation::PrivateMessage | Operation::Broadcast | Operation::BroadcastNotMe | Operation::Echo
    )
}
