//! Tests with sound servers of their own: the volume, and the addresses by which a sound server is found.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use arauto_needs::needs;
use tempfile::TempDir;

use super::play::{Running, client, outcome, samples, share, write_wav};
use crate::harness::{TestServer, wait_until};

/// A PulseAudio of the test's own, with a null sink.
pub struct Pulse {
    folder: TempDir,
    _daemon: Running,
}

impl Pulse {
    pub fn start() -> Self {
        Self::start_with("", &[])
    }

    /// Starts PulseAudio with these lines in its configuration, and these modules.
    fn start_with(configuration: &str, modules: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("socket");
        let settings = folder.path().join("daemon.conf");
        fs::write(&settings, configuration).unwrap();
        let mut command = Command::new("pulseaudio");
        command
            .args(["--daemonize=no", "--exit-idle-time=-1", "-n"])
            .args(["-L", "module-null-sink sink_name=null rate=48000"])
            .args([
                "-L",
                &format!("module-native-protocol-unix auth-anonymous=1 socket={}", socket.display()),
            ])
            .args(modules.iter().flat_map(|module| ["-L", module]))
            .env("PULSE_CONFIG", settings)
            .envs(["XDG_RUNTIME_DIR", "HOME"].map(|name| (name, folder.path())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let daemon = Running(command.spawn().unwrap());
        wait_until("PulseAudio to listen", || socket.exists());
        Self { folder, _daemon: daemon }
    }

    pub fn server(&self) -> String {
        format!("unix:{}", self.folder.path().join("socket").display())
    }

    /// Starts to record the output of the sink. Returns the recorder and the file.
    pub fn record(&self) -> (Running, PathBuf) {
        let path = self.folder.path().join("recorded");
        let mut command = Command::new("parec");
        command
            .arg("--latency-msec=20")
            .args(["--device=null.monitor", "--format=s16le", "--rate=48000", "--channels=2"])
            .env("PULSE_SERVER", self.server())
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&path).unwrap());
        let recorder = Running(command.spawn().unwrap());
        // A null sink begins with two seconds of silence (384,000 bytes), taken at once.
        wait_until("the recorder to record", || fs::metadata(&path).unwrap().len() > 400_000);
        (recorder, path)
    }
}

impl Pulse {
    /// Runs `pactl` and returns its output.
    fn pactl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("pactl");
        command.args(arguments).env("PULSE_SERVER", self.server()).env("HOME", self.folder.path());
        let output = command.env("LC_ALL", "C").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the indices and the volumes of all streams that are played.
    fn streams(&self) -> Vec<(String, String)> {
        let text = self.pactl(&["list", "sink-inputs"]);
        let indices = text.lines().filter_map(|line| line.strip_prefix("Sink Input #"));
        let volumes = text.lines().filter_map(|line| line.trim().strip_prefix("Volume: "));
        let percent = |line: &str| line.split('/').nth(1).unwrap().trim().to_owned();
        indices.zip(volumes).map(|(index, volume)| (index.to_owned(), percent(volume))).collect()
    }

    /// Returns the volume of the sink.
    fn volume(&self) -> String {
        let text = self.pactl(&["get-sink-volume", "null"]);
        text.split('/').nth(1).unwrap().trim().to_owned()
    }
}

/// Starts a server and joins ana, who shares a song of this many seconds.
fn sharing(seconds: u32) -> (TestServer, TempDir, Running) {
    let (server, folder) = (TestServer::start(), TempDir::new().unwrap());
    write_wav(&folder.path().join("song.wav"), 44_100, &samples(seconds * 44_100));
    let ana = share(server.address(), folder.path());
    (server, folder, ana)
}

fn player(server: &TestServer, sound: &str, home: &Path) -> Command {
    let mut command = client(server.address(), ["play", "ana/song.wav"]);
    command.env("PULSE_SERVER", sound).env("HOME", home).env("XDG_CONFIG_HOME", home.join(".config"));
    command
}

/// Plays until the sound server has a stream. Returns the player, and the stream's index and volume.
fn play_until_heard(server: &TestServer, pulse: &Pulse) -> (Running, (String, String)) {
    let home = pulse.folder.path();
    let playing = Running(player(server, &pulse.server(), home).stderr(Stdio::null()).spawn().unwrap());
    let mut streams = Vec::new();
    wait_until("a stream to be played", || {
        streams = pulse.streams();
        !streams.is_empty()
    });
    (playing, streams.remove(0))
}

/// With flat volumes, a stream that sets its own volume sets the sink's.
#[needs("pulseaudio", "pactl")]
#[test]
fn the_volume_of_the_machine_is_left_alone() {
    let (server, _folder, _ana) = sharing(60);
    let pulse = Pulse::start_with("flat-volumes = yes\n", &[]);
    pulse.pactl(&["set-sink-volume", "null", "20%"]);
    let (_playing, (_, volume)) = play_until_heard(&server, &pulse);
    assert_eq!((volume.as_str(), pulse.volume().as_str()), ("20%", "20%"));
}

#[needs("pulseaudio", "pactl")]
#[test]
fn a_volume_that_was_set_in_the_mixer_is_kept() {
    let (server, _folder, _ana) = sharing(60);
    let pulse = Pulse::start_with("flat-volumes = no\n", &["module-stream-restore"]);
    let (playing, (index, volume)) = play_until_heard(&server, &pulse);
    assert_eq!(volume, "100%");
    pulse.pactl(&["set-sink-input-volume", &index, "37%"]);
    drop(playing);
    wait_until("the stream to end", || pulse.streams().is_empty());
    let (_playing, (_, volume)) = play_until_heard(&server, &pulse);
    assert_eq!(volume, "37%");
}

#[needs("pulseaudio")]
#[test]
fn a_sound_server_is_found_wherever_pactl_finds_it() {
    let (server, folder, _ana) = sharing(1);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tcp = format!("module-native-protocol-tcp auth-anonymous=1 listen=127.0.0.1 port={port}");
    let pulse = Pulse::start_with("", &[&tcp]);
    let path = pulse.folder.path().join("socket").display().to_string();
    // All play at once, which takes no longer than one.
    let players = [
        path.clone(),
        format!("tcp:127.0.0.1:{port}"),
        format!("127.0.0.1:{port}"),
        format!("unix:/nowhere {{another-machine}}tcp:sound.example tcp4:localhost:{port}"),
    ]
    .map(|sound| {
        let mut command = player(&server, &sound, folder.path());
        (command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), sound)
    });
    for (player, sound) in players {
        let (status, said) = outcome(&player.wait_with_output().unwrap());
        assert!(status == 0 && (said.is_empty() || said.starts_with("arauto: lost ")), "{sound}: {said}");
    }
    // Named in the user's settings.
    let settings = folder.path().join(".config/pulse");
    fs::create_dir_all(&settings).unwrap();
    fs::write(settings.join("client.conf"), format!("default-server = {path}\n")).unwrap();
    let mut command = player(&server, "", folder.path());
    let (status, said) = outcome(&command.env_remove("PULSE_SERVER").output().unwrap());
    assert!(status == 0 && (said.is_empty() || said.starts_with("arauto: lost ")), "{said}");
    // Without settings: the socket of the session.
    fs::remove_dir_all(&settings).unwrap();
    let runtime = TempDir::new().unwrap();
    fs::create_dir(runtime.path().join("pulse")).unwrap();
    std::os::unix::fs::symlink(&path, runtime.path().join("pulse/native")).unwrap();
    command.env("XDG_RUNTIME_DIR", runtime.path());
    let (status, said) = outcome(&command.output().unwrap());
    assert!(status == 0 && (said.is_empty() || said.starts_with("arauto: lost ")), "{said}");
}
