//! Tests with the tools that read the figures: Prometheus, its rules, and the dashboard for Grafana.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use arauto_needs::needs;
use serde_json::Value;
use tempfile::TempDir;

use super::get;
use crate::harness::{TestServer, wait_until};

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(in_repository(path)).unwrap()
}

/// Returns the names of figures in a text.
fn named_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let is_figure = |word: &&str| word.starts_with("arauto_") || word.starts_with("process_");
    words.filter(is_figure).map(str::to_owned).collect()
}

/// Returns the names of all series that a server exposes.
fn exposed() -> BTreeSet<String> {
    let server = TestServer::start();
    let text = get(server.monitoring_address(), "/metrics").body;
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn what_dashboard_and_rules_name_is_exposed() {
    let exposed = exposed();
    for path in ["grafana-dashboard.json", "alerts.yml", "alerts-test.yml"] {
        let named = named_in(&read(&format!("packaging/monitoring/{path}")));
        assert!(named.len() > 10, "{path}: {named:?}");
        let missing: Vec<_> = named.difference(&exposed).collect();
        assert!(missing.is_empty(), "{path}: {missing:?}");
    }
}

#[test]
fn every_figure_is_documented_and_every_documented_figure_is_there() {
    let server = TestServer::start();
    let stats: Value = serde_json::from_str(&get(server.monitoring_address(), "/stats").body).unwrap();
    let names: BTreeSet<String> = stats.as_object().unwrap().keys().cloned().collect();
    // Each row of the tables begins with the name.
    let text = read("docs/monitoring.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let rows: BTreeSet<String> = rows.filter(|name| name.contains('_')).map(str::to_owned).collect();
    assert_eq!(rows, names);
}

/// Each HELP text is one sentence, and `docs/monitoring.md` begins its row with the same words.
#[test]
fn every_help_is_a_sentence_that_the_documentation_has_too() {
    let text = read("docs/monitoring.md").replace('`', "");
    let server = TestServer::start();
    let metrics = get(server.monitoring_address(), "/metrics").body;
    let helps: Vec<_> = metrics.lines().filter_map(|line| line.strip_prefix("# HELP ")).collect();
    assert!(helps.len() > 30);
    for help in helps {
        let (name, help) = help.split_once(' ').unwrap();
        let sentence = help.strip_suffix('.').unwrap_or_else(|| panic!("{name}: {help}"));
        assert!(sentence.len() > 20 && !sentence.contains(". "), "{name}: {help}");
        let row = text.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
        let meaning = row.split(" | ").nth(2).unwrap();
        assert!(meaning.to_lowercase().starts_with(&sentence.to_lowercase()), "{name}: {meaning}");
    }
}

#[test]
fn every_rule_is_documented() {
    let text = read("docs/monitoring.md");
    let rules = read("packaging/monitoring/alerts.yml");
    let rules: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(rules.len() > 10);
    for rule in rules {
        assert!(text.contains(&format!("| `{rule}` |")), "{rule}");
    }
}

#[test]
fn the_dashboard_is_one() {
    let dashboard: Value =
        serde_json::from_str(&read("packaging/monitoring/grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{panel}");
            assert!(
                target["expr"].as_str().unwrap().contains(r#"{job=~"$job", instance=~"$instance"}"#),
                "{panel}"
            );
        }
    }
}

#[track_caller]
fn promtool(arguments: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(in_repository("packaging/monitoring"));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // promtool may end without reading its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[needs("promtool")]
#[test]
fn promtool_finds_nothing_wrong() {
    let server = TestServer::start();
    let _alan = server.join("alan");
    promtool(&["check", "metrics"], &get(server.monitoring_address(), "/metrics").body);
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["check", "config", "prometheus.yml"], "");
    promtool(&["test", "rules", "alerts-test.yml"], "");
}

/// A running Prometheus, killed when dropped.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts a Prometheus that scrapes this server every second, with the rules.
    fn watching(server: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = read("packaging/monitoring/prometheus.yml")
            .replace("127.0.0.1:1281", &server.to_string())
            .replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s");
        fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        fs::write(folder.path().join("alerts.yml"), read("packaging/monitoring/alerts.yml")).unwrap();
        let mut command = Command::new("prometheus");
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.args(["--web.listen-address=127.0.0.1:0", "--log.format=json"]).current_dir(folder.path());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut passed = Vec::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it does not listen: {passed:#?}"));
            let record: Value = serde_json::from_str(&line).unwrap();
            let address = record["address"].as_str().and_then(|address| address.parse::<SocketAddr>().ok());
            if let Some(address) = address.filter(|address| address.port() != 0) {
                break address;
            }
            passed.push(line);
        };
        // Prometheus would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let this = Self { child, address, _folder: folder };
        wait_until("Prometheus to be ready", || get_http_1_0(address, "/-/ready").contains("is Ready"));
        this
    }

    fn ask(&self, path: &str) -> Value {
        let answer = get_http_1_0(self.address, path);
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }

    /// Returns the results of a query.
    fn query(&self, query: &str) -> Vec<Value> {
        let mut path = "/api/v1/query?query=".to_owned();
        for byte in query.bytes() {
            write!(path, "%{byte:02x}").unwrap();
        }
        let answer = self.ask(&path);
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// Returns the number that a query gives, or `None` if the query has no result.
    fn number(&self, query: &str) -> Option<f64> {
        match &self.query(query)[..] {
            [] => None,
            [one] => one["value"][1].as_str().unwrap().parse().ok(),
            several => panic!("{query}: {several:?}"),
        }
    }
}

/// Sends a request of HTTP/1.0, so that the answer is not chunked.
fn get_http_1_0(address: SocketAddr, path: &str) -> String {
    super::ask(address, &format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")).body
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[needs("prometheus")]
#[test]
fn prometheus_scrapes_it_and_can_use_rules_and_dashboard() {
    let server = TestServer::start();
    let mut alan = server.join("alan");
    let _bob = server.join("bob");
    alan.ask("/all hi", "alan | all clients | broadcast | hi");
    let prometheus = Prometheus::watching(server.monitoring_address());
    wait_until("Prometheus to know who is here", || prometheus.number("arauto_members") == Some(2.0));
    assert_eq!(prometheus.number(r#"up{job="arauto"}"#), Some(1.0));
    assert_eq!(prometheus.number(r#"arauto_operations_total{operation="broadcast"}"#), Some(1.0));
    assert_eq!(prometheus.number("sum(arauto_sessions)"), Some(2.0));
    // The unit comes from the OpenMetrics format, which the server sends only if asked for it.
    let units = prometheus.ask("/api/v1/targets/metadata?metric=arauto_delivered_bytes");
    assert_eq!(units["data"][0]["unit"], "bytes", "{units}");
    let targets = prometheus.ask("/api/v1/targets");
    assert_eq!(targets["data"]["activeTargets"][0]["lastError"], "", "{targets}");

    wait_until("the rules to be evaluated", || {
        let rules = prometheus.ask("/api/v1/rules");
        let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap().clone();
        rules.len() > 10 && rules.iter().all(|rule| rule["health"] == "ok" && rule["state"] == "inactive")
    });
    // Two scrapes are enough for a rate.
    wait_until("a second scrape", || prometheus.number("count_over_time(arauto_members[1m])") >= Some(3.0));
    let dashboard: Value =
        serde_json::from_str(&read("packaging/monitoring/grafana-dashboard.json")).unwrap();
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "1m");
            let query = query.replace("$job", ".+").replace("$instance", ".+");
            let results = prometheus.query(&query);
            // A query that ends in `> 0` has no result for kinds that did not occur.
            assert!(!results.is_empty() || query.ends_with("> 0"), "{}: nothing for {query}", panel["title"]);
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
}
