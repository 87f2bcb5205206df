//! The few lines of HTTP/1.1 that health checks need: GET, one response, connection closed.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MAX_REQUEST_BYTES: usize = 8192;
const DEADLINE: Duration = Duration::from_secs(5);

/// What is sent back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// Answers one request on `stream` with what `answer` says to its path; a peer that dawdles is cut off.
pub(crate) async fn serve(mut stream: TcpStream, answer: impl Fn(&str) -> Response) {
    let exchange = async {
        let response = match read_path(&mut stream).await {
            Some(path) => answer(&path),
            None => plain(400, "only short GET requests are understood\n"),
        };
        stream.write_all(render(&response).as_bytes()).await?;
        stream.shutdown().await
    };
    match tokio::time::timeout(DEADLINE, exchange).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a health check broke off"),
        Err(_) => tracing::debug!("a health check took too long"),
    }
}

/// A text answer.
pub(crate) fn plain(status: u16, body: &str) -> Response {
    Response { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() }
}

async fn read_path(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut chunk).await.ok()?;
        if count == 0 || request.len() + count > MAX_REQUEST_BYTES {
            return None;
        }
        request.extend_from_slice(&chunk[..count]);
    }
    parse_path(&request)
}

fn parse_path(request: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(request.split(|byte| *byte == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    if words.next()? != "GET" {
        return None;
    }
    let target = words.next()?;
    Some(target.split('?').next().unwrap_or(target).to_owned())
}

fn render(response: &Response) -> String {
    let reason = match response.status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        _ => "Service Unavailable",
    };
    format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        response.status,
        response.content_type,
        response.body.len(),
        response.body
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_get_is_understood() {
        assert_eq!(parse_path(b"GET /metrics?x=1 HTTP/1.1\r\n\r\n").as_deref(), Some("/metrics"));
        assert_eq!(parse_path(b"POST /metrics HTTP/1.1\r\n\r\n"), None);
        assert_eq!(parse_path(b"\xff\xfe\r\n\r\n"), None);
    }
}
