//! One HTTP request to a port as the host itself reaches it.
//! It follows no redirect, keeps no connection and never shows a key.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::forward::Target;
use super::hello::hello;
use super::link::Link;
use crate::diagnostic::clean;
use crate::names::Secret;

/// More than any answer homelab asks for.
const MOST: usize = 1 << 20;

/// What to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The path, with its `/`.
    pub path: &'a str,
    /// A key to show.
    pub bearer: Option<&'a Secret>,
    /// A body makes it a POST, none a GET.
    pub json: Option<&'a serde_json::Value>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// Nobody listens. Through ssh this looks like [`HttpError::Closed`].
    Refused,
    /// The connection ended before an answer: nobody listens, or the server hung up.
    Closed,
    /// It took the connection and said nothing, or not all, in time.
    Timeout,
    /// Anything else.
    Other(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("nobody listens there"),
            Self::Closed => f.write_str("no answer: nobody listens there, or the server hung up"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Link {
    /// Asks a port as the host itself reaches it.
    ///
    /// # Errors
    /// Why there is no answer; any status is an answer.
    pub async fn http(
        &self,
        to: (&str, u16),
        request: Request<'_>,
        timeout: Duration,
    ) -> Result<Reply, HttpError> {
        let asked = async {
            match self.forwards() {
                None => ask(TcpStream::connect(to).await.map_err(|e| no_connection(&e))?, to, request).await,
                Some(forwards) => {
                    let target = Target::Tcp(to.0.to_owned(), to.1);
                    let path = forwards.to(target).await.map_err(|e| other(&e))?;
                    ask_socket(&path, to, request).await
                }
            }
        };
        tokio::time::timeout(timeout, asked).await.unwrap_or(Err(HttpError::Timeout))
    }
}

impl Link {
    /// Asks a port, as the host itself reaches it, whether it has a certificate for a name.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) async fn certified(
        &self,
        to: (&str, u16),
        name: &str,
        timeout: Duration,
    ) -> Result<(), String> {
        let asked = async {
            match self.forwards() {
                None => hello(TcpStream::connect(to).await.map_err(|e| e.to_string())?, name).await,
                Some(forwards) => {
                    let target = Target::Tcp(to.0.to_owned(), to.1);
                    let path = forwards.to(target).await.map_err(|e| e.to_string())?;
                    hello(UnixStream::connect(path).await.map_err(|e| e.to_string())?, name).await
                }
            }
        };
        tokio::time::timeout(timeout, asked).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }
}

/// Asks the server behind a unix socket of this machine, which it knows by the name `to`.
pub(super) async fn ask_socket(
    path: &Path,
    to: (&str, u16),
    request: Request<'_>,
) -> Result<Reply, HttpError> {
    ask(UnixStream::connect(path).await.map_err(|e| no_connection(&e))?, to, request).await
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    to: (&str, u16),
    request: Request<'_>,
) -> Result<Reply, HttpError> {
    let message = message(to, request).map_err(|e| other(&*e))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| no_answer(&e))?;
    // Ends by itself when the sender is dropped.
    tokio::spawn(connection);
    let answer = sender.send_request(message).await.map_err(|e| no_answer(&e))?;
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    let body = Limited::new(answer.into_body(), MOST).collect().await.map_err(|e| {
        match (e.downcast_ref::<LengthLimitError>(), e.downcast_ref::<hyper::Error>()) {
            (Some(_), _) => HttpError::Other("the answer is longer than 1 MiB".into()),
            (_, Some(e)) => no_answer(e),
            _ => other(&*e),
        }
    })?;
    Ok(Reply { status, headers, body: body.to_bytes().into() })
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

fn message(to: (&str, u16), request: Request<'_>) -> Result<hyper::Request<Full<Bytes>>, Boxed> {
    let host = if to.0.contains(':') { format!("[{}]:{}", to.0, to.1) } else { format!("{}:{}", to.0, to.1) };
    let mut builder = hyper::Request::builder()
        .method(if request.json.is_some() { "POST" } else { "GET" })
        .uri(request.path)
        .header("host", host)
        .header("user-agent", "homelab")
        .header("accept", "*/*");
    if let Some(key) = request.bearer {
        let mut value = hyper::header::HeaderValue::try_from(format!("Bearer {}", key.reveal()))?;
        value.set_sensitive(true);
        builder = builder.header("authorization", value);
    }
    let body = match request.json {
        None => Bytes::new(),
        Some(json) => {
            builder = builder.header("content-type", "application/json");
            serde_json::to_vec(json)?.into()
        }
    };
    Ok(builder.body(Full::new(body))?)
}

fn no_connection(error: &std::io::Error) -> HttpError {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => HttpError::Refused,
        _ => other(error),
    }
}

fn no_answer(error: &hyper::Error) -> HttpError {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    let cause = std::error::Error::source(error).and_then(|s| s.downcast_ref::<std::io::Error>());
    let ended = cause.is_some_and(|e| {
        [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof].contains(&e.kind())
    });
    if ended || error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return HttpError::Closed;
    }
    other(error)
}

fn other(error: &(dyn std::error::Error + 'static)) -> HttpError {
    let cause = error.source().map(|s| format!(": {s}")).unwrap_or_default();
    HttpError::Other(clean(&format!("{error}{cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_makes_it_a_post_and_a_key_does_not_show() {
        let secret = Secret::new("sk-1".into());
        let json = serde_json::json!({"a": 1});
        let request = Request { path: "/v1/models", bearer: Some(&secret), json: Some(&json) };
        let message = message(("127.0.0.1", 80), request).unwrap();
        assert_eq!(message.method(), "POST");
        assert_eq!(message.headers()["authorization"], "Bearer sk-1");
        assert!(!format!("{message:?}{request:?}").contains("sk-1"));
    }

    #[tokio::test]
    async fn nobody_a_silent_one_and_one_that_hangs_up_are_told_apart() {
        let local = crate::connection::Connection {
            local: true,
            ..crate::connection::Connection::new(crate::names::HostName::new("here").unwrap())
        };
        let link = Link::open(&local).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let get = |seconds| {
            let request = Request { path: "/", ..Request::default() };
            link.http(("127.0.0.1", port), request, Duration::from_secs_f32(seconds))
        };
        assert_eq!(get(0.2).await, Err(HttpError::Timeout));
        drop(listener.accept().await.unwrap());
        let (hung_up, _) = tokio::join!(get(60.0), async { drop(listener.accept().await.unwrap()) });
        assert_eq!(hung_up, Err(HttpError::Closed));
        drop(listener);
        assert_eq!(get(60.0).await, Err(HttpError::Refused));
    }
}
