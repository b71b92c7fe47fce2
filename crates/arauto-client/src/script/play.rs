//! `arauto play`: plays a user's file here, or writes it to a file.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use arauto_protocol::{Line, Message, Operation};
use arauto_settings::escape::Escaped;
use arauto_terminal::takes_escapes;
use tokio::{
    pin, select,
    sync::{
        mpsc::{Sender, channel},
        watch,
    },
    time::timeout,
};

use super::{
    OneShot, ScriptError,
    ending::{BrokenStream, StopNotice, Word, verdict},
};
use crate::{
    audio::play::{
        self, NoSink, Output, PlaybackCommand, PlaybackError, PlaybackProgress, Played, Ready, Stage,
        StreamEnd, Volume, playout::Figures, words,
    },
    dial::Dialer,
    display_name::is_same,
    generated_name::generated_name,
    joining::Joining,
    meaning::Meaning,
    output::say,
    rtsp::Transport,
    signals::Signals,
    text::{MESSAGE_BYTES, fit_data},
};

/// Maximum wait for an answer to `play`. The server answers sooner.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// Maximum wait, after the end of a stream, for the server's reason. The server sends it at the same time, over the
/// other connection.
const WORD_TIMEOUT: Duration = Duration::from_secs(2);

/// The file to play, and how.
#[derive(Clone, Debug)]
pub struct PlayOptions {
    /// The user who shares the file.
    pub of: String,
    /// The file, as `list_files` writes it.
    pub file: String,
    /// The audio output.
    pub output: Output,
    /// Whether to use RTSP's own connection from the beginning instead of UDP.
    pub interleaved: bool,
    /// The volume.
    pub volume: Volume,
}

/// Address of a stream, and the publisher and file under which the server announces its end.
struct Announced {
    rtsp: String,
    publisher: String,
    file: String,
}

/// Plays the file until it ends, or SIGINT or SIGTERM comes. A second signal does not wait until all received audio
/// is played.
///
/// # Errors
/// If the file cannot be played, or the stream breaks off: [`ScriptError::BrokeOff`].
pub async fn play(dialer: &Dialer, name: Option<&str>, playing: &PlayOptions) -> Result<(), ScriptError> {
    let mut signals = Signals::new().map_err(ScriptError::Input)?;
    // A FILE that cannot be sent is reported before anything else is tried. All generated names are equally long.
    request(name.unwrap_or(&generated_name()), playing)?;
    // The output is prepared before anything is requested.
    let ready = playing.output.prepare().map_err(ScriptError::Sound)?;
    let mut one_shot = OneShot::join(dialer, name).await?;
    let asked = request(&one_shot.name, playing)?;
    one_shot.send(&asked).await?;
    let announced = select! {
        answered = timeout(ANSWER_TIMEOUT, answer(&mut one_shot, &playing.of)) => {
            answered.map_err(|_| ScriptError::NoAnswer { who: playing.of.clone(), within: ANSWER_TIMEOUT })??
        }
        () = signals.next() => return one_shot.leave().await,
    };
    hear(dialer, &announced, playing, ready, &mut one_shot, &mut signals).await?;
    // A failure is ignored: the stream may have ended because the server did.
    let _ = one_shot.leave().await;
    Ok(())
}

/// The message by which `own` asks for the file.
fn request(own: &str, playing: &PlayOptions) -> Result<Line, ScriptError> {
    let PlayOptions { of, file, .. } = playing;
    let message = Message { destination: of, data: file, ..Joining::command(own, Operation::Play.wire()) };
    fit_data(message, MESSAGE_BYTES).map_err(|why| ScriptError::Argument { what: "FILE", why })
}

/// Waits for the answer, which says where the stream is.
async fn answer(one_shot: &mut OneShot, of: &str) -> Result<Announced, ScriptError> {
    loop {
        let received = one_shot.next().await?;
        match received.meaning() {
            Meaning::Offered { by, offer } if is_same(by, of) => {
                let [rtsp, publisher, file] = [offer.rtsp, by, offer.file].map(str::to_owned);
                return Ok(Announced { rtsp, publisher, file });
            }
            Meaning::NotOffered { by, why } if is_same(by, of) => {
                return Err(ScriptError::Refused(format!("{by}: {why}")));
            }
            Meaning::Refusal { operation, why }
                if operation == Operation::Play.wire() || operation == "error_message" =>
            {
                return Err(ScriptError::Refused(why.to_owned()));
            }
            _ => {}
        }
    }
}

async fn hear(
    dialer: &Dialer,
    announced: &Announced,
    playing: &PlayOptions,
    ready: Ready,
    one_shot: &mut OneShot,
    signals: &mut Signals,
) -> Result<(), ScriptError> {
    let (commands, mut received) = channel(1);
    let (progress, mut told) = watch::channel(PlaybackProgress::default());
    let way = if playing.interleaved { Transport::Interleaved } else { Transport::Udp };
    let wanted =
        play::PlaybackOptions { dialer, address: &announced.rtsp, way, ready, volume: playing.volume };
    let heard = play::play(wanted, &mut received, &progress);
    pin!(heard);
    let mut shown = Shown::new(&playing.file);
    let (mut word, mut is_stopped) = (Word::default(), false);
    let heard = loop {
        select! {
            heard = &mut heard => break heard,
            Ok(()) = told.changed() => shown.show(&told.borrow_and_update()),
            () = signals.next() => {
                if is_stopped {
                    break Ok(Played { figures: Figures::default(), ending: StreamEnd::Stopped });
                }
                is_stopped = true;
                stop(&commands);
            }
            // The stream may outlive the control connection.
            () = listen(one_shot, &mut word, announced), if word.lost.is_none() => {}
        }
    };
    if heard.as_ref().is_ok_and(|played| played.ending != StreamEnd::Stopped) {
        let word_comes = async {
            while !word.is_final() {
                listen(one_shot, &mut word, announced).await;
            }
        };
        // Without a `stop` message the reason stays open, and `verdict` goes by the rest.
        let _ = timeout(WORD_TIMEOUT, word_comes).await;
    }
    shown.end();
    let progress = told.borrow();
    if let Some(remark) = words::remark(&progress) {
        say(&remark);
    }
    conclude(heard, &progress, word, playing, announced)
}

/// Takes one message from the control connection, or notes its end.
async fn listen(one_shot: &mut OneShot, word: &mut Word, announced: &Announced) {
    match one_shot.next().await {
        Ok(received) => {
            if let Meaning::ServerSays { operation, text } = received.meaning()
                && operation == Operation::Stop.wire()
            {
                word.take(text, &announced.publisher, &announced.file);
            }
        }
        Err(why) => word.lost = Some(why),
    }
}

fn conclude(
    heard: Result<Played, PlaybackError>,
    progress: &PlaybackProgress,
    word: Word,
    playing: &PlayOptions,
    announced: &Announced,
) -> Result<(), ScriptError> {
    let why = match heard {
        Ok(Played { ending, .. }) => match verdict(ending, progress, word, &announced.publisher) {
            Ok(()) => return Ok(()),
            Err(why) => why,
        },
        Err(PlaybackError::Stream(why)) => match word {
            Word { said: StopNotice::Because(why), .. } => BrokenStream::Ended(why),
            Word { lost: Some(lost), .. } => BrokenStream::Lost(Box::new(lost)),
            // The stream never began.
            _ if progress.stage == Stage::Asking => return Err(ScriptError::Stream(why)),
            _ => BrokenStream::Stream(why),
        },
        Err(why) => return Err(failure(why, playing)),
    };
    let place = if progress.stage == Stage::Playing {
        format!("broke off at {}", words::place(progress))
    } else {
        "ended before anything was heard".to_owned()
    };
    let stream = format!("{}: {}", announced.publisher, announced.file);
    Err(ScriptError::BrokeOff { stream, place, why: Box::new(why) })
}

fn stop(commands: &Sender<PlaybackCommand>) {
    // If the queue is full, a command to stop is already on its way.
    let _ = commands.try_send(PlaybackCommand::Stop);
}

fn failure(why: PlaybackError, playing: &PlayOptions) -> ScriptError {
    match why {
        PlaybackError::Stream(why) => ScriptError::Stream(why),
        PlaybackError::NoSink(why) => ScriptError::Sound(why),
        PlaybackError::Sink(why) if playing.output == Output::Stdout => ScriptError::Output(why),
        PlaybackError::Sink(why) => ScriptError::Sound(match &playing.output {
            Output::File(path) => NoSink::File { file: path.display().to_string(), why },
            _ => NoSink::Io(why),
        }),
    }
}

/// Progress of the stream, in one line of standard error where that is a terminal.
struct Shown {
    file: String,
    has_terminal: bool,
    fell_back: bool,
}

impl Shown {
    fn new(file: &str) -> Self {
        Self {
            file: Escaped(file).to_string(),
            has_terminal: io::stderr().is_terminal() && takes_escapes(),
            fell_back: false,
        }
    }

    fn show(&mut self, progress: &PlaybackProgress) {
        if progress.fell_back && !self.fell_back {
            self.fell_back = true;
            self.end();
            say(words::FELL_BACK);
        }
        if self.has_terminal {
            // Overwrites the previous line.
            let _ = write!(io::stderr(), "\r\x1b[K{}: {}", self.file, words::line(progress));
        }
    }

    fn end(&self) {
        if self.has_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
