//! `/healthz`, `/readyz` and `/metrics` of a service.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use common::Shutdown;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::TelemetryError;
use crate::http::{self, Response};

const MAX_CONNECTIONS: usize = 32;
const UPKEEP: Duration = Duration::from_secs(5);

/// What a service still lacks before it can do its work: named conditions, each met or with a reason why not.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<BTreeMap<&'static str, Option<String>>>>,
}

impl Readiness {
    /// No conditions: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that `condition` is met.
    pub fn met(&self, condition: &'static str) {
        self.set(condition, None);
    }

    /// Says why `condition` is not met.
    pub fn unmet(&self, condition: &'static str, reason: impl Into<String>) {
        self.set(condition, Some(reason.into()));
    }

    /// Whether every condition is met.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner).values().all(Option::is_none)
    }

    fn set(&self, condition: &'static str, reason: Option<String>) {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner).insert(condition, reason);
    }

    fn response(&self) -> Response {
        let conditions = self.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = conditions.values().all(Option::is_none);
        let reasons: BTreeMap<_, _> =
            conditions.iter().filter_map(|(name, reason)| reason.as_ref().map(|text| (name, text))).collect();
        let body = serde_json::json!({ "ready": ready, "reasons": reasons });
        let status = if ready { 200 } else { 503 };
        Response { status, content_type: "application/json", body: format!("{body}\n") }
    }
}

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
    pub fn start(address: &str, readiness: Readiness, shutdown: Shutdown) -> Result<Self, TelemetryError> {
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
        let serve = move || runtime.block_on(serve(listener, metrics, readiness, shutdown, end));
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

async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    readiness: Readiness,
    shutdown: Shutdown,
    end: Arc<tokio::sync::Notify>,
) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut upkeep = tokio::time::interval(UPKEEP);
    while !shutdown.is_triggered() {
        tokio::select! {
            () = end.notified() => return,
            _ = upkeep.tick() => metrics.run_upkeep(),
            Ok((stream, _)) = listener.accept() => {
                // When all are busy the peer is dropped: a health check that waits says nothing of use.
                let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { continue };
                let (metrics, readiness) = (metrics.clone(), readiness.clone());
                tokio::spawn(async move {
                    http::serve(stream, |path| answer(path, &metrics, &readiness)).await;
                    drop(permit);
                });
            }
        }
    }
}

fn answer(path: &str, metrics: &PrometheusHandle, readiness: &Readiness) -> Response {
    match path {
        "/healthz" => http::plain(200, "alive\n"),
        "/readyz" => readiness.response(),
        "/metrics" => Response {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: metrics.render(),
        },
        _ => http::plain(404, "there are /healthz, /readyz and /metrics\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_service_tells_its_health_its_lacks_and_its_metrics() {
        let readiness = Readiness::new();
        readiness.unmet("learner", "no learner has claimed this shard");
        let server = HealthServer::start("127.0.0.1:0", readiness.clone(), Shutdown::new()).unwrap();
        metrics::counter!("longshore_test_total").increment(3);
        assert!(get(server.address(), "/healthz").starts_with("HTTP/1.1 200"));
        let lacking = get(server.address(), "/readyz");
        assert!(
            lacking.starts_with("HTTP/1.1 503") && lacking.contains("no learner has claimed"),
            "{lacking}"
        );
        readiness.met("learner");
        assert!(get(server.address(), "/readyz").starts_with("HTTP/1.1 200"));
        assert!(get(server.address(), "/metrics").contains("longshore_test_total 3"));
        assert!(get(server.address(), "/nothing").starts_with("HTTP/1.1 404"));
    }

    #[test]
    fn an_address_in_use_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = HealthServer::start(&address, Readiness::new(), Shutdown::new()).unwrap_err();
        assert!(error.to_string().contains(&address), "{error}");
        assert_eq!(error.exit_code(), common::ExitCode::Config);
    }
}
