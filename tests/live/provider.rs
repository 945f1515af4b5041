//! A stand-in for a provider that sells tokens, which no lab can have: it counts what it is asked, and refuses as
//! providers do. Who asks is real.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::json;

use crate::lab::lab;

/// A provider. What is below `/429/v1` there answers 429, and so on.
pub(crate) struct Provider {
    at: String,
    /// The path of every request that would cost money.
    sold: Receiver<String>,
}

impl Provider {
    /// Listens where the containers on the lab's hosts reach this machine.
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind((lab().fact("LAB_GATEWAY_ADDRESS"), 0)).unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let (till, sold) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let till = till.clone();
                // Whoever hangs up is served no more.
                std::thread::spawn(move || drop(serve(stream, &till)));
            }
        });
        Self { at, sold }
    }

    /// Where it answers with a status.
    pub(crate) fn with(&self, status: u16) -> String {
        format!("http://{}/{status}/v1", self.at)
    }

    /// What it was asked for since it was last looked at.
    pub(crate) fn sold(&self) -> Vec<String> {
        self.sold.try_iter().collect()
    }

    /// The first that it is asked for within a time.
    pub(crate) fn sells(&self, within: Duration) -> Option<String> {
        self.sold.recv_timeout(within).ok()
    }
}

fn serve(stream: TcpStream, till: &Sender<String>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    loop {
        let (mut request, mut length) = (String::new(), 0);
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let header = header.trim_end().to_ascii_lowercase();
            if let Some(number) = header.strip_prefix("content-length:") {
                length = number.trim().parse().unwrap_or(0);
            }
            if header.is_empty() {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length])?;
        let path = request.split(' ').nth(1).unwrap_or_default();
        let status = path.split('/').nth(1).unwrap_or_default();
        let body = if request.starts_with("POST") {
            // Nobody listens any more once the test is over.
            let _ = till.send(path.to_owned());
            json!({"error": {"message": "the stand-in refuses", "type": "refused", "code": status}})
        } else {
            json!({"object": "list", "data": []})
        };
        let status = if request.starts_with("POST") { status } else { "200" };
        let body = body.to_string();
        write!(
            out,
            "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}
