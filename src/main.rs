//! The `arauto` program: parses the command line, runs the command, and turns its result into an exit status.

use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use arauto::accounts::passwd;
#[cfg(feature = "client")]
use arauto::cli::client;
use arauto::cli::{self, Cli, Command, nodes};
use arauto::config::{self, CommandLine, ConfigError};
use arauto::server::{Reloading, ServeError};
use arauto::{logging, self_signed, server};
use arauto_settings::escape::Escaped;
use clap::Parser;

/// Exit status for an unusable command line or configuration; clap uses the same.
const USAGE: u8 = 2;

/// Most faults of a configuration that are printed; a file can have thousands.
const MAX_FAULTS: usize = 50;

fn main() -> ExitCode {
    run(Cli::parse().command).unwrap_or_else(|error| {
        // The reader of our output closed it, as `head` does. That is no failure.
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        // Not `eprintln!`: it panics if stderr is closed.
        let _ = writeln!(io::stderr(), "arauto: {error:#}");
        let is_refusal =
            error.is::<ConfigError>() || error.downcast_ref().is_some_and(ServeError::is_refusal);
        #[cfg(feature = "client")]
        if let Some(error) = error.downcast_ref::<client::Error>() {
            return ExitCode::from(error.status());
        }
        if let Some(error) = error.downcast_ref::<nodes::NoNodes>() {
            return ExitCode::from(error.status());
        }
        if is_refusal { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
    })
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(settings) => return serve(settings.into()),
        #[cfg(feature = "client")]
        Command::Config { client: true, check: Some(file), .. } => {
            let (settings, faults) = arauto_client::settings::check(&file);
            return report(&file, faults, settings.unusable_files());
        }
        #[cfg(feature = "client")]
        Command::Config { client: true, check: None, .. } => {
            let loaded = arauto_client::settings::load(&CommandLine::default(), std::env::vars_os())?;
            print(loaded.to_string())?;
        }
        Command::Config { check: Some(file), .. } => {
            let (config, faults) = config::check(&file);
            return report(&file, faults, server::unusable_files(&config));
        }
        Command::Config { settings, check: None, .. } => {
            print(config::load(&settings.into(), std::env::vars_os())?.to_string())?;
        }
        Command::Passwd { name, operator } => print(passwd::entry(&name, operator)?)?,
        Command::Cert { hosts, days, out_dir } => {
            print(self_signed::make(&hosts, days, &out_dir)?.advice())?;
        }
        Command::Nodes { monitoring, json } => print(nodes::table(&monitoring, json)?)?,
        #[cfg(feature = "client")]
        Command::Join(join) => client::run(join.into())?,
        #[cfg(feature = "client")]
        Command::List(list) => client::run(list.into())?,
        #[cfg(feature = "client")]
        Command::Send(send) => client::run(send.into())?,
        #[cfg(feature = "client")]
        Command::Listen(listen) => client::run(listen.into())?,
        #[cfg(feature = "client")]
        Command::Files(files) => client::run(files.into())?,
        #[cfg(feature = "audio")]
        Command::Play(play) => client::run(play.into())?,
        Command::Completions { shell } => print(cli::completions(shell))?,
        Command::Man => print(cli::man()?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the faults of a configuration and of the files that it names, up to [`MAX_FAULTS`], or that it is ok.
fn report<E: Error + Send + Sync + 'static>(
    file: &Path,
    of_settings: Vec<ConfigError>,
    of_files: Vec<E>,
) -> anyhow::Result<ExitCode> {
    let of_settings = of_settings.into_iter().map(anyhow::Error::new);
    let faults: Vec<_> = of_settings.chain(of_files.into_iter().map(anyhow::Error::new)).collect();
    if faults.is_empty() {
        print(format!("{}: ok\n", Escaped(file.display())))?;
        return Ok(ExitCode::SUCCESS);
    }
    // Write errors are ignored: the exit status reports the faults, too.
    let mut stderr = io::stderr().lock();
    for fault in faults.iter().take(MAX_FAULTS) {
        let _ = writeln!(stderr, "arauto: {fault:#}");
    }
    if faults.len() > MAX_FAULTS {
        let _ = writeln!(stderr, "arauto: and {} more", faults.len() - MAX_FAULTS);
    }
    Ok(ExitCode::from(USAGE))
}

fn serve(command_line: CommandLine) -> anyhow::Result<ExitCode> {
    // Must precede `logging::init`, which starts a thread: this call changes the environment.
    let passed = server::systemd::passed_listeners()?;
    let file = config::file(&command_line, std::env::vars_os());
    let load = move || Ok(config::load(&command_line, std::env::vars_os())?.config);
    let config = load()?;
    let (log, flushed_at_the_end) = logging::init(&config.log)?;
    arauto_allocator::start()?;
    let threshold = flushed_at_the_end.threshold();
    let reloading = Reloading {
        file,
        load: Box::new(load),
        applied: Box::new(move |config| threshold.set(config.log.level)),
    };
    Ok(server::serve(&config, passed, reloading, &log)?)
}

fn print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref())?;
    out.flush()
}
