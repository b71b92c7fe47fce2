//! Tests of the documents: each link within the project leads to an existing file and heading, figures that depend on
//! the code are those that the program reports, files that list settings are those that the program generates, the tests
//! that documents name exist, and the protocol's page has all texts of the server.

use std::{
    collections::{HashMap, HashSet},
    env, fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

use arauto::config;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::{cli::without_settings, harness::process::Process};

/// Returns the paths of the project's files with this extension, relative to its root. None in an unpacked release,
/// which has no repository around it.
fn listed(extension: &str) -> Vec<PathBuf> {
    let pattern = format!("*.{extension}");
    let listed = Command::new("git").args(["ls-files", &pattern]).current_dir(root()).output();
    let listed = listed.ok().filter(|listed| listed.status.success()).map(|listed| listed.stdout);
    String::from_utf8(listed.unwrap_or_default()).unwrap().lines().map(PathBuf::from).collect()
}

/// Returns the paths of all Markdown files of the project, relative to its root.
fn documents() -> Vec<PathBuf> {
    let documents = listed("md");
    if documents.is_empty() { vec!["README.md".into(), "README.pt-BR.md".into()] } else { documents }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns a document's links, and the anchors that its headings have on the usual code hosts.
pub(crate) fn links_and_anchors(text: &str) -> (Vec<String>, HashSet<String>) {
    let (mut links, mut anchors, mut repeated) = (Vec::new(), HashSet::new(), HashMap::new());
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap_or_default());
                let earlier = repeated.entry(anchor.clone()).or_insert(0);
                anchors.insert(if *earlier == 0 { anchor } else { format!("{anchor}-{earlier}") });
                *earlier += 1;
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(dest_url.into_string());
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                links.extend(
                    html.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned),
                );
            }
            _ => {}
        }
    }
    (links, anchors)
}

/// Returns the anchor of a heading: lower case, blanks as hyphens, without punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns a path without `.` and `..`.
pub(crate) fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut normal, component| {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
        normal
    })
}

#[test]
fn every_link_leads_somewhere() {
    let read: HashMap<PathBuf, _> = documents()
        .into_iter()
        .map(|document| {
            let text = fs::read_to_string(root().join(&document)).unwrap();
            (document, links_and_anchors(&text))
        })
        .collect();
    let mut dead = Vec::new();
    for (document, (links, _)) in &read {
        for link in links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.clone(),
                path => normal(&document.parent().unwrap().join(path)),
            };
            let leads_somewhere = root().join(&target).exists()
                && (fragment.is_empty()
                    || read.get(&target).is_some_and(|(_, anchors)| anchors.contains(fragment)));
            if !leads_somewhere {
                dead.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(read.len() >= 2 && dead.is_empty(), "links that lead nowhere: {dead:#?}");
}

#[test]
fn headings_become_anchors_as_code_hosts_make_them() {
    let (links, anchors) =
        links_and_anchors("# A `b.c` [D]\n\n## A `b.c` [D]\n\n[x](y#z) <img src=\"p.png\">\n");
    assert_eq!(links, ["y#z", "p.png"]);
    assert_eq!(anchors, HashSet::from(["a-bc-d".to_owned(), "a-bc-d-1".to_owned()]));
}

#[test]
fn the_readme_names_the_open_files_that_the_server_wants() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 500; exec \"$0\" serve", env!("CARGO_BIN_EXE_arauto")]);
    without_settings(&mut command);
    let mut process = Process::run(command, &[]);
    process.signal("TERM");
    process.ended();
    let log = process.whole_log();
    let wanted = log.split_once("\"needed\":").unwrap_or_else(|| panic!("{log}")).1;
    let wanted: String = wanted.chars().take_while(char::is_ascii_digit).collect();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(
        readme.contains(&format!("needed: {wanted}\n")),
        "README.md does not say that {wanted} are needed"
    );
}

/// Returns whether a file holds the function at this path: its name last, before it modules that are folders or files on
/// the way, or the crate.
fn holds(file: &Path, text: &str, path: &[&str]) -> bool {
    let Some((function, modules)) = path.split_last() else { return false };
    let way: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().replace('-', "_"))
        .chain(["tests".to_owned()])
        .collect();
    text.contains(&format!("fn {function}("))
        && modules.iter().all(|module| way.iter().any(|part| part == module))
}

/// Documents name the tests that show what they say, by their paths.
#[test]
fn the_tests_that_documents_name_exist() {
    let sources: Vec<(PathBuf, String)> = listed("rs")
        .into_iter()
        .map(|file| (file.clone(), fs::read_to_string(root().join(file)).unwrap_or_default()))
        .collect();
    let is_name = |part: &&str| part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let mut missing = Vec::new();
    for document in documents().iter().filter(|_| !sources.is_empty()) {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            let Event::Code(code) = event else { continue };
            let path: Vec<&str> = code.split("::").collect();
            // A name of several words is a test's; a shorter one is a module's or a function's.
            let is_test =
                path.len() > 1 && path.iter().all(is_name) && path[path.len() - 1].matches('_').count() > 2;
            if is_test && !sources.iter().any(|(file, text)| holds(file, text, &path)) {
                missing.push(format!("{}: {code}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "tests that do not exist: {missing:#?}");
}

/// The pages with a table of limits.
const PAGES: [&str; 2] = ["docs/audio.md", "docs/settings.md"];

/// The comments around the table in each of [`PAGES`] whose second column is generated.
const TABLE: [&str; 2] = ["<!-- defaults, written by tests/docs.rs -->\n", "<!-- end of the defaults -->\n"];

/// Returns the page with the defaults of the settings that the first cell of each row names in the second cell.
fn with_defaults(page: &str) -> String {
    let defaults: HashMap<_, _> =
        config::describe().map(|(setting, _)| (setting.path, setting.default)).collect();
    let (before, rest) = page.split_once(TABLE[0]).unwrap();
    let (table, after) = rest.split_once(TABLE[1]).unwrap();
    let rows = table.split_inclusive('\n').map(|row| match row.split(" | ").collect::<Vec<_>>()[..] {
        [names, _, action] if names.contains('`') => {
            let names_alone = names.split('`').skip(1).step_by(2);
            let values: Vec<_> =
                names_alone.map(|name| format!("`{}`", defaults[name].trim_matches('"'))).collect();
            format!("{names} | {} | {action}", values.join(", "))
        }
        _ => row.to_owned(),
    });
    [before, TABLE[0], &rows.collect::<String>(), TABLE[1], after].concat()
}

/// Compares the files that are generated from the tables of settings, or writes them if `ARAUTO_WRITE_FILES` is set.
#[test]
fn files_that_list_settings_are_as_generated() {
    let pages = PAGES.map(|path| (path, with_defaults(&fs::read_to_string(root().join(path)).unwrap())));
    let templates = [
        ("config/arauto.toml", config::template()),
        #[cfg(feature = "tui")]
        ("config/client.toml", arauto_client::settings::template()),
    ];
    for (path, generated) in templates.into_iter().chain(pages) {
        let path = root().join(path);
        if env::var_os("ARAUTO_WRITE_FILES").is_some() {
            fs::write(&path, &generated).unwrap();
        }
        assert!(
            fs::read_to_string(&path).unwrap() == generated,
            "{} is out of date; this writes it: ARAUTO_WRITE_FILES=1 cargo test --test main as_generated",
            path.display()
        );
    }
}

/// Parts of string literals in [`TEXTS_IN`] that no client is sent.
const NOT_SENT: [&str; 16] = [
    // Log messages and errors within the program.
    "| client (",
    ") disconnected",
    "its publisher ended it",
    "is a |, which separates fields",
    "a field that was not judged",
    "the text is not a message",
    "the text is not DATA",
    "the text is not a name",
    "the cluster's log takes nothing",
    // A length.
    "server |  | list_clients | clients connected:",
    // Values of a metric.
    "not your name",
    "unknown operation",
    "not allowed",
    // A word that users type, and descriptions of operations that `/help` leaves out.
    "on air",
    "asks a user's client to send a file",
    "how long messages and names may be",
];

/// The folders whose sources hold the server's texts.
const TEXTS_IN: [&str; 2] = ["crates/arauto-protocol/src", "src/server/registry"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Returns the string literals of a source, without those of its tests and of log messages.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//") && !line.contains("self.log");
    let code = code.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    // What is left between two quotes is a literal, and every second piece is.
    let code = code.replace("'\"'", "").replace("\\\"", "\0");
    let whole =
        |literal: &str| literal.split("\\\n").map(str::trim_start).collect::<String>().replace('\0', "\"");
    code.split('"').skip(1).step_by(2).map(whole).collect()
}

/// Checks the parts with several words between the placeholders of each literal.
#[test]
fn the_protocols_page_has_every_text_of_the_server() {
    if !root().join("crates").is_dir() {
        eprintln!("left out: the package of the program does not contain the other crates");
        return;
    }
    let page = fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    let page = page.replace(['`', '*'], "").replace("\\|", "|");
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut found, mut missing) = (0, Vec::new());
    for source in TEXTS_IN.into_iter().flat_map(|folder| sources(&root().join(folder))) {
        if source.ends_with("tests.rs") {
            continue;
        }
        for literal in literals(&fs::read_to_string(&source).unwrap()) {
            for piece in literal.split('{') {
                let part = piece.split_once('}').map_or(piece, |(_, behind)| behind).trim();
                if page.contains(part) {
                    found += usize::from(part.contains(' '));
                } else if part.contains(' ') && !NOT_SENT.contains(&part) {
                    missing.push(format!("{}: {part}", source.display()));
                }
            }
        }
    }
    assert!(found > 150 && missing.is_empty(), "{found} texts found, and these are missing: {missing:#?}");
}
