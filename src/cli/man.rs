//! Generates the manual page: one page for the program and all its commands.

use std::io::{self, Write};

use arauto_settings::layers::Description;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Cli;
use crate::config;

/// Returns the manual page in roff.
///
/// # Errors
/// None in practice: the page is written to memory.
pub fn man() -> io::Result<Vec<u8>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();

    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for command in command.get_subcommands() {
        subcommand(command, &mut page)?;
    }
    let sections = [
        server_settings(),
        #[cfg(feature = "client")]
        client_settings(),
        environment(),
        files(),
        exit_status(),
    ];
    for section in sections {
        section.to_writer(&mut page)?;
    }
    man.render_version_section(&mut page)?;
    Ok(with_one_preamble(&page))
}

/// Removes repeated definitions of the apostrophe. Each part comes with one, and the first serves all.
fn with_one_preamble(page: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(page.len());
    for (number, line) in page.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if number < 2 || !(line.starts_with(b".ie ") || line.starts_with(b".el ")) {
            whole.extend_from_slice(line);
        }
    }
    whole
}

/// Writes a section for a subcommand. By custom, it would be a page of its own: one more file to install and to find.
fn subcommand(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    Roff::new().control("SH", [name.to_uppercase().as_str()]).to_writer(page)?;

    let man = Man::new(command.clone());
    let mut own = Vec::new();
    man.render_description_section(&mut own)?;
    man.render_synopsis_section(&mut own)?;
    man.render_options_section(&mut own)?;
    man.render_extra_section(&mut own)?;
    for line in String::from_utf8_lossy(&own).lines() {
        match line.strip_prefix(".SH ") {
            Some("DESCRIPTION") => {}
            Some("EXTRA") => writeln!(page, ".PP")?,
            Some(heading) => writeln!(page, ".SS {heading}")?,
            None => writeln!(page, "{line}")?,
        }
    }
    Ok(())
}

fn server_settings() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SETTINGS"]);
    roff.text([roman(
        "Settings of the server. Flags override environment variables, which override the file that --config or \
         ARAUTO_CONFIG names, which overrides the defaults. The server reads no file unless one is named.",
    )]);
    for (setting, applies) in config::describe() {
        entry(&mut roff, &setting, &format!(" A change applies {applies}."));
    }
    roff
}

#[cfg(feature = "client")]
fn client_settings() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["CLIENT SETTINGS"]);
    roff.text([roman(
        "Flags override environment variables, which override the file, which overrides the defaults. The file is the \
         one that --config or ARAUTO_CLIENT_CONFIG names, or else ~/.config/arauto/client.toml, if it exists.",
    )]);
    for setting in arauto_client::settings::describe() {
        entry(&mut roff, &setting, "");
    }
    roff
}

/// Adds an entry for a setting; `more` follows its meaning, its bounds and its default.
fn entry(roff: &mut Roff, setting: &Description, more: &str) {
    let Description { path, variable, meaning, allowed, default } = setting;
    roff.control("TP", []);
    roff.text([bold(path), roman(", "), bold(variable)]);
    roff.text([roman(format!("{meaning} Must be {allowed}. Default: {default}.{more}"))]);
}

/// Returns the section on environment variables.
fn environment() -> Roff {
    named(
        "ENVIRONMENT",
        &[
            ("ARAUTO_CONFIG", "The server's configuration file."),
            ("ARAUTO_CLIENT_CONFIG", "The client's configuration file."),
            ("ARAUTO_...", "A setting, see SETTINGS and CLIENT SETTINGS."),
            ("NO_COLOR", "If set and not empty: no colours, unless the setting colours is always."),
            ("XDG_CONFIG_HOME", "The folder of the user's settings, instead of ~/.config."),
            (
                "SSL_CERT_FILE, SSL_CERT_DIR",
                "The certificates that --tls trusts, instead of those that the system trusts.",
            ),
            (
                "LISTEN_FDS, NOTIFY_SOCKET",
                "Set by systemd for arauto serve: the sockets to listen on, and the socket for notifications to systemd.",
            ),
        ],
    )
}

fn files() -> Roff {
    named(
        "FILES",
        &[
            ("~/.config/arauto/client.toml", "The client's settings, read if the file exists."),
            ("/etc/arauto/arauto.toml", "The server's configuration, if systemd starts it."),
            (
                "/var/lib/arauto",
                "The folder that the server may write to, if systemd starts it: put accounts.bans_file here.",
            ),
        ],
    )
}

fn exit_status() -> Roff {
    named(
        "EXIT STATUS",
        &[
            ("0", "Success, or the server closed on request."),
            ("1", "The server could not start, or failed; or a file or a terminal could not be used."),
            ("2", "The command line or the configuration is invalid."),
            ("3", "Client: the server, or the user who was asked, refused."),
            ("4", "Client: there is no connection, or it ended too early."),
            (
                "5",
                "Client: the server did not confirm the messages in time; they may have been delivered or not.",
            ),
            ("130", "The server received a second signal to end, and exited at once."),
        ],
    )
}

fn named(heading: &str, entries: &[(&str, &str)]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    for (name, meaning) in entries {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*meaning)]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_its_meaning_with_the_bounds_in_force() {
        let settings = config::describe().map(|(setting, _)| setting);
        #[cfg(feature = "client")]
        let settings = settings.chain(arauto_client::settings::describe());
        for Description { path, meaning, allowed, .. } in settings {
            assert!(meaning.len() > 20 && meaning.contains(['.', '?']), "{path}: {meaning:?}");
            let bounds = allowed.split_once(" from ").and_then(|(_, bounds)| bounds.split_once(" to "));
            if let Some((least, most)) = bounds {
                let said = [format!("{least} to {most}"), format!(r#""{least}" to "{most}""#)];
                assert!(said.iter().any(|said| meaning.contains(said)), "{path}: {meaning:?}");
            }
        }
    }

    #[test]
    fn the_page_says_what_a_setting_means_may_be_and_is() {
        let page = String::from_utf8(man().unwrap()).unwrap();
        let page = page.replace("\\-", "-");
        let of = |path: &str| {
            let (_, rest) = page.split_once(&format!("\\fB{path}\\fR, ")).unwrap_or_else(|| panic!("{page}"));
            rest.split(".TP").next().unwrap().to_owned()
        };
        let workers = of("server.workers");
        for part in [
            "ARAUTO_SERVER_WORKERS",
            "How many threads serve the sessions",
            "Must be a whole number from 0 to 64",
            "Default: 0.",
            "A change applies after a restart.",
        ] {
            assert!(workers.contains(part), "{part}: {workers}");
        }
        #[cfg(feature = "client")]
        assert!(of("colours").contains("Default: \"auto\"."), "{}", of("colours"));
    }
}
