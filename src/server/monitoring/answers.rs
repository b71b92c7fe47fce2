//! Answers monitoring requests: paths, methods, headers.

use actix_http::{
    Method, RequestHead, Response, StatusCode,
    body::{BoxBody, MessageBody},
    header,
};

use super::{Watched, exposition::Text, figures, json, liveness_check::LivenessCheck, nodes};
use crate::server::{common::health::ServerPhase, http::host};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// A path that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Metrics,
    Stats,
    Healthz,
    Readyz,
    Nodes,
}

impl Page {
    fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/metrics" => Self::Metrics,
            "/stats" => Self::Stats,
            "/healthz" => Self::Healthz,
            "/readyz" => Self::Readyz,
            "/nodes" => Self::Nodes,
            _ => return None,
        })
    }
}

/// Answers requests about the watched parts.
pub struct Desk {
    watched: Watched,
    liveness_check: LivenessCheck,
    /// Host names of this machine.
    own_names: Vec<String>,
}

impl Desk {
    /// Creates a desk that answers about these parts.
    pub fn new(watched: Watched) -> Self {
        let liveness_check = LivenessCheck::new(watched.workers.clone());
        Self { watched, liveness_check, own_names: host::own_names() }
    }

    /// Returns the response to a request.
    pub async fn answer(&self, request: &RequestHead) -> Response<BoxBody> {
        match self.page(request) {
            Ok(Page::Metrics) => {
                let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
                let text = Text::accepted_by(accept.unwrap_or_default());
                respond(StatusCode::OK, text.content_type(), text.write(figures::gather(&self.watched)))
            }
            Ok(Page::Stats) => respond(StatusCode::OK, JSON, json::write(&figures::gather(&self.watched))),
            Ok(Page::Readyz) => self.readiness(),
            Ok(Page::Nodes) => match self.watched.metrics.cluster().view() {
                Some(view) => respond(StatusCode::OK, JSON, nodes::write(&view)),
                None => respond(StatusCode::NOT_FOUND, TEXT, "This server is not a node of a cluster.\n"),
            },
            Ok(Page::Healthz) => self.health().await,
            Err(refusal) => refusal,
        }
    }

    /// Returns the page that a request asks for, or the refusal.
    fn page(&self, request: &RequestHead) -> Result<Page, Response<BoxBody>> {
        let config = self.watched.config.get();
        let names = config.web.hosts.iter().chain(&self.own_names).map(String::as_str);
        host::judge(request.headers(), names)
            .map_err(|foreign| respond(StatusCode::FORBIDDEN, TEXT, foreign.in_words()))?;
        let page = Page::at(request.uri.path()).ok_or_else(|| {
            let words =
                "There is nothing at this address. There are /metrics, /stats, /healthz, /readyz and /nodes.\n";
            respond(StatusCode::NOT_FOUND, TEXT, words)
        })?;
        if matches!(request.method, Method::GET | Method::HEAD) {
            return Ok(page);
        }
        let mut refusal =
            respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "Only GET and HEAD are answered here.\n");
        refusal.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        Err(refusal)
    }

    /// The response of `/readyz`: whether a new client would be served.
    fn readiness(&self) -> Response<BoxBody> {
        match self.watched.health.phase() {
            ServerPhase::Starting => unavailable("starting\n"),
            ServerPhase::Serving if self.watched.health.is_cut_off() => {
                unavailable("cut off from the cluster\n")
            }
            ServerPhase::Serving => respond(StatusCode::OK, TEXT, "ready\n"),
            ServerPhase::Draining => unavailable("draining\n"),
            ServerPhase::Died => unavailable("a part of the server died\n"),
        }
    }

    /// The response of `/healthz`: whether all parts are alive and all workers respond.
    async fn health(&self) -> Response<BoxBody> {
        if self.watched.health.phase() == ServerPhase::Died {
            return unavailable("a part of the server died\n");
        }
        match self.liveness_check.missing().await {
            None => respond(StatusCode::OK, TEXT, "ok\n"),
            Some(worker) => unavailable(format!("worker {worker} does not answer\n")),
        }
    }
}

fn unavailable(words: impl MessageBody + 'static) -> Response<BoxBody> {
    respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, words)
}

fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: impl MessageBody + 'static,
) -> Response<BoxBody> {
    let mut response = Response::build(status);
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ] {
        response.insert_header((name, value));
    }
    response.body(body).map_into_boxed_body()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::SystemTime};

    use actix_http::test::TestRequest;
    use slog::{Discard, Logger, o};

    use super::*;
    use crate::{
        config::{Config, InForce},
        server::common::health::Health,
    };

    fn desk(health: &Health) -> Desk {
        let watched = Watched {
            metrics: Arc::default(),
            health: health.clone(),
            workers: Vec::new(),
            config: InForce::new(Config::default()),
            since: SystemTime::now(),
            log: Logger::root(Discard, o!()),
        };
        Desk::new(watched)
    }

    async fn ask(desk: &Desk, path: &str) -> (u16, String) {
        let request = TestRequest::with_uri(path).insert_header((header::HOST, "localhost")).finish();
        let response = desk.answer(request.head()).await;
        let status = response.status().as_u16();
        let body = response.into_body().try_into_bytes().unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn each_phase_is_told() {
        actix_rt::System::new().block_on(async {
            let health = Health::default();
            let desk = desk(&health);
            for (phase, is_well, ready) in [
                (ServerPhase::Starting, true, (503, "starting\n")),
                (ServerPhase::Serving, true, (200, "ready\n")),
                (ServerPhase::Draining, true, (503, "draining\n")),
                (ServerPhase::Died, false, (503, "a part of the server died\n")),
            ] {
                health.reach(phase);
                let (status, words) = ask(&desk, "/readyz").await;
                assert_eq!((status, words.as_str()), ready);
                let well = if is_well { (200, "ok\n") } else { (503, "a part of the server died\n") };
                let (status, words) = ask(&desk, "/healthz").await;
                assert_eq!((status, words.as_str()), well);
                let is_ready = format!("\narauto_ready {}\n", u8::from(phase == ServerPhase::Serving));
                assert!(ask(&desk, "/metrics").await.1.contains(&is_ready));
            }
        });
    }
}
