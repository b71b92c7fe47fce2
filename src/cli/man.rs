//! The manual page: one for the program and all that it does.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Cli;
use crate::config;

/// The manual page.
///
/// # Errors
/// None in practice: it is written to memory.
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
    settings().to_writer(&mut page)?;
    exit_status().to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(with_one_preamble(&page))
}

/// Each part comes with the definition of its apostrophe; the first serves them all.
fn with_one_preamble(page: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(page.len());
    for (number, line) in page.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if number < 2 || !(line.starts_with(b".ie ") || line.starts_with(b".el ")) {
            whole.extend_from_slice(line);
        }
    }
    whole
}

/// A section for what would by custom be a page of its own, one more file to install and to find.
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

fn settings() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SETTINGS"]);
    roff.text([roman(
        "Flags win over environment variables, these over the file that --config or ARAUTO_CONFIG names, \
         and that over the defaults. No file is read unless it is named.",
    )]);
    for setting in config::describe() {
        roff.control("TP", []);
        roff.text([bold(setting.path), roman(", "), bold(setting.variable)]);
        roff.text([roman(format!("Must be {}. A change applies {}.", setting.allowed, setting.applies))]);
    }
    roff
}

fn exit_status() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in [
        ("0", "Done, or the server was closed as asked."),
        ("1", "The server could not run, or failed."),
        ("2", "The command line or the configuration is refused."),
        ("130", "The server was told a second time to end, and did so at once."),
    ] {
        roff.control("TP", []);
        roff.text([bold(status)]);
        roff.text([roman(meaning)]);
    }
    roff
}
