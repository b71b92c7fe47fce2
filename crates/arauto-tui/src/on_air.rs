//! Files that are played to others: questions, commands, and how they are shown.

use arauto_protocol::{Message, Operation};

use super::{
    app::{App, Effect},
    clock::Now,
    sentences::without_codes,
};
use arauto_client::audio::publish::{News, OnAir, PermissionRequest, PublishCommand};

impl App {
    /// Takes the server's message that a user wants to hear a file.
    pub(super) fn file_wanted(&mut self, by: &str, data: &str, now: Now) {
        let (by, data) = (by.to_owned(), data.to_owned());
        if !self.leave_effect(Effect::Publish { by: by.clone(), data }) {
            self.error(
                now,
                &format!("{by} wants to hear a file of yours and gets none: too many requests are waiting"),
            );
        }
    }

    /// Takes news of files that are played to others, or are to be.
    pub fn news(&mut self, news: News, now: Now) {
        match news {
            News::Send(message) => {
                // If there is no room, the server reports that no stream came.
                self.send(message);
            }
            News::Asked(question) => {
                let PermissionRequest { by, file, .. } = &question;
                self.note(now, &format!("{by} wants to hear {file} of yours. Type y or n, and Enter."));
                self.playing.asked.push(question);
            }
            News::Settled(number) => self.playing.asked.retain(|question| question.number != number),
            News::Began(on_air) => {
                let OnAir { file, by, .. } = &on_air;
                let played = format!("You play {file} to {by}. /pause pauses it, /stop {file} ends it.");
                self.note(now, &played);
                self.playing.on_air.push(on_air);
            }
            News::Playing(on_air) => self.playing.on_air = on_air,
            News::Refused { by, file, why, others } => {
                let others = match others {
                    0 => String::new(),
                    others => format!(" ({others} others were refused, too)"),
                };
                let why = without_codes(&why);
                self.error(now, &format!("{by} wanted to hear {file} and does not: {why}{others}"));
            }
            News::Over { file, why: None } => self.note(now, &format!("{file} was played to its end.")),
            News::Over { file, why: Some(why) } => {
                self.note(now, &format!("{file} is not played any more: {}", without_codes(&why)));
            }
            News::NotPlayed(Some(file)) => self.error(now, &format!("You do not play {file} to others.")),
            News::NotPlayed(None) => self.error(now, "You play nothing to others."),
            News::CannotDo(why) => self.error(now, &why),
        }
    }

    /// Takes a line that answers the question whether a file may be played. Returns whether it is such an answer.
    pub(super) fn answers(&mut self, line: &str) -> bool {
        let may = match line.trim() {
            "y" | "Y" => true,
            "n" | "N" => false,
            _ => return false,
        };
        let Some(number) = self.playing.asked.first().map(|question| question.number) else { return false };
        if self.leave_effect(Effect::MayPlay { number, may }) {
            self.playing.asked.remove(0);
        }
        true
    }

    /// The file that this message to the server would end, if this client plays it to others. The client ends it itself
    /// then, and knows why it ended; of a file that the server ends, it only learns that.
    pub(super) fn own_file_to_stop(&self, message: &Message<'_>) -> Option<String> {
        let is_stop = message.operation == Operation::Stop.wire();
        let is_own = self.playing.on_air.iter().any(|on_air| on_air.file == message.data);
        (is_stop && is_own).then(|| message.data.to_owned())
    }

    /// Queues a command for a file that is played to others, or for all such files. Returns whether there was room.
    pub(super) fn control(&mut self, command: PublishCommand, file: Option<String>) -> bool {
        self.leave_effect(Effect::Control { command, file })
    }
}
