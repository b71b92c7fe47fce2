//! [`ClientCommand`]: the requests of the command line to the client as plain data, and how each is run.

use std::{
    io::{self, ErrorKind, IsTerminal, Write},
    path::PathBuf,
    time::Duration,
};

use arauto_client::{
    Settings,
    decoder::Framing,
    dial::Dialer,
    files::{Folder, NoFolder},
    output::{Printer, say},
    plain,
    script::{
        self, ListenOptions, ScriptError, Sending,
        show::{self, Form},
    },
    settings::{self, FileError},
    tls,
};
#[cfg(feature = "audio")]
use arauto_client::{
    rtsp,
    script::{BrokenStream, PlayOptions},
};
use arauto_settings::escape::Escaped;
use arauto_settings::layers::{CommandLine, ConfigError};
use arauto_terminal::takes_escapes;
#[cfg(feature = "tui")]
use arauto_tui::{ExitReason, Theme};
use tokio::runtime;

/// Which server to use and how to connect to it, as given on the command line. The user's settings supply the rest.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Settings given on the command line.
    pub settings: CommandLine,
    /// Accept any certificate. Available only on the command line, for one call: in a settings file it would stay on
    /// unnoticed.
    pub insecure: bool,
}

impl Access {
    /// Returns the settings in force: flags over environment over the user's file over defaults. They include the
    /// name ([`Settings::name`]) and whether to use colours ([`Settings::has_colours`]).
    ///
    /// # Errors
    /// The first setting that is invalid.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        Ok(settings::load(&self.settings, std::env::vars_os())?.config)
    }

    /// Builds the dialer for these settings: reads the files that they name, and prints a warning on standard error
    /// for everything that is dangerous about the connection.
    ///
    /// # Errors
    /// If one of the files cannot be used.
    pub fn dialer(&self, settings: &Settings) -> Result<Dialer, Error> {
        let dialer = settings.dialer(self.insecure)?;
        for warning in dialer.warnings() {
            // There is no other place to report that standard error is gone.
            let _ = writeln!(io::stderr(), "arauto: warning: {warning}");
        }
        Ok(dialer)
    }
}

/// A command of the client, with its arguments.
#[derive(Clone, Debug)]
pub enum ClientCommand {
    /// Join and take part in the conversation.
    Join {
        /// Server and connection options.
        access: Access,
        /// Name to join under. If `None`, the setting or else the user supplies it.
        name: Option<String>,
        /// Use the line-by-line dialogue, even on a terminal.
        plain: bool,
        /// Implies `plain`; the server is known to send no line endings.
        unframed: bool,
        /// Folder whose files other users can list and play.
        share: Option<PathBuf>,
    },
    /// Print the names of the connected clients.
    List {
        /// Server and connection options.
        access: Access,
        /// Name to join under; generated if `None`.
        name: Option<String>,
        /// Time limit of the whole command.
        within: Duration,
        /// Print JSON.
        json: bool,
    },
    /// Send messages.
    Send {
        /// Server and connection options.
        access: Access,
        /// Name to join under.
        name: String,
        /// The messages, their receivers, and the treatment of lines that cannot be sent.
        sending: Sending,
    },
    /// Print received messages.
    Listen {
        /// Server and connection options.
        access: Access,
        /// Name to join under.
        name: String,
        /// Print only messages from this user.
        from: Option<String>,
        /// End after this many messages.
        count: Option<u64>,
        /// Print JSON.
        json: bool,
        /// Print a line on standard error once other users can reach this client.
        verbose: bool,
        /// Reconnect after a cut.
        reconnects: bool,
    },
    /// Print the list of files that a user shares.
    Files {
        /// Server and connection options.
        access: Access,
        /// Name to join under; generated if `None`.
        name: Option<String>,
        /// Name of the user whose files are listed.
        of: String,
        /// Time limit of the whole command.
        within: Duration,
        /// Print JSON.
        json: bool,
    },
    /// Play a file that another user shares.
    #[cfg(feature = "audio")]
    Play {
        /// Server and connection options.
        access: Access,
        /// Name to join under; generated if `None`.
        name: Option<String>,
        /// Which file, and where to play it.
        playing: PlayOptions,
    },
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command for scripts failed.
    #[error("{}", Escaped(.0))]
    Script(ScriptError),
    /// A setting is invalid.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// A file that a setting names cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A full-screen conversation ended other than by the user leaving or the server shutting down.
    #[cfg(feature = "tui")]
    #[error("{}", Escaped(.0))]
    Ended(ExitReason),
    /// The path given to `--share` is not a usable folder.
    #[error(transparent)]
    Share(#[from] NoFolder),
    /// Standard input or output, or starting a thread, failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<ScriptError> for Error {
    fn from(failure: ScriptError) -> Self {
        Self::Script(failure)
    }
}

impl Error {
    /// Returns the program's exit status: 2 for an invalid command line or setting, 3 if the server or the user who
    /// was asked refuses, 4 if there is no connection, 5 if it is unknown whether the server carried out the request,
    /// 1 for all else.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Script(failure) => match failure {
                ScriptError::Argument { .. } => 2,
                ScriptError::Refused(_)
                | ScriptError::PasswordMissing(_)
                | ScriptError::PasswordWrong { .. }
                | ScriptError::Endless { .. }
                | ScriptError::NoAnswer { .. } => 3,
                ScriptError::NoConnection(_)
                | ScriptError::Broken(_)
                | ScriptError::Ended
                | ScriptError::NotLetIn(_)
                | ScriptError::ServerClosed => 4,
                ScriptError::NotTaken { .. } | ScriptError::NotConfirmed { .. } => 5,
                #[cfg(feature = "audio")]
                ScriptError::Stream(why) => of_stream(why),
                #[cfg(feature = "audio")]
                ScriptError::BrokeOff { why, .. } => match &**why {
                    BrokenStream::Ended(_) => 3,
                    BrokenStream::Lost(_) | BrokenStream::Cut => 4,
                    BrokenStream::Stream(why) => of_stream(why),
                },
                ScriptError::PasswordUnfit { .. }
                | ScriptError::Line { .. }
                | ScriptError::Unread { .. }
                | ScriptError::Input(_)
                | ScriptError::Output(_) => 1,
                #[cfg(feature = "audio")]
                ScriptError::Sound(_) => 1,
            },
            #[cfg(feature = "tui")]
            Self::Ended(ExitReason::Refused(_)) => 3,
            #[cfg(feature = "tui")]
            Self::Ended(_) => 4,
            Self::Settings(_) | Self::Share(_) | Self::File(FileError::Tls(tls::TlsError::Half { .. })) => 2,
            Self::File(_) | Self::Io(_) => 1,
        }
    }
}

/// Returns 3 if the server refuses, 4 if there is no connection, 1 for all else.
#[cfg(feature = "audio")]
fn of_stream(why: &rtsp::RtspError) -> u8 {
    match why {
        rtsp::RtspError::Refused { .. } => 3,
        rtsp::RtspError::NoConnection(_)
        | rtsp::RtspError::Broken(_)
        | rtsp::RtspError::Closed
        | rtsp::RtspError::Silence { .. } => 4,
        rtsp::RtspError::Address
        | rtsp::RtspError::Exposed
        | rtsp::RtspError::Port { .. }
        | rtsp::RtspError::Malformed(_)
        | rtsp::RtspError::Description(_) => 1,
    }
}

/// Runs the command to its end. A closed standard output counts as success: its reader has seen enough.
///
/// # Errors
/// If the command fails; [`Error::status`] gives the exit status.
pub fn run(command: ClientCommand) -> Result<(), Error> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(carry_out(command)) {
        Err(Error::Io(error) | Error::Script(ScriptError::Output(error)))
            if error.kind() == ErrorKind::BrokenPipe =>
        {
            Ok(())
        }
        done => done,
    }
}

async fn carry_out(command: ClientCommand) -> Result<(), Error> {
    match command {
        ClientCommand::List { access, name, within, json } => {
            let dialer = access.dialer(&access.settings()?)?;
            let names = script::list(&dialer, name.as_deref(), within).await?;
            let form = form(json);
            print(names.iter().map(|name| show::client(form, name)))?;
        }
        ClientCommand::Send { access, name, sending } => {
            script::send(&access.dialer(&access.settings()?)?, &name, sending).await?;
        }
        ClientCommand::Listen { access, name, from, count, json, verbose, reconnects } => {
            let wanted = ListenOptions { form: form(json), from, count, verbose, reconnects };
            script::listen(&access.dialer(&access.settings()?)?, &name, wanted).await?;
        }
        ClientCommand::Join { access, name, plain, unframed, share } => {
            let folder = share.as_deref().map(Folder::open).transpose()?;
            let settings = access.settings()?;
            let name = settings.name(name);
            let dialer = access.dialer(&settings)?;
            if plain || unframed || !has_screen() {
                let framing = if unframed { Framing::Unframed } else { Framing::Undecided };
                plain::join(&dialer, name, framing, folder, settings.share.ask).await?;
                return Ok(());
            }
            #[cfg(feature = "tui")]
            on_screen(dialer, name, folder, &settings).await?;
        }
        #[cfg(feature = "audio")]
        ClientCommand::Play { access, name, playing } => {
            script::play(&access.dialer(&access.settings()?)?, name.as_deref(), &playing).await?;
        }
        ClientCommand::Files { access, name, of, within, json } => {
            let dialer = access.dialer(&access.settings()?)?;
            let files = script::files(&dialer, name.as_deref(), &of, within, form(json)).await?;
            print(files.lines.into_iter())?;
            files.remarks.iter().for_each(|remark| say(remark));
            if files.missing > 0 {
                let why = format!("{} files of the list of {of} did not arrive", files.missing);
                return Err(ScriptError::Refused(why).into());
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

/// Joins on the full screen.
#[cfg(feature = "tui")]
async fn on_screen(
    dialer: Dialer,
    name: Option<String>,
    folder: Option<Folder>,
    settings: &Settings,
) -> Result<(), Error> {
    let theme = Theme::new(settings.has_colours(true, std::env::var_os("NO_COLOR")));
    match arauto_tui::run(dialer, name, theme, folder, settings.share.ask).await? {
        ExitReason::Left => {}
        ExitReason::ServerClosed => writeln!(io::stdout(), "The server closed.")?,
        exit_reason => return Err(Error::Ended(exit_reason)),
    }
    Ok(())
}

/// Whether this program has a full screen, and standard input and output are a terminal that can show it.
fn has_screen() -> bool {
    cfg!(feature = "tui") && io::stdin().is_terminal() && io::stdout().is_terminal() && takes_escapes()
}
