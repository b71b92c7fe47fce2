//! Tests of the Debian package: made with the program under test, installed into a root of its own, used, and removed.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use arauto::cli::Cli;
use arauto_needs::needs;
use clap::CommandFactory;
use tempfile::TempDir;

use crate::{
    cli::without_settings,
    docs::{links_and_anchors, normal},
};

/// 2023-11-14 22:13:20 UTC.
const THEN: &str = "1700000000";

/// Runs a command and checks that it succeeds. Returns its standard output.
#[track_caller]
fn done(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}{err}");
    out.into_owned()
}

/// Makes the package from the program under test, in `folder`. Returns its path.
fn build(folder: &Path, umask: &str) -> PathBuf {
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/deb/build");
    let mut command = Command::new("bash");
    command.args(["-c", r#"umask "$0" && exec "$@""#, umask, recipe, "--out"]).arg(folder);
    command.args(["--program", env!("CARGO_BIN_EXE_arauto")]);
    without_settings(&mut command);
    // Compression takes most of the time, so it is set to the fastest.
    command.envs([("DPKG_DEB_COMPRESSOR_TYPE", "gzip"), ("DPKG_DEB_COMPRESSOR_LEVEL", "1")]);
    command.env("SOURCE_DATE_EPOCH", THEN).current_dir(folder);
    let printed = done(&mut command);
    PathBuf::from(printed.strip_suffix('\n').unwrap())
}

/// A root directory in which dpkg installs. Deleted when dropped.
struct Root(TempDir);

impl Root {
    fn new() -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        for folder in ["info", "updates", "triggers"] {
            fs::create_dir_all(root.path("var/lib/dpkg").join(folder)).unwrap();
        }
        fs::write(root.path("var/lib/dpkg/status"), "").unwrap();
        root
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside)
    }

    /// Runs dpkg as the empty root requires: without root privileges, without the libraries that the package depends
    /// on, and with scripts that run outside the root. All files are installed, even where the system excludes manual
    /// pages.
    fn dpkg<S: AsRef<OsStr>>(&self, arguments: &[S]) {
        let mut command = Command::new("dpkg");
        command.arg("--root").arg(self.0.path());
        command.args(["--force-not-root", "--force-depends", "--force-script-chrootless", "--force-confold"]);
        command.args(["--force-bad-path", "--log=/dev/null", "--path-include=*"]).args(arguments);
        done(&mut command);
    }

    fn install(&self, package: &Path) {
        self.dpkg(&[OsStr::new("--install"), package.as_os_str()]);
    }

    fn query(&self, format: &str) -> String {
        let mut command = Command::new("dpkg-query");
        command.arg("--admindir").arg(self.path("var/lib/dpkg")).args([
            "--show",
            "--showformat",
            format,
            "arauto",
        ]);
        done(&mut command)
    }

    /// Runs the installed program. Returns its standard output.
    fn arauto<const N: usize>(&self, arguments: [&str; N]) -> String {
        let mut command = Command::new(self.path("usr/bin/arauto"));
        without_settings(&mut command);
        done(command.args(arguments))
    }
}

/// Checks that each link of each document leads to an installed file. Links to other hosts are not followed.
fn links_lead_to_files_of_the_package(root: &Root) {
    let mut folders = vec![root.path("usr/share/doc/arauto")];
    let (mut documents, mut dead) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some(OsStr::new("md")) {
                documents += 1;
                let (links, _) = links_and_anchors(&fs::read_to_string(&path).unwrap());
                let within = links.iter().filter(|link| !link.contains("://") && !link.starts_with('#'));
                for link in within {
                    let target = normal(&folder.join(link.split('#').next().unwrap()));
                    if !target.exists() {
                        dead.push(format!("{}: {link}", path.display()));
                    }
                }
            }
        }
    }
    assert!(
        documents > 10 && dead.is_empty(),
        "{documents} documents, with links that lead nowhere: {dead:#?}"
    );
}

#[needs("dpkg", "dpkg-deb", "dpkg-shlibdeps", "strip", "bash", "man", "systemd-sysusers")]
#[test]
fn what_the_package_installs_works_and_goes_away_again() {
    let folder = tempfile::tempdir().unwrap();
    let package = build(folder.path(), "022");
    let root = Root::new();
    root.install(&package);
    assert_eq!(root.query("${Version} ${db:Status-Abbrev}"), concat!(env!("CARGO_PKG_VERSION"), " ii "));
    assert!(root.query("${Depends}").contains("libc6 (>= "));

    assert_eq!(root.arauto(["--version"]), concat!("arauto ", env!("CARGO_PKG_VERSION"), "\n"));
    let configuration = root.path("etc/arauto/arauto.toml");
    let shown = configuration.to_str().unwrap();
    assert_eq!(root.arauto(["config", "--check", shown]), format!("{shown}: ok\n"));
    let sample = root.path("usr/share/doc/arauto/examples/client.toml");
    root.arauto(["config", "--client", "--check", sample.to_str().unwrap()]);

    for file in ["prometheus.yml", "alerts.yml", "grafana-dashboard.json"] {
        assert!(root.path("usr/share/doc/arauto/examples/monitoring").join(file).is_file(), "{file}");
    }

    links_lead_to_files_of_the_package(&root);
    manual_pages_are_found(&root);
    completions_load(&root);
    the_unit_starts_what_is_there(&root);
    nobody_else_can_write(&root);
    the_services_group_alone_reads_its_settings(&root);

    // The operator's configuration and the server's files outlive another installation and the removal.
    assert_eq!(root.query("${Conffiles}").split_whitespace().next(), Some("/etc/arauto/arauto.toml"));
    fs::write(&configuration, "server.workers = 2\n").unwrap();
    let bans = root.path("var/lib/arauto/bans.toml");
    fs::create_dir_all(bans.parent().unwrap()).unwrap();
    fs::write(&bans, "").unwrap();
    root.install(&package);
    root.dpkg(&["--remove", "arauto"]);
    assert!(!root.path("usr/bin/arauto").exists());
    assert_eq!(fs::read_to_string(&configuration).unwrap(), "server.workers = 2\n");
    assert!(bans.exists());
    root.dpkg(&["--purge", "arauto"]);
    assert!(!root.path("etc/arauto").exists());
    assert!(!root.path("var/lib/arauto").exists());
}

fn manual_pages_are_found(root: &Root) {
    let man = |arguments: &[&str]| {
        let mut command = Command::new("man");
        command.arg("-M").arg(root.path("usr/share/man")).args(arguments);
        done(command.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100").env("MANPAGER", "cat"))
    };
    let page = man(&["arauto"]);
    for heading in
        ["NAME", "SYNOPSIS", "ARAUTO SERVE", "ARAUTO LIST", "CLIENT SETTINGS", "FILES", "EXIT STATUS"]
    {
        assert!(page.lines().any(|line| line == heading), "{heading}: {page}");
    }
    // `man arauto list` looks for the page under this name.
    for command in Cli::command().get_subcommands() {
        assert_eq!(man(&[&format!("arauto-{}", command.get_name())]), page);
    }
}

fn completions_load(root: &Root) {
    let script = root.path("usr/share/bash-completion/completions/arauto");
    let completed = |line: &str| {
        let mut command = Command::new("bash");
        command.args(["--norc", "-euc"]);
        command.arg(r#". "$0"; read -ra COMP_WORDS <<<"$1"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            complete -p arauto | grep -q _arauto
            _arauto arauto "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; echo "${COMPREPLY[@]}""#);
        done(command.arg(&script).arg(line))
    };
    assert_eq!(completed("arauto ser"), "serve\n");
    assert_eq!(completed("arauto list --password"), "--password-file\n");
    let zsh = fs::read_to_string(root.path("usr/share/zsh/vendor-completions/_arauto")).unwrap();
    assert!(zsh.starts_with("#compdef arauto\n"), "{zsh}");
    let fish = fs::read_to_string(root.path("usr/share/fish/vendor_completions.d/arauto.fish")).unwrap();
    assert!(fish.contains("complete -c arauto "), "{fish}");
}

fn the_unit_starts_what_is_there(root: &Root) {
    let unit = fs::read_to_string(root.path("usr/lib/systemd/system/arauto.service")).unwrap();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let files: Vec<_> = start.split(' ').filter_map(|word| word.strip_prefix('/')).collect();
    assert_eq!(files, ["usr/bin/arauto", "etc/arauto/arauto.toml"]);
    for file in files {
        assert!(root.path(file).is_file(), "{file}");
    }
    assert!(root.path("usr/lib/systemd/system/arauto.socket").is_file());
}

fn nobody_else_can_write(root: &Root) {
    let listed = fs::read_to_string(root.path("var/lib/dpkg/info/arauto.list")).unwrap();
    for path in listed.lines().filter(|path| *path != "/.") {
        let found = fs::symlink_metadata(root.path(&path[1..])).unwrap();
        let mode = found.permissions().mode() & 0o7777;
        let expected = match path {
            "/etc/arauto" => 0o750,
            "/usr/bin/arauto" => 0o755,
            _ if found.is_dir() => 0o755,
            _ => 0o644,
        };
        assert!(found.is_symlink() || mode == expected, "{path}: {mode:o}");
    }
}

/// Checks that the group of the service, which the installation creates, is the group of `/etc/arauto`, and that no
/// other users can read it.
fn the_services_group_alone_reads_its_settings(root: &Root) {
    let unit = fs::read_to_string(root.path("usr/lib/systemd/system/arauto.service")).unwrap();
    for line in ["User=arauto", "Group=arauto", "ConfigurationDirectoryMode=0750"] {
        assert!(unit.lines().any(|found| found == line), "{line}: {unit}");
    }
    let number_in = |file: &str, field: usize| -> u32 {
        let text = fs::read_to_string(root.path(file)).unwrap();
        let line = text.lines().find(|line| line.starts_with("arauto:")).expect(&text);
        line.split(':').nth(field).unwrap().parse().unwrap()
    };
    let (user, group) = (number_in("etc/passwd", 2), number_in("etc/group", 2));
    assert_eq!(number_in("etc/passwd", 3), group);
    let found = fs::metadata(root.path("etc/arauto")).unwrap();
    assert_eq!(found.permissions().mode() & 0o7777, 0o750);
    // Only root can change the owner of files.
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        assert_eq!((found.uid(), found.gid()), (0, group));
    }
    assert_ne!(user, 0);
}

#[needs("dpkg", "dpkg-deb", "dpkg-shlibdeps", "strip", "bash", "man", "systemd-sysusers")]
#[test]
fn the_same_package_comes_from_the_same_program() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, second) = (build(one.path(), "022"), build(other.path(), "077"));
    assert_eq!(first.file_name(), second.file_name());
    assert!(fs::read(&first).unwrap() == fs::read(&second).unwrap(), "they differ");
    let listed = done(Command::new("dpkg-deb").arg("--contents").arg(&first).env("TZ", "UTC"));
    for line in listed.lines() {
        assert!(line.contains(" root/root ") && line.contains(" 2023-11-14 22:13 "), "{line}");
    }
}

#[needs("dpkg", "dpkg-deb", "dpkg-shlibdeps", "strip", "bash", "man", "systemd-sysusers")]
#[test]
fn what_cannot_be_packed_is_refused() {
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/deb/build");
    let folder = tempfile::tempdir().unwrap();
    for (arguments, complaint) in [
        (&["--programm", "x"][..], "packaging/deb/build: what is --programm? Usage: packaging/deb/build"),
        (&["--out"], "packaging/deb/build: --out needs a value\n"),
        (&["--program", "none"], "realpath: none: No such file or directory\n"),
    ] {
        let output = Command::new(recipe).args(arguments).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.starts_with(complaint), "{arguments:?}: {said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
