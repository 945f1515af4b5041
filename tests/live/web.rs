//! As much of HTTP as it takes to ask a model.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::{Value, json};

/// A status and a body; status 0 is a connection that came to nothing.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// Whether it is a chat answer with something in it.
    pub(crate) fn is_chat(&self) -> bool {
        self.status == 200 && self.body["choices"][0]["message"]["content"].is_string()
    }
}

/// A chat request as OpenAI's clients send it.
pub(crate) fn chat(to: &str, key: &str, model: &str) -> Answer {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3});
    post(to, "/v1/chat/completions", key, &body)
}

/// The same as Anthropic's clients send it.
pub(crate) fn message(to: &str, key: &str, model: &str) -> Answer {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3});
    post(to, "/v1/messages", key, &body)
}

pub(crate) fn post(to: &str, path: &str, key: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: {to}\r\nAuthorization: Bearer {key}\r\nx-api-key: {key}\r\n\
         anthropic-version: 2023-06-01\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    send(to, &(head + &body)).unwrap_or_else(|e| Answer { status: 0, body: e.to_string().into() })
}

fn send(to: &str, request: &str) -> std::io::Result<Answer> {
    let address = to.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(request.as_bytes())?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    let reply = String::from_utf8_lossy(&reply);
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    Ok(Answer { status, body: serde_json::from_str(body).unwrap_or_else(|_| body.into()) })
}
