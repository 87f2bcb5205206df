//! `/healthz`, `/readyz` and `/metrics` of a service.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use common::Shutdown;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::TelemetryError;
use crate::health::Health;

/// Connections beyond it end the oldest one: slow peers must not turn checks away.
const MAX_CONNECTIONS: usize = 32;
const UPKEEP: Duration = Duration::from_secs(5);
/// A connection is closed when its request and answer take longer.
const DEADLINE: Duration = Duration::from_secs(5);

/// Answers health checks on a thread of its own until shutdown (or until it is dropped).
#[derive(Debug)]
pub struct HealthServer {
    address: SocketAddr,
    ended: Arc<tokio::sync::Notify>,
}

impl HealthServer {
    /// Listens on `address` (`host:port`; port 0 picks a free one). `/metrics` shows every metric of the process.
    ///
    /// # Errors
    /// [`TelemetryError::Listen`]; [`TelemetryError::Process`].
    pub fn start(address: &str, health: Health, shutdown: Shutdown) -> Result<Self, TelemetryError> {
        let fail = |error: std::io::Error| TelemetryError::Process {
            what: "the health server",
            message: error.to_string(),
        };
        let metrics = recorder()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
        let listener = runtime
            .block_on(TcpListener::bind(address))
            .map_err(|source| TelemetryError::Listen { address: address.to_owned(), source })?;
        let address = listener.local_addr().map_err(fail)?;
        let ended = Arc::new(tokio::sync::Notify::new());
        let end = Arc::clone(&ended);
        let sources = Sources { metrics, health };
        let serve = move || runtime.block_on(serve(listener, sources, shutdown, end));
        std::thread::Builder::new().name("health".to_owned()).spawn(serve).map_err(fail)?;
        tracing::info!(%address, "answering /healthz, /readyz and /metrics");
        Ok(HealthServer { address, ended })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HealthServer {
    fn drop(&mut self) {
        self.ended.notify_one();
    }
}

/// The process's one registry of metrics, installed when the first service asks for it.
fn recorder() -> Result<PrometheusHandle, TelemetryError> {
    static RECORDER: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    RECORDER
        .get_or_init(|| PrometheusBuilder::new().install_recorder().map_err(|error| error.to_string()))
        .clone()
        .map_err(|message| TelemetryError::Process { what: "the registry of metrics", message })
}

/// What the answers are made of.
#[derive(Clone)]
struct Sources {
    metrics: PrometheusHandle,
    health: Health,
}

fn routes(sources: Sources) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"))
        .with_state(sources)
}

/// The thread that answers lives as long as the process; whether the service does its own loops say.
async fn healthz(State(sources): State<Sources>) -> impl IntoResponse {
    let stuck = sources.health.stuck();
    if stuck.is_empty() {
        return (StatusCode::OK, "alive\n".to_owned());
    }
    let late = stuck.iter().map(|(name, age)| format!("{name} has not gone on for {} s\n", age.as_secs()));
    (StatusCode::SERVICE_UNAVAILABLE, late.collect())
}

async fn readyz(State(sources): State<Sources>) -> impl IntoResponse {
    let reasons = sources.health.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons })))
}

async fn metrics(State(sources): State<Sources>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], sources.metrics.render())
}

async fn serve(listener: TcpListener, sources: Sources, shutdown: Shutdown, end: Arc<tokio::sync::Notify>) {
    let mut connections: VecDeque<AbortHandle> = VecDeque::new();
    let upkeep_of = sources.metrics.clone();
    let mut upkeep = tokio::time::interval(UPKEEP);
    let routes = routes(sources);
    while !shutdown.is_triggered() {
        tokio::select! {
            () = end.notified() => return,
            _ = upkeep.tick() => upkeep_of.run_upkeep(),
            Ok((stream, _)) = listener.accept() => {
                connections.retain(|connection| !connection.is_finished());
                if connections.len() >= MAX_CONNECTIONS && let Some(oldest) = connections.pop_front() {
                    oldest.abort();
                }
                connections.push_back(tokio::spawn(answer(stream, routes.clone())).abort_handle());
            }
        }
    }
}

/// Answers one request; a peer that is slow to send it is disconnected.
async fn answer(stream: TcpStream, routes: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(DEADLINE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    match tokio::time::timeout(DEADLINE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a health check failed"),
        Err(_) => tracing::debug!("a health check took too long"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use common::ExitStatus as _;

    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_service_tells_its_health_its_lacks_and_its_metrics() {
        let health = Health::new();
        health.unmet("learner", "no learner has claimed this shard");
        let server = HealthServer::start("127.0.0.1:0", health.clone(), Shutdown::new()).unwrap();
        metrics::counter!("longshore_test_total").increment(3);
        assert!(get(server.address(), "/healthz").starts_with("HTTP/1.1 200"));
        let lacking = get(server.address(), "/readyz");
        assert!(
            lacking.starts_with("HTTP/1.1 503") && lacking.contains("no learner has claimed"),
            "{lacking}"
        );
        health.met("learner");
        assert!(get(server.address(), "/readyz").starts_with("HTTP/1.1 200"));
        assert!(get(server.address(), "/metrics").contains("longshore_test_total 3"));
        assert!(get(server.address(), "/nothing").starts_with("HTTP/1.1 404"));
    }

    #[test]
    fn a_loop_that_does_not_go_on_is_told_by_name() {
        let health = Health::new();
        let server = HealthServer::start("127.0.0.1:0", health.clone(), Shutdown::new()).unwrap();
        health.beat("serving", Duration::from_secs(3600));
        assert!(get(server.address(), "/healthz").starts_with("HTTP/1.1 200"));
        health.beat("serving", Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        let late = get(server.address(), "/healthz");
        assert!(late.starts_with("HTTP/1.1 503") && late.contains("serving has not gone on"), "{late}");
        health.beat("serving", Duration::from_secs(3600));
        assert!(get(server.address(), "/healthz").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn slow_connections_turn_no_check_away() {
        let server = HealthServer::start("127.0.0.1:0", Health::new(), Shutdown::new()).unwrap();
        let slow: Vec<_> = (0..4 * MAX_CONNECTIONS)
            .map(|_| std::net::TcpStream::connect(server.address()).unwrap())
            .collect();
        for _ in 0..10 {
            assert!(get(server.address(), "/healthz").starts_with("HTTP/1.1 200"));
        }
        drop(slow);
    }

    #[test]
    fn a_request_that_is_none_is_refused_and_the_next_one_answered() {
        let server = HealthServer::start("127.0.0.1:0", Health::new(), Shutdown::new()).unwrap();
        let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
        stream.write_all(b"\xff\xfe\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(get(server.address(), "/healthz").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn an_address_in_use_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = HealthServer::start(&address, Health::new(), Shutdown::new()).unwrap_err();
        assert!(error.to_string().contains(&address), "{error}");
        assert_eq!(error.exit_code(), common::ExitCode::Config);
    }
}
