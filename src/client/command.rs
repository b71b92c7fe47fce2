//! [`Command`]: what the command line asks of the client, as plain data, and how each is run.

use std::{
    io::{self, ErrorKind, IsTerminal, Write},
    path::PathBuf,
    time::Duration,
};

use tokio::runtime;

use super::{
    Settings,
    decoder::Framing,
    dial::Dialer,
    files::{Folder, NoFolder},
    output::{Printer, say},
    plain, rtsp,
    screen::{self, Farewell, Theme},
    script::{
        self, Broken, Failure, Playing, Sending, Wanted,
        show::{self, Form},
    },
    settings::{self, Unusable},
    tls,
};
use crate::{
    escape::Escaped,
    layers::{CommandLine, ConfigError},
    terminal::takes_escapes,
};

/// Which server, and how to get there, as far as the command line says; the user's settings say the rest.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// What is set on the command line.
    pub settings: CommandLine,
    /// Accept any certificate. Only here, for one call: what is written down once is forgotten.
    pub insecure: bool,
}

impl Access {
    /// The settings in force: flags over environment over the user's file over defaults. Among them are the name
    /// ([`Settings::name`]) and whether there are colours ([`Settings::has_colours`]).
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        Ok(settings::load(&self.settings, std::env::vars_os())?.config)
    }

    /// The way to the server of these settings: reads the files that are named, and says on standard error what is
    /// dangerous about it.
    ///
    /// # Errors
    /// If one of the files cannot be used.
    pub fn dialer(&self, settings: &Settings) -> Result<Dialer, Error> {
        let dialer = settings.dialer(self.insecure)?;
        for warning in dialer.warnings() {
            // If nobody hears it, there is nobody to tell that.
            let _ = writeln!(io::stderr(), "arauto: warning: {warning}");
        }
        Ok(dialer)
    }
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Talk.
    Join {
        /// Where.
        access: Access,
        /// Under which name; asked for if left out.
        name: Option<String>,
        /// Line by line, even on a terminal.
        plain: bool,
        /// The same, and the server is known to send no line endings.
        unframed: bool,
        /// The folder whose files are told to who asks.
        share: Option<PathBuf>,
    },
    /// Print who is connected.
    List {
        /// Where.
        access: Access,
        /// Under which name to ask; one made up if left out.
        name: Option<String>,
        /// How long it may take in all.
        within: Duration,
        /// As JSON.
        json: bool,
    },
    /// Send messages.
    Send {
        /// Where.
        access: Access,
        /// Under which name.
        name: String,
        /// Which, and how.
        sending: Sending,
    },
    /// Print what is received.
    Listen {
        /// Where.
        access: Access,
        /// Under which name.
        name: String,
        /// From this one alone.
        from: Option<String>,
        /// So many.
        count: Option<u64>,
        /// As JSON.
        json: bool,
        /// With a word on standard error once it listens.
        verbose: bool,
        /// Connecting again after a cut.
        reconnects: bool,
    },
    /// Print what files someone has.
    Files {
        /// Where.
        access: Access,
        /// Under which name to ask; one made up if left out.
        name: Option<String>,
        /// Whose.
        of: String,
        /// How long it may take in all.
        within: Duration,
        /// As JSON.
        json: bool,
    },
    /// Hear a file that someone has.
    Play {
        /// Where.
        access: Access,
        /// Under which name to ask; one made up if left out.
        name: Option<String>,
        /// What, and how.
        playing: Playing,
    },
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An errand came to nothing.
    #[error("{}", Escaped(.0))]
    Script(Failure),
    /// A setting is refused.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// A file that a setting names cannot be used.
    #[error(transparent)]
    File(#[from] Unusable),
    /// A conversation on a full screen ended otherwise than by leaving it.
    #[error("{}", Escaped(.0))]
    Ended(Farewell),
    /// What is to be shared is no folder.
    #[error(transparent)]
    Share(#[from] NoFolder),
    /// Standard input or output, or a thread, failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Script(failure)
    }
}

impl Error {
    /// The program's exit status: 2 where the command line cannot be meant or a setting is refused, 3 where the
    /// server or who was asked says no, 4 where there is no connection, 5 where nobody knows whether it was done, 1 for all else.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Script(failure) => match failure {
                Failure::Argument { .. } => 2,
                Failure::Refused(_)
                | Failure::PasswordMissing(_)
                | Failure::PasswordWrong { .. }
                | Failure::Endless { .. }
                | Failure::NoAnswer { .. } => 3,
                Failure::NoConnection(_)
                | Failure::Broken(_)
                | Failure::Ended
                | Failure::NotLetIn(_)
                | Failure::ServerClosed => 4,
                Failure::NotTaken { .. } | Failure::NotConfirmed { .. } => 5,
                Failure::Stream(why) => of_stream(why),
                Failure::BrokeOff { why, .. } => match &**why {
                    Broken::Ended(_) => 3,
                    Broken::Lost(_) | Broken::Cut => 4,
                    Broken::Stream(why) => of_stream(why),
                },
                Failure::PasswordUnfit { .. }
                | Failure::Line { .. }
                | Failure::Unread { .. }
                | Failure::Sound(_)
                | Failure::Input(_)
                | Failure::Output(_) => 1,
            },
            Self::Ended(Farewell::Refused(_)) => 3,
            Self::Ended(_) => 4,
            Self::Settings(_) | Self::Share(_) | Self::File(Unusable::Tls(tls::Unusable::Half { .. })) => 2,
            Self::File(_) | Self::Io(_) => 1,
        }
    }
}

/// 3 where the server says no, 4 where there is no connection, 1 for all else.
fn of_stream(why: &rtsp::Failure) -> u8 {
    match why {
        rtsp::Failure::Refused { .. } => 3,
        rtsp::Failure::NoConnection(_)
        | rtsp::Failure::Broken(_)
        | rtsp::Failure::Closed
        | rtsp::Failure::Silence { .. } => 4,
        rtsp::Failure::Address
        | rtsp::Failure::Exposed
        | rtsp::Failure::Port { .. }
        | rtsp::Failure::Malformed(_)
        | rtsp::Failure::Description(_) => 1,
    }
}

/// Does it. A standard output that nobody reads any more is no failure.
///
/// # Errors
/// If it fails; [`Error::status`] tells in what way.
pub fn run(command: Command) -> Result<(), Error> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(carry_out(command)) {
        Err(Error::Io(error) | Error::Script(Failure::Output(error)))
            if error.kind() == ErrorKind::BrokenPipe =>
        {
            Ok(())
        }
        done => done,
    }
}

async fn carry_out(command: Command) -> Result<(), Error> {
    match command {
        Command::List { access, name, within, json } => {
            let dialer = access.dialer(&access.settings()?)?;
            let names = script::list(&dialer, name.as_deref(), within).await?;
            let form = form(json);
            print(names.iter().map(|name| show::client(form, name)))?;
        }
        Command::Send { access, name, sending } => {
            script::send(&access.dialer(&access.settings()?)?, &name, sending).await?;
        }
        Command::Listen { access, name, from, count, json, verbose, reconnects } => {
            let wanted = Wanted { form: form(json), from, count, verbose, reconnects };
            script::listen(&access.dialer(&access.settings()?)?, &name, wanted).await?;
        }
        Command::Join { access, name, plain, unframed, share } => {
            let folder = share.as_deref().map(Folder::open).transpose()?;
            let settings = access.settings()?;
            let name = settings.name(name);
            let dialer = access.dialer(&settings)?;
            if plain || unframed || !has_terminal() {
                let framing = if unframed { Framing::Unframed } else { Framing::Undecided };
                plain::join(&dialer, name, framing, folder, settings.asks_first).await?;
            } else {
                let theme = Theme::new(settings.has_colours(true, std::env::var_os("NO_COLOR")));
                match screen::run(dialer, name, theme, folder, settings.asks_first).await? {
                    Farewell::Left => {}
                    Farewell::ServerClosed => writeln!(io::stdout(), "The server closed.")?,
                    farewell => return Err(Error::Ended(farewell)),
                }
            }
        }
        Command::Play { access, name, playing } => {
            script::play(&access.dialer(&access.settings()?)?, name.as_deref(), &playing).await?;
        }
        Command::Files { access, name, of, within, json } => {
            let dialer = access.dialer(&access.settings()?)?;
            let files = script::files(&dialer, name.as_deref(), &of, within, form(json)).await?;
            print(files.lines.into_iter())?;
            files.remarks.iter().for_each(|remark| say(remark));
            if files.missing > 0 {
                let why = format!("{} files of the list of {of} never came", files.missing);
                return Err(Failure::Refused(why).into());
            }
        }
    }
    Ok(())
}

fn form(json: bool) -> Form {
    match (json, Printer::is_terminal()) {
        (true, _) => Form::Json,
        (false, true) => Form::Terminal,
        (false, false) => Form::Plain,
    }
}

fn print(lines: impl Iterator<Item = String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        out.write_all(line.as_bytes())?;
    }
    out.flush()
}

/// Whether there is one for a full screen.
fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && takes_escapes()
}
