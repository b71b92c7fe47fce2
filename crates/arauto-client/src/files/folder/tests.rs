use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    sync::mpsc,
    thread,
};

use rustix::fs::{CWD, RenameFlags};
use tempfile::{TempDir, tempdir};

use super::*;
use crate::files::{LeftOut, audio::tests::wav};

/// Creates these files in a folder, each with its path as its content.
fn folder(files: &[&str]) -> (TempDir, Folder) {
    let dir = tempdir().unwrap();
    for file in files {
        write(&dir, file, file.as_bytes());
    }
    let folder = Folder::open(dir.path()).unwrap();
    (dir, folder)
}

fn write(dir: &TempDir, file: impl AsRef<Path>, content: &[u8]) {
    let path = dir.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Returns the text of the folder's list.
fn told(folder: &mut Folder) -> String {
    folder.list().texts(10_000).join("\n")
}

#[test]
fn files_of_all_folders_in_order() {
    let (_dir, mut folder) = folder(&["b/10.txt", "b/2.txt", "a.txt", "B.txt", "c/d/e/f"]);
    assert_eq!(
        told(&mut folder),
        "5 files: a.txt (5 bytes), b/2.txt (7 bytes), b/10.txt (8 bytes), B.txt (5 bytes), c/d/e/f (7 bytes)"
    );
}

#[test]
fn always_fresh() {
    let (dir, mut folder) = folder(&[]);
    assert_eq!(told(&mut folder), "no files are shared");
    write(&dir, "a.wav", &wav(8000, 8000));
    assert_eq!(told(&mut folder), "1 file: a.wav (8044 bytes, 0:01, audio/wav)");
    write(&dir, "a.wav", &wav(8000, 16_000));
    assert_eq!(told(&mut folder), "1 file: a.wav (16044 bytes, 0:02, audio/wav)");
    fs::rename(dir.path().join("a.wav"), dir.path().join("b.wav")).unwrap();
    assert_eq!(told(&mut folder), "1 file: b.wav (16044 bytes, 0:02, audio/wav)");
    fs::remove_file(dir.path().join("b.wav")).unwrap();
    assert_eq!(told(&mut folder), "no files are shared");
    assert!(folder.prober.known.is_empty(), "what went is forgotten");
    drop(dir);
    assert_eq!(told(&mut folder), "no files are shared; 1 folder is not listed");
}

#[test]
fn what_is_known_is_not_read_again() {
    let (dir, mut folder) = folder(&[]);
    write(&dir, "a.wav", &wav(8000, 8000));
    folder.list();
    // No time is left to examine files, and none is needed.
    folder.prober.within = Duration::ZERO;
    assert_eq!(folder.list().entries[0].seconds, Some(1));
    assert!(folder.is_heard());
    write(&dir, "b.wav", &wav(8000, 8000));
    let listing = folder.list();
    assert_eq!((listing.entries[0].seconds, listing.entries[1].kind.as_deref()), (Some(1), None));
    assert!(!folder.is_heard());
    folder.prober.within = Prober::default().within;
    assert_eq!(folder.list().entries[1].seconds, Some(1));
    assert!(folder.is_heard());
}

#[test]
fn hidden_files_and_links_are_left_out() {
    let (dir, mut folder) = folder(&["a", ".hidden", ".git/config", "b/.c/d"]);
    let (outside, _) = self::folder(&["secret"]);
    symlink(outside.path().join("secret"), dir.path().join("link")).unwrap();
    symlink(outside.path(), dir.path().join("folder")).unwrap();
    symlink(dir.path(), dir.path().join("loop")).unwrap();
    symlink("..", dir.path().join("up")).unwrap();
    symlink("a", dir.path().join("inside")).unwrap();
    symlink("nowhere", dir.path().join("broken")).unwrap();
    assert_eq!(told(&mut folder), "1 file: a (1 byte)");
}

#[test]
fn a_folder_that_became_a_link_is_not_entered() {
    let (dir, _folder) = folder(&["a/secret.wav"]);
    let seen = tree::look(dir.path(), BOUNDS).files[0].1;
    assert!(tree::open_seen(dir.path(), b"a/secret.wav", seen).is_ok());
    fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
    symlink("b", dir.path().join("a")).unwrap();
    assert!(tree::open_seen(dir.path(), b"a/secret.wav", seen).is_err());
    assert!(tree::open_seen(dir.path(), b"b/secret.wav", seen).is_ok());
    for path in ["b/../b/secret.wav", "/b/secret.wav", "b//secret.wav", "./b/secret.wav"] {
        assert!(tree::open_seen(dir.path(), path.as_bytes(), seen).is_err(), "{path}");
    }
    assert!(tree::open_seen(dir.path(), b"b", seen).is_err());
}

#[test]
fn nothing_outside_is_told_however_folders_and_links_are_exchanged() {
    const EXCHANGES: usize = 20_000;
    let (dir, mut folder) = folder(&["a/inside.wav"]);
    let (outside, _) = self::folder(&["secret.wav"]);
    symlink(outside.path(), dir.path().join("b")).unwrap();
    let root = dir.path().to_owned();
    let exchanging = thread::spawn(move || {
        for _ in 0..EXCHANGES {
            rustix::fs::renameat_with(CWD, root.join("a"), CWD, root.join("b"), RenameFlags::EXCHANGE)
                .unwrap();
        }
    });
    while !exchanging.is_finished() {
        for entry in folder.list().entries {
            assert!(["a/inside.wav", "b/inside.wav"].contains(&entry.name.to_str().unwrap()), "{entry}");
        }
    }
    exchanging.join().unwrap();
}

#[test]
fn a_file_that_became_a_link_is_not_opened() {
    let (dir, _folder) = folder(&["a.mp3"]);
    let (outside, path) = (tempdir().unwrap(), dir.path().join("a.mp3"));
    let seen = tree::look(dir.path(), BOUNDS).files[0].1;
    // The path leads to the same file, which is outside the folder now.
    fs::hard_link(&path, outside.path().join("a.mp3")).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(outside.path().join("a.mp3"), &path).unwrap();
    let refused = tree::open_seen(dir.path(), b"a.mp3", seen).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
}

#[test]
fn the_shared_folder_itself_may_be_reached_by_a_link() {
    let (dir, _) = folder(&["a/x"]);
    symlink("a", dir.path().join("link")).unwrap();
    let mut linked = Folder::open(&dir.path().join("link")).unwrap();
    assert_eq!(told(&mut linked), "1 file: x (3 bytes)");
    assert_eq!(linked.path(), dir.path().canonicalize().unwrap().join("a"));
}

#[test]
fn names_may_hold_anything() {
    let (dir, mut folder) =
        folder(&["a\nb\u{1b}[2J", "\u{202e}gnp.exe", "x, y (z)", "\u{301}", "no data", " "]);
    write(&dir, OsStr::from_bytes(b"caf\xe9/\xff.txt"), b"");
    let listing = folder.list();
    assert_eq!(listing.entries.len(), 7);
    let text = listing.texts(1000).concat();
    assert_eq!(crate::files::Part::parse(&text).unwrap().listing, listing);
    assert!(text.contains(r#""caf\xe9/\xff.txt" (0 bytes)"#), "{text}");
}

#[test]
fn pipes_and_sockets_are_no_files_and_are_not_opened() {
    let (dir, mut folder) = folder(&["a"]);
    let made = std::process::Command::new("mkfifo").arg(dir.path().join("pipe.mp3")).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket.mp3")).unwrap();
    let (done, listed) = mpsc::channel();
    thread::spawn(move || done.send(told(&mut folder)).unwrap());
    let listed = listed.recv_timeout(Duration::from_secs(20));
    assert_eq!(listed.as_deref(), Ok("1 file: a (1 byte)"));
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let (dir, _folder) = folder(&["a.mp3"]);
    let seen = tree::look(dir.path(), BOUNDS).files[0].1;
    fs::remove_file(dir.path().join("a.mp3")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(dir.path().join("a.mp3")).status().unwrap();
    assert!(made.success());
    let (done, opened) = mpsc::channel();
    thread::spawn(move || done.send(tree::open_seen(dir.path(), b"a.mp3", seen).is_err()).unwrap());
    assert_eq!(opened.recv_timeout(Duration::from_secs(20)), Ok(true));
}

#[test]
fn five_thousand_files() {
    let (dir, mut folder) = folder(&[]);
    for at in 0..5000 {
        fs::write(dir.path().join(format!("{at}.txt")), "").unwrap();
    }
    let listing = folder.list();
    assert_eq!(listing.left_out, LeftOut { files: 1000, ..LeftOut::default() });
    let names: Vec<_> = listing.entries.iter().map(|entry| entry.name.to_str().unwrap()).collect();
    let first: Vec<_> = (0..4000).map(|at| format!("{at}.txt")).collect();
    assert_eq!(names, first);
}

#[test]
fn bounds_are_said() {
    let (dir, mut folder) = folder(&["1/2/x", "1/2/3/y", "1/2/4/z", "0", "a/b"]);
    folder.bounds.depth = 2;
    assert_eq!(
        told(&mut folder),
        "3 files: 0 (1 byte), 1/2/x (5 bytes), a/b (3 bytes); 2 folders are not listed"
    );
    folder.bounds.files = 2;
    let text = "2 files: 0 (1 byte), 1/2/x (5 bytes); 1 file is not listed; 2 folders are not listed";
    assert_eq!(told(&mut folder), text);
    folder.bounds = Bounds { looks: 3, ..BOUNDS };
    assert!(told(&mut folder).ends_with("; not all was looked at"));
    folder.bounds = Bounds { within: Duration::ZERO, ..BOUNDS };
    assert_eq!(told(&mut folder), "no files are shared; not all was looked at");
    folder.bounds = Bounds { files: 0, ..BOUNDS };
    assert_eq!(told(&mut folder), "no files are shared; 5 files are not listed");
    let deep = ["d"; 17].join("/");
    write(&dir, format!("{deep}/too-deep"), b"");
    folder.bounds = BOUNDS;
    assert!(told(&mut folder).ends_with("a/b (3 bytes); 1 folder is not listed"));
}

/// Gives up root on this thread, because root could read everything.
fn give_up_root() {
    let nobody = rustix::thread::Uid::from_raw(65534);
    rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
}

#[test]
fn a_folder_that_cannot_be_read_does_not_fail_the_rest() {
    let (dir, mut folder) = folder(&["a", "locked/x", "z"]);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let locked = dir.path().join("locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o0)).unwrap();
    let path = locked.clone();
    let listed = thread::spawn(move || {
        if locked.read_dir().is_ok() {
            give_up_root();
        }
        (told(&mut folder), Folder::open(&locked).unwrap_err().to_string())
    });
    let (told, refusal) = listed.join().unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(told, "2 files: a (1 byte), z (1 byte); 1 folder is not listed");
    assert!(
        refusal
            .ends_with("locked cannot be shared: Permission denied (os error 13); name a folder that exists")
    );
}

#[test]
fn what_is_no_folder() {
    let (dir, _folder) = folder(&["a\u{1b}"]);
    let refusal = |name| Folder::open(&dir.path().join(name)).unwrap_err().to_string();
    assert!(refusal("none").ends_with(
        "none cannot be shared: No such file or directory (os error 2); name a folder that exists"
    ));
    assert!(
        refusal("a\u{1b}")
            .ends_with(r"a\u{1b} cannot be shared: it is no folder; name the folder that it is in")
    );
}

#[tokio::test]
async fn off_the_callers_thread() {
    let (_dir, folder) = folder(&["a"]);
    let (folder, listing) = folder.listed().await;
    assert_eq!(listing.texts(100), ["1 file: a (1 byte)"]);
    assert_eq!(folder.listed().await.1, listing);
}

/// Returns the content of the file of this name, or why it is not opened.
fn opened(folder: &Folder, name: &str) -> String {
    match folder.opener().open(name) {
        Ok(mut file) => std::io::read_to_string(&mut file).unwrap(),
        Err(why) => why.to_string(),
    }
}

#[test]
fn a_name_is_taken_raw_or_quoted() {
    let (_dir, folder) = folder(&[
        "it's a \"quoted\" song.mp3",
        "01 - Artist (feat. X).mp3",
        "a, b.mp3",
        "back\\slash.mp3",
        "sub/two  blanks.mp3",
        "\"a\".mp3",
        "notes.txt",
    ]);
    for (name, file) in [
        ("it's a \"quoted\" song.mp3", "it's a \"quoted\" song.mp3"),
        (r#""it's a \"quoted\" song.mp3""#, "it's a \"quoted\" song.mp3"),
        // Form in which the short form of `play` passes the name.
        (r#"it's a \"quoted\" song.mp3"#, "it's a \"quoted\" song.mp3"),
        ("01 - Artist (feat. X).mp3", "01 - Artist (feat. X).mp3"),
        ("\"01 - Artist (feat. X).mp3\"", "01 - Artist (feat. X).mp3"),
        ("a, b.mp3", "a, b.mp3"),
        ("back\\slash.mp3", "back\\slash.mp3"),
        ("back\\\\slash.mp3", "back\\slash.mp3"),
        ("sub/two  blanks.mp3", "sub/two  blanks.mp3"),
        ("\"a\".mp3", "\"a\".mp3"),
        ("none.mp3", "no such file is shared"),
        ("\"a, b.mp3", "no such file is shared"),
        ("../a, b.mp3", "no such file is shared"),
        ("sub", "no such file is shared"),
        ("", "no such file is shared"),
    ] {
        assert_eq!(opened(&folder, name), file, "{name}");
    }
    assert_eq!(
        opened(&folder, "notes.txt"),
        "it cannot be played: only files that end in .mp3, .mp2, .ogg, .oga, .opus, .flac, .wav, .wave, .m4a, .m4b, .aac \
         can"
    );
}

#[test]
fn a_name_is_found_composed_and_decomposed() {
    let (dir, shared) = folder(&["Mu\u{301}sica/cafe\u{301}.mp3", "na\u{ef}ve.mp3", ".h\u{e9}.mp3"]);
    assert_eq!(opened(&shared, "M\u{fa}sica/caf\u{e9}.mp3"), "Mu\u{301}sica/cafe\u{301}.mp3");
    assert_eq!(opened(&shared, "Mu\u{301}sica/caf\u{e9}.mp3"), "Mu\u{301}sica/cafe\u{301}.mp3");
    assert_eq!(opened(&shared, "nai\u{308}ve.mp3"), "na\u{ef}ve.mp3");
    // Names that differ in case, or only look the same, are other names.
    for name in
        ["NA\u{cf}VE.mp3", "na\u{457}ve.mp3", ".he\u{301}.mp3", "M\u{fa}sica", "M\u{fa}sica/../naive.mp3"]
    {
        assert_eq!(opened(&shared, name), "no such file is shared", "{name}");
    }
    // An exact match takes precedence.
    write(&dir, "M\u{fa}sica/caf\u{e9}.mp3", b"composed");
    assert_eq!(opened(&shared, "M\u{fa}sica/caf\u{e9}.mp3"), "composed");
    assert_eq!(opened(&shared, "Mu\u{301}sica/cafe\u{301}.mp3"), "Mu\u{301}sica/cafe\u{301}.mp3");
    assert_eq!(
        opened(&shared, "M\u{fa}sica/cafe\u{301}.mp3"),
        "several shared files have this name; write it as the list has it"
    );
    // No link leads out of the folder.
    symlink("/", dir.path().join("e\u{301}")).unwrap();
    assert_eq!(opened(&shared, "\u{e9}/etc/hosts.mp3"), "no such file is shared");
}

/// The list leaves the file of the locked folder out, so the name is not ambiguous.
#[test]
fn a_folder_that_cannot_be_read_does_not_hide_a_file_of_an_alike_one() {
    let (dir, shared) = folder(&["e\u{301}te\u{301}/a.mp3", "e\u{301}t\u{e9}/a.mp3"]);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let locked = dir.path().join("e\u{301}t\u{e9}");
    // Without the right to search it, the folder can be opened, and nothing in it.
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o444)).unwrap();
    let path = locked.clone();
    let opened = thread::spawn(move || {
        if locked.join("a.mp3").metadata().is_ok() {
            give_up_root();
        }
        opened(&shared, "\u{e9}t\u{e9}/a.mp3")
    });
    let opened = opened.join().unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(opened, "e\u{301}te\u{301}/a.mp3");
}
