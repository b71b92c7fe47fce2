//! Tests of the program from outside: its output and its exit status. Also functions to run it, for other tests.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use std::fs::File;
use std::io;
use std::process::{Command, Output};

use arauto::cli::Cli;
use clap::CommandFactory;

pub(crate) use arauto_testkit::{arauto, without_settings};

/// Returns standard output. Checks that the program succeeds and writes nothing to standard error.
pub(crate) fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!((status(&output), text(&output.stderr).as_str()), (0, ""), "{command:?}");
    text(&output.stdout)
}

/// Returns standard error. Checks that the program ends with status 2 and writes nothing to standard output.
pub(crate) fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!((status(&output), text(&output.stdout).as_str()), (2, ""), "{command:?}: {output:?}");
    text(&output.stderr)
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn version() {
    assert_eq!(stdout(&mut arauto(["--version"])), concat!("arauto ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn no_subcommand_is_help_and_status_2() {
    assert!(refusal(&mut arauto([])).contains("Usage: arauto <COMMAND>"));
}

#[test]
fn every_help_shows_an_example_that_is_understood() {
    for subcommand in Cli::command().get_subcommands().map(clap::Command::get_name) {
        for flag in ["-h", "--help"] {
            let help = stdout(&mut arauto([subcommand, flag]));
            let (_, examples) = help.split_once("\nExamples:\n").expect(&help);
            assert!(examples.starts_with(&format!("  arauto {subcommand}")), "{help}");
            assert!(examples.lines().all(|line| line.starts_with("  ")), "{help}");
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        }
    }
    assert!(stdout(&mut arauto(["--help"])).contains("\nExamples:\n  arauto serve\n"));
}

#[test]
fn help_names_the_variables() {
    let help = stdout(&mut arauto(["serve", "--help"]));
    let named = ["CONFIG", "SERVER_LISTEN", "SERVER_WORKERS", "LOG_LEVEL", "LOG_FORMAT"];
    for variable in named {
        assert!(help.contains(&format!("[env: ARAUTO_{variable}]")), "{variable}: {help}");
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&mut arauto(["completions", shell]));
        assert!(script.contains("arauto") && script.contains("log-format"), "{shell}: {script}");
    }
    assert!(refusal(&mut arauto(["completions", "cmd"])).contains("[possible values: bash, elvish, fish"));
}

#[cfg(feature = "tui")]
#[test]
fn the_manual_page_has_every_subcommand_and_setting() {
    let page = stdout(&mut arauto(["man"]));
    assert!(page.contains("\n.TH arauto 1 "), "{page}");
    let sections = ["SETTINGS", "CLIENT SETTINGS", "ENVIRONMENT", "FILES", "EXIT STATUS"].map(str::to_owned);
    let commands = Cli::command();
    let of_commands =
        commands.get_subcommands().map(|command| format!("ARAUTO {}", command.get_name().to_uppercase()));
    for section in of_commands.chain(sections) {
        let heading = if section.contains(' ') { format!("\"{section}\"") } else { section };
        assert!(page.contains(&format!("\n.SH {heading}\n")), "{heading}: {page}");
    }
    let server = arauto::config::describe().map(|(setting, _)| (setting.path, setting.variable));
    let client = arauto_client::settings::describe().map(|setting| (setting.path, setting.variable));
    for (path, variable) in server.chain(client) {
        assert!(page.contains(&format!("\n\\fB{path}\\fR, \\fB{variable}\\fR\n")), "{path}: {page}");
    }
    assert_eq!(page.matches("\n.el ").count(), 1, "{page}");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    for arguments in [["man", "--"], ["config", "--"], ["completions", "zsh"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = arauto(arguments).stdout(writer).output().unwrap();
        assert_eq!((status(&output), text(&output.stderr).as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn a_complaint_that_nobody_reads_keeps_its_status() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let output = arauto(["config", "--check", "no such file"]).stderr(writer).output().unwrap();
    assert_eq!(status(&output), 2);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_failure() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = arauto(["man"]).stdout(full).output().unwrap();
    assert_eq!(status(&output), 1);
    assert_eq!(text(&output.stderr), "arauto: No space left on device (os error 28)\n");
}

#[test]
fn a_mistyped_command_line_is_status_2() {
    assert!(refusal(&mut arauto(["sevre"])).contains("'serve'"));
    assert!(refusal(&mut arauto(["serve", "--wrokers", "3"])).contains("'--workers'"));
    assert!(
        refusal(&mut arauto(["serve", "--log-level", "loud"]))
            .contains("[possible values: error, warn, info, debug, trace]")
    );
    assert!(refusal(&mut arauto(["config", "--check", "a", "--workers", "3"])).contains("--check"));
}

#[cfg(not(feature = "cluster"))]
#[test]
fn a_program_without_nats_says_so() {
    let mut serve = arauto(["serve"]);
    serve.env("ARAUTO_CLUSTER_SERVERS", "nats://127.0.0.1:9").env("ARAUTO_CLUSTER_NODE", "n1");
    for listen in ["SERVER", "WEB", "MEDIA", "MONITORING"] {
        serve.env(format!("ARAUTO_{listen}_LISTEN"), "127.0.0.1:0");
    }
    let output = serve.output().unwrap();
    let words = "arauto: cannot take part in the cluster: this program was built without NATS (the feature `cluster`)";
    assert_eq!((status(&output), text(&output.stderr).lines().last().unwrap()), (1, words));
}

#[cfg(feature = "jemalloc")]
#[test]
fn the_allocator_has_its_settings() {
    let output = arauto(["--version"]).env("_RJEM_MALLOC_CONF", "stats_print:true").output().unwrap();
    let settings = text(&output.stderr);
    for setting in ["background_thread: true", "dirty_decay_ms: 1000", "muzzy_decay_ms: 0", "tcache_max: 512"]
    {
        assert!(settings.contains(&format!("opt.{setting}")), "{setting} is not in {settings}");
    }
}
