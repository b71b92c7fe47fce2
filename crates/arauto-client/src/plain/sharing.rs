//! [`Sharing`]: what the dialogue answers when other users ask for the list of files, or want to hear one.

use arauto_protocol::Line;
use tokio::sync::mpsc::Sender;
#[cfg(feature = "audio")]
use tokio::sync::mpsc::{Receiver, channel};

#[cfg(feature = "audio")]
use crate::audio::publish::{Asking, News, Publisher};
use crate::{
    dial::Dialer,
    display_name::in_sentence,
    files::{Folder, Sharer},
    output::say,
};

/// Maximum number of queued news about files that are played to others.
#[cfg(feature = "audio")]
const MAX_NEWS: usize = 64;

/// The shared folder, or none. Without the feature `audio`, its files are listed and not played.
pub struct Sharing {
    sharer: Sharer,
    #[cfg(feature = "audio")]
    publisher: Publisher,
    #[cfg(feature = "audio")]
    news: Receiver<News>,
}

impl Sharing {
    /// Shares this folder. The answers go to `outgoing`. If the user wants to be asked before a file is played
    /// (`asks`), none is.
    #[cfg_attr(not(feature = "audio"), allow(unused_variables, reason = "they are for the publisher"))]
    pub fn spawn(folder: Option<Folder>, asks: bool, dialer: &Dialer, outgoing: Sender<Line>) -> Self {
        #[cfg(feature = "audio")]
        let (to_us, news) = channel(MAX_NEWS);
        #[cfg(feature = "audio")]
        let asking = if asks { Asking::Impossible } else { Asking::Never };
        Self {
            #[cfg(feature = "audio")]
            publisher: Publisher::spawn(folder.as_ref().map(Folder::opener), asking, dialer.clone(), to_us),
            #[cfg(feature = "audio")]
            news,
            sharer: Sharer::spawn(folder, outgoing),
        }
    }

    /// Answers `asker`, who wants the list of files of `own`.
    pub fn list(&self, own: &str, asker: &str) {
        if let Err(why) = self.sharer.asked(own, asker) {
            say(&format!("{} asked for the list of files and gets no answer: {why}", in_sentence(asker)));
        }
    }

    /// Takes the server's limit of a message, in bytes.
    pub fn limited(&self, limit: usize) {
        self.sharer.limited(limit);
    }

    /// Takes the server's refusal of a message.
    pub fn refused(&self, why: &str) {
        self.sharer.refused(why);
    }

    /// Plays the file that a `play` message from `by` to `own` asks for.
    #[cfg(feature = "audio")]
    pub fn play(&self, own: &str, by: &str, data: &str) {
        if let Err(why) = self.publisher.summoned(own, by, data) {
            say(&format!("{} wants to hear a file and gets no answer: {why}", in_sentence(by)));
        }
    }

    /// Says that the file is not played.
    #[cfg(not(feature = "audio"))]
    #[allow(clippy::unused_self, reason = "the one with audio has a publisher")]
    pub fn play(&self, _: &str, by: &str, _: &str) {
        say(&format!("{} wants to hear a file, and this program is built without audio", in_sentence(by)));
    }

    /// Waits for the next message to send about a file that is played, and reports on the others. Can be dropped at
    /// any time without losing one.
    #[cfg(feature = "audio")]
    pub async fn next(&mut self) -> Line {
        loop {
            match self.news.recv().await {
                Some(news) => {
                    if let Some(message) = heard(news) {
                        return message;
                    }
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Never ends: no file is played.
    #[cfg(not(feature = "audio"))]
    pub async fn next(&mut self) -> Line {
        std::future::pending().await
    }
}

/// Reports news of files that are played to others. Returns the message to send, if any.
#[cfg(feature = "audio")]
fn heard(news: News) -> Option<Line> {
    match news {
        News::Send(message) => return Some(message),
        News::Began(on_air) => say(&format!("{} hears {}", in_sentence(&on_air.by), on_air.file)),
        News::Refused { by, file, why, others: 0 } => {
            say(&format!("{} wanted to hear {file} and does not: {why}", in_sentence(&by)));
        }
        News::Refused { by, file, why, others } => {
            say(&format!(
                "{} wanted to hear {file} and does not: {why}; {others} others neither",
                in_sentence(&by)
            ));
        }
        News::Over { file, why: None } => say(&format!("{file} was played to its end")),
        News::Over { file, why: Some(why) } => say(&format!("{file} is not played any more: {why}")),
        News::CannotDo(why) => say(&why),
        // The user is not asked and gives no commands here, and progress is not printed line by line.
        News::Asked(_) | News::Settled(_) | News::Playing(_) | News::NotPlayed(_) => {}
    }
    None
}
