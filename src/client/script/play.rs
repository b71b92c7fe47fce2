//! `arauto play`: a user's file heard here, or written down.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use tokio::{
    pin, select,
    sync::{
        mpsc::{Sender, channel},
        watch,
    },
    time::timeout,
};

use super::{Errand, Failure, files::is_same};
use crate::{
    client::{
        audio::play::{
            self, Failed, NoSink, Order, Output, Progress, Ready, Volume, playout::Figures, words,
        },
        dial::Dialer,
        joining::Joining,
        meaning::Meaning,
        output::say,
        rtsp::Way,
        signals::Signals,
    },
    escape::Escaped,
    protocol::{Message, Operation},
    terminal::takes_escapes,
};

/// How long an answer is waited for. The server gives one sooner.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// What is to be heard, and how.
#[derive(Clone, Debug)]
pub struct Playing {
    /// Whose file.
    pub of: String,
    /// Which, as `list_files` writes it.
    pub file: String,
    /// Where it goes.
    pub output: Output,
    /// In RTSP's own connection from the beginning.
    pub interleaved: bool,
    /// How loud.
    pub volume: Volume,
}

/// Plays it until it ends, or SIGINT or SIGTERM says so; a second one does not wait until all is heard.
///
/// # Errors
/// If it cannot be heard, or not to its end.
pub async fn play(dialer: &Dialer, name: Option<&str>, playing: &Playing) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(Failure::Input)?;
    // Before anybody is asked for anything.
    let ready = playing.output.prepare().map_err(Failure::Sound)?;
    let mut errand = Errand::begin(dialer, name).await?;
    let own = errand.name.clone();
    let asked = Message {
        destination: &playing.of,
        data: &playing.file,
        ..Joining::command(&own, Operation::Play.wire())
    };
    errand.send(&asked).await?;
    let address = select! {
        answered = timeout(ANSWER_WITHIN, answer(&mut errand, &playing.of)) => {
            answered.map_err(|_| Failure::NoAnswer { who: playing.of.clone(), within: ANSWER_WITHIN })??
        }
        () = signals.next() => return errand.leave().await,
    };
    hear(dialer, &address, playing, ready, &mut errand, &mut signals).await?;
    // The stream may have ended because the server did.
    let _ = errand.leave().await;
    Ok(())
}

/// Where it is to be heard.
async fn answer(errand: &mut Errand, of: &str) -> Result<String, Failure> {
    loop {
        let received = errand.next().await?;
        match received.meaning() {
            Meaning::Offered { by, offer } if is_same(by, of) => return Ok(offer.rtsp.to_owned()),
            Meaning::NotOffered { by, why } if is_same(by, of) => {
                return Err(Failure::Refused(format!("{by}: {why}")));
            }
            Meaning::Refusal { operation, why }
                if operation == Operation::Play.wire() || operation == "error_message" =>
            {
                return Err(Failure::Refused(why.to_owned()));
            }
            _ => {}
        }
    }
}

async fn hear(
    dialer: &Dialer,
    address: &str,
    playing: &Playing,
    ready: Ready,
    errand: &mut Errand,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let (orders, mut ordered) = channel(1);
    let (progress, mut told) = watch::channel(Progress::default());
    let way = if playing.interleaved { Way::Interleaved } else { Way::Udp };
    let wanted = play::Wanted { dialer, address, way, ready, volume: playing.volume };
    let heard = play::play(wanted, &mut ordered, &progress);
    pin!(heard);
    let mut shown = Shown::new(&playing.file);
    let (mut is_joined, mut is_stopped) = (true, false);
    let heard = loop {
        select! {
            heard = &mut heard => break heard,
            Ok(()) = told.changed() => shown.show(&told.borrow_and_update()),
            () = signals.next() => {
                if is_stopped {
                    break Ok(Figures::default());
                }
                is_stopped = true;
                stop(&orders);
            }
            // What is said does not matter, but it has to be taken. Without a name, the stream may go on.
            message = errand.next(), if is_joined => is_joined = message.is_ok(),
        }
    };
    shown.end();
    let progress = told.borrow();
    if let Some(remark) = words::remark(&progress) {
        say(&remark);
    }
    heard.map(|_| ()).map_err(|why| failure(why, playing))
}

fn stop(orders: &Sender<Order>) {
    // If there is no room, that order is on its way.
    let _ = orders.try_send(Order::Stop);
}

fn failure(why: Failed, playing: &Playing) -> Failure {
    match why {
        Failed::Stream(why) => Failure::Stream(why),
        Failed::NoSink(why) => Failure::Sound(why),
        Failed::Sink(why) if playing.output == Output::Stdout => Failure::Output(why),
        Failed::Sink(why) => Failure::Sound(match &playing.output {
            Output::File(path) => NoSink::File { file: path.display().to_string(), why },
            _ => NoSink::Io(why),
        }),
    }
}

/// How far it is, in one line of the terminal that standard error may be.
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

    fn show(&mut self, progress: &Progress) {
        if progress.fell_back && !self.fell_back {
            self.fell_back = true;
            self.end();
            say(words::FELL_BACK);
        }
        if self.has_terminal {
            // The line before is wiped away.
            let _ = write!(io::stderr(), "\r\x1b[K{}: {}", self.file, words::line(progress));
        }
    }

    fn end(&self) {
        if self.has_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
