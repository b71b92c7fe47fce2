//! [`InputLine`]: the input line, and the lines typed before.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

use super::completion::Completion;

/// Maximum number of remembered lines.
const MAX_LINES: usize = 500;
/// Maximum number of characters that can be typed or pasted into a line.
const MAX_CHARS: usize = 70_000;

/// The input line.
#[derive(Debug, Default)]
pub struct InputLine {
    input: Input,
    history: VecDeque<String>,
    /// Index of the remembered line that is shown, and the unfinished text from before.
    recalled: Option<(usize, String)>,
    completion: Option<Completion>,
}

/// A copy of the input line at one moment.
#[derive(Debug)]
pub struct LineSnapshot {
    input: Input,
    recalled: Option<(usize, String)>,
}

/// How a paste was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PasteReport {
    /// Line ends and tabs that became blanks.
    pub blanks: usize,
    /// Other control characters and characters beyond the maximum, which were left out.
    pub left_out: usize,
}

impl InputLine {
    /// The text of the line.
    #[must_use]
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Number of characters before the cursor.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.input.cursor()
    }

    /// The candidates through which Tab goes, until another key is pressed.
    #[must_use]
    pub fn completion(&self) -> Option<&Completion> {
        self.completion.as_ref()
    }

    /// Whether the line holds a text that is not a remembered line.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        let recalled = self.recalled.as_ref().map(|(at, _)| self.history[*at].as_str());
        !self.text().is_empty() && recalled != Some(self.text())
    }

    /// Returns a copy of the input line, to be put back by [`Self::put_back`].
    #[must_use]
    pub fn typed(&self) -> LineSnapshot {
        LineSnapshot { input: self.input.clone(), recalled: self.recalled.clone() }
    }

    /// Puts back a copy, including its cursor.
    pub fn put_back(&mut self, typed: LineSnapshot) {
        (self.input, self.recalled, self.completion) = (typed.input, typed.recalled, None);
    }

    /// Replaces the text, with the cursor at its end.
    pub fn set(&mut self, text: &str) {
        self.input = std::mem::take(&mut self.input).with_value(text.to_owned());
        (self.recalled, self.completion) = (None, None);
    }

    /// Empties the line, remembers its text and returns it.
    pub fn take(&mut self) -> String {
        let text = self.input.value_and_reset();
        (self.recalled, self.completion) = (None, None);
        if !text.trim().is_empty() && self.history.back() != Some(&text) {
            self.history.push_back(text.clone());
            if self.history.len() > MAX_LINES {
                self.history.pop_front();
            }
        }
        text
    }

    /// Completes the line, or goes on to the next candidate, or with `back` to the previous.
    /// `files`: returns the audio files of a user, as far as they are known.
    pub fn complete(&mut self, names: &[String], files: impl Fn(&str) -> Vec<String>, back: bool) {
        match &mut self.completion {
            Some(completion) if back => completion.previous(),
            Some(completion) => completion.next(),
            None => self.completion = Completion::new(self.text(), self.cursor(), names, files),
        }
        if let Some(completion) = &self.completion {
            let (text, cursor) = completion.line();
            self.input = std::mem::take(&mut self.input).with_value(text).with_cursor(cursor);
            self.recalled = None;
        }
    }

    /// Shows the remembered line before the one shown.
    pub fn older(&mut self) {
        let at = self.recalled.as_ref().map_or(self.history.len(), |(at, _)| *at);
        if let Some(at) = at.checked_sub(1) {
            self.recall(at);
        }
    }

    /// Shows the remembered line after the one shown, and after the last the unfinished text.
    pub fn newer(&mut self) {
        match self.recalled.take() {
            Some((at, unfinished)) if at + 1 == self.history.len() => self.set(&unfinished),
            Some((at, unfinished)) => {
                self.recalled = Some((at, unfinished));
                self.recall(at + 1);
            }
            None => {}
        }
    }

    fn recall(&mut self, at: usize) {
        let unfinished = match self.recalled.take() {
            Some((_, unfinished)) => unfinished,
            None => self.text().to_owned(),
        };
        let line = self.history[at].clone();
        self.set(&line);
        self.recalled = Some((at, unfinished));
    }

    /// Inserts a paste as one line, whatever it holds. Returns how it was changed.
    pub fn paste(&mut self, text: &str) -> PasteReport {
        let mut pasted = PasteReport::default();
        let text = text.trim_end_matches(['\r', '\n']).replace("\r\n", "\n");
        let mut room = MAX_CHARS.saturating_sub(self.text().chars().count());
        let mut put = String::new();
        for c in text.chars() {
            let is_blank = matches!(c, '\n' | '\r' | '\t');
            if room == 0 || (c.is_control() && !is_blank) {
                pasted.left_out += 1;
                continue;
            }
            pasted.blanks += usize::from(is_blank);
            put.push(if is_blank { ' ' } else { c });
            room -= 1;
        }
        // Inserted as a whole: one character after another takes seconds if there are many.
        let cursor = self.cursor() + put.chars().count();
        let cut = self.text().char_indices().nth(self.cursor()).map_or(self.text().len(), |(at, _)| at);
        let (before, after) = self.text().split_at(cut);
        let whole = [before, put.as_str(), after].concat();
        self.input = std::mem::take(&mut self.input).with_value(whole).with_cursor(cursor);
        self.completion = None;
        pasted
    }

    /// Edits the line. Returns whether `key` is an editing key.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        if typed(key).is_some() && self.text().chars().count() >= MAX_CHARS {
            return true;
        }
        let is_edit = edit(&mut self.input, key);
        if is_edit {
            self.completion = None;
        }
        is_edit
    }
}

/// Edits a text. Returns whether `key` is an editing key.
pub fn edit(input: &mut Input, key: KeyEvent) -> bool {
    let request = typed(key).map(InputRequest::InsertChar).or_else(|| request(key));
    if let Some(request) = request {
        input.handle(request);
    }
    request.is_some()
}

/// The character that a key types.
#[must_use]
pub fn typed(key: KeyEvent) -> Option<char> {
    let plain = KeyModifiers::SHIFT;
    // Terminals that report AltGr report it as Ctrl and Alt.
    let alt_gr = KeyModifiers::CONTROL | KeyModifiers::ALT;
    match key.code {
        KeyCode::Char(c) if !c.is_control() => {
            (plain.contains(key.modifiers) || key.modifiers.contains(alt_gr)).then_some(c)
        }
        _ => None,
    }
}

fn request(key: KeyEvent) -> Option<InputRequest> {
    use InputRequest::{
        DeleteFromStart, DeleteNextChar, DeleteNextWord, DeletePrevChar, DeletePrevWord, DeleteTillEnd,
        GoToEnd, GoToNextChar, GoToNextWord, GoToPrevChar, GoToPrevWord, GoToStart, Yank,
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    Some(match key.code {
        KeyCode::Char('a') if control => GoToStart,
        KeyCode::Char('e') if control => GoToEnd,
        KeyCode::Char('b') if control => GoToPrevChar,
        KeyCode::Char('f') if control => GoToNextChar,
        KeyCode::Char('h') if control => DeletePrevChar,
        KeyCode::Char('d') if control => DeleteNextChar,
        KeyCode::Char('k') if control => DeleteTillEnd,
        KeyCode::Char('u') if control => DeleteFromStart,
        KeyCode::Char('w') if control => DeletePrevWord,
        KeyCode::Char('y') if control => Yank,
        KeyCode::Char('b') if alt => GoToPrevWord,
        KeyCode::Char('f') if alt => GoToNextWord,
        KeyCode::Char('d') if alt => DeleteNextWord,
        KeyCode::Backspace if alt || control => DeletePrevWord,
        KeyCode::Delete if alt || control => DeleteNextWord,
        KeyCode::Backspace => DeletePrevChar,
        KeyCode::Delete => DeleteNextChar,
        KeyCode::Left if alt || control => GoToPrevWord,
        KeyCode::Right if alt || control => GoToNextWord,
        KeyCode::Left => GoToPrevChar,
        KeyCode::Right => GoToNextChar,
        KeyCode::Home => GoToStart,
        KeyCode::End => GoToEnd,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(line: &mut InputLine, code: KeyCode, modifiers: KeyModifiers) {
        assert!(line.key(KeyEvent::new(code, modifiers)), "{code:?}");
    }

    fn type_in(line: &mut InputLine, text: &str) {
        for c in text.chars() {
            press(line, KeyCode::Char(c), KeyModifiers::NONE);
        }
    }

    fn control(line: &mut InputLine, c: char) {
        press(line, KeyCode::Char(c), KeyModifiers::CONTROL);
    }

    #[test]
    fn editing() {
        let mut line = InputLine::default();
        type_in(&mut line, "one two three");
        control(&mut line, 'w');
        assert_eq!(line.text(), "one two ");
        control(&mut line, 'a');
        press(&mut line, KeyCode::Right, KeyModifiers::CONTROL);
        assert_eq!(line.cursor(), 4);
        control(&mut line, 'k');
        assert_eq!(line.text(), "one ");
        control(&mut line, 'y');
        assert_eq!(line.text(), "one two ");
        press(&mut line, KeyCode::Left, KeyModifiers::ALT);
        control(&mut line, 'u');
        assert_eq!((line.text(), line.cursor()), ("two ", 0));
        press(&mut line, KeyCode::End, KeyModifiers::NONE);
        press(&mut line, KeyCode::Backspace, KeyModifiers::NONE);
        press(&mut line, KeyCode::Home, KeyModifiers::NONE);
        press(&mut line, KeyCode::Delete, KeyModifiers::NONE);
        assert_eq!(line.text(), "wo");
        assert!(!line.key(KeyEvent::new(KeyCode::F(5), KeyModifiers::NONE)));
        assert!(!line.key(KeyEvent::new(KeyCode::Char('x'), KeyModifiers::ALT)));
    }

    #[test]
    fn history_keeps_what_is_not_finished() {
        let mut line = InputLine::default();
        line.older();
        for text in ["first", "second", "second", "  "] {
            line.set(text);
            assert_eq!(line.take(), text);
        }
        type_in(&mut line, "thi");
        line.older();
        assert_eq!(line.text(), "second");
        line.older();
        assert_eq!(line.text(), "first");
        line.older();
        assert_eq!(line.text(), "first");
        line.newer();
        line.newer();
        assert_eq!((line.text(), line.cursor()), ("thi", 3));
        line.newer();
        assert_eq!(line.text(), "thi");
        for number in 0..2 * MAX_LINES {
            line.set(&number.to_string());
            line.take();
        }
        assert_eq!(line.history.len(), MAX_LINES);
    }

    #[test]
    fn a_paste_is_one_line() {
        let mut line = InputLine::default();
        type_in(&mut line, "<>");
        press(&mut line, KeyCode::Left, KeyModifiers::NONE);
        let pasted = line.paste("one\r\ntwo\tthree\u{1b}[31m\n\n");
        assert_eq!((line.text(), line.cursor()), ("<one two three[31m>", 18));
        assert_eq!(pasted, PasteReport { blanks: 2, left_out: 1 });
        assert_eq!(line.paste(&"x".repeat(2 * MAX_CHARS)).left_out, MAX_CHARS + "<one two three[31m>".len());
        type_in(&mut line, "!");
        assert_eq!(line.text().chars().count(), MAX_CHARS);
    }

    #[test]
    fn tab_goes_round() {
        let mut line = InputLine::default();
        let names = ["ana".to_owned(), "anabela".to_owned()];
        type_in(&mut line, "/msg an");
        line.complete(&names, |_| Vec::new(), false);
        assert_eq!(line.text(), "/msg ana ");
        line.complete(&names, |_| Vec::new(), false);
        assert_eq!(line.text(), "/msg anabela ");
        line.complete(&names, |_| Vec::new(), true);
        assert_eq!(line.text(), "/msg ana ");
        type_in(&mut line, "h");
        assert_eq!(line.completion(), None);
        line.complete(&names, |_| Vec::new(), false);
        assert_eq!(line.text(), "/msg ana h");
    }
}
