//! Tests of the documents: each link within the project leads to an existing file and heading, and figures that depend
//! on the code are those that the program reports.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::{cli::without_settings, harness::process::Process};

/// Returns the paths of all Markdown files of the project, relative to its root.
fn documents() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "*.md"]).current_dir(root()).output();
    let listed = listed.ok().filter(|listed| listed.status.success()).map(|listed| listed.stdout);
    let documents: Vec<PathBuf> =
        String::from_utf8(listed.unwrap_or_default()).unwrap().lines().map(PathBuf::from).collect();
    // An unpacked release has no repository around it.
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
