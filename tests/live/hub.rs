//! A stand-in for Hugging Face's hub, which no lab can have: a server of files that speaks as much of its
//! protocol as its clients ask for, reached by HF_ENDPOINT. Who asks and what is downloaded is real.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::lab;

/// What the main branch means at first, and what it means once it has moved.
pub(crate) const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";
pub(crate) const MOVED: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// The repository that has the lab's model.
pub(crate) const GEMMA: &str = "lab/gemma-3-270m-GGUF";

/// A cache on lab1 that containers fill as root, which no sweep of the user's may remove.
pub(crate) struct Cache(pub(crate) String);

impl Cache {
    pub(crate) fn on_lab1(name: &str) -> Self {
        Self(format!("/tmp/promise-{name}-{}", std::process::id()))
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        lab().root("lab1", &format!("rm -rf {}", self.0));
    }
}

/// A file of a repository, and the digest that the hub knows it by.
pub(crate) struct Blob {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
}

/// A hub with one repository.
pub(crate) struct Hub {
    pub(crate) endpoint: String,
    state: Arc<State>,
}

struct State {
    repository: String,
    blobs: Vec<Blob>,
    is_up: AtomicBool,
    has_moved: AtomicBool,
    /// Bytes per second and connection; 0 is as fast as it goes.
    rate: AtomicU64,
    /// Method, path and first byte of every request.
    asked: Mutex<Vec<String>>,
    /// What was shown as Authorization.
    tokens: Mutex<BTreeSet<String>>,
}

impl Hub {
    /// The lab's model in a repository as its authors have them.
    pub(crate) fn of_gemma() -> Self {
        let state = lab().fact("LAB_STATE");
        let sha256 = std::fs::read_to_string(format!("{state}/model.sha256")).unwrap();
        let blob = Blob {
            name: "gemma-3-270m-Q4_K_M.gguf".to_owned(),
            path: format!("{state}/models/gemma-3-270m.gguf").into(),
            sha256: sha256.split_whitespace().next().unwrap().to_owned(),
        };
        Self::of(GEMMA, vec![blob])
    }

    /// Listens where the lab's hosts and the containers on them reach this machine.
    pub(crate) fn of(repository: &str, blobs: Vec<Blob>) -> Self {
        let listener = TcpListener::bind((lab().fact("LAB_GATEWAY_ADDRESS"), 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            repository: repository.to_owned(),
            blobs,
            is_up: AtomicBool::new(true),
            has_moved: AtomicBool::new(false),
            rate: AtomicU64::new(0),
            asked: Mutex::default(),
            tokens: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // Whoever hangs up is served no more.
                std::thread::spawn(move || drop(state.serve(stream)));
            }
        });
        Self { endpoint, state }
    }

    /// From now on it hangs up on everybody, or no more.
    pub(crate) fn set_up(&self, up: bool) {
        self.state.is_up.store(up, Ordering::Relaxed);
    }

    /// How fast it sends from now on.
    pub(crate) fn set_rate(&self, bytes_per_second: u64) {
        self.state.rate.store(bytes_per_second, Ordering::Relaxed);
    }

    /// From now on the main branch means another commit; the first one is still there.
    pub(crate) fn moves(&self) {
        self.state.has_moved.store(true, Ordering::Relaxed);
    }

    /// What it was shown as Authorization.
    pub(crate) fn tokens(&self) -> BTreeSet<String> {
        self.state.tokens.lock().unwrap().clone()
    }

    /// What it was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }
}

impl State {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut out = stream;
        loop {
            let mut request = String::new();
            let mut from = 0;
            if reader.read_line(&mut request)? == 0 || !self.is_up.load(Ordering::Relaxed) {
                return Ok(());
            }
            loop {
                let mut header = String::new();
                reader.read_line(&mut header)?;
                if let Some(token) = header.trim_end().strip_prefix("Authorization: ") {
                    self.tokens.lock().unwrap().insert(token.to_owned());
                }
                let header = header.trim_end().to_ascii_lowercase();
                if let Some(range) = header.strip_prefix("range: bytes=") {
                    from = range.split('-').next().and_then(|n| n.parse().ok()).unwrap_or(0);
                }
                if header.is_empty() {
                    break;
                }
            }
            let mut words = request.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            self.asked.lock().unwrap().push(format!("{method} {path} {from}"));
            let path = path.split('?').next().unwrap_or_default();
            let api = format!("/api/models/{}", self.repository);
            let files = format!("/{}/resolve/", self.repository);
            if let Some(rest) = path.strip_prefix(&api) {
                answer(&mut out, method, 200, &self.api(rest))?;
            } else if let Some((_, name)) = path.strip_prefix(&files).and_then(|rest| rest.split_once('/'))
                && let Some(blob) = self.blobs.iter().find(|blob| blob.name == name)
            {
                let commit = path.strip_prefix(&files).and_then(|rest| rest.split('/').next());
                let commit = commit.filter(|name| name.len() == 40).unwrap_or(self.main());
                self.send(&mut out, (method == "HEAD", commit), blob, from)?;
            } else {
                answer(&mut out, method, 404, &json!({"error": "not found"}))?;
            }
        }
    }

    fn main(&self) -> &'static str {
        if self.has_moved.load(Ordering::Relaxed) { MOVED } else { COMMIT }
    }

    fn api(&self, rest: &str) -> Value {
        let sha = rest.strip_prefix("/revision/").filter(|name| name.len() == 40).unwrap_or(self.main());
        let size = |blob: &Blob| std::fs::metadata(&blob.path).unwrap().len();
        let lfs = |blob: &Blob| json!({"oid": blob.sha256, "size": size(blob), "pointerSize": 134});
        if rest == "/refs" {
            return json!({"branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": self.main()}]});
        }
        if rest.starts_with("/tree/") {
            let entry = |blob: &Blob| json!({"type": "file", "path": blob.name, "oid": COMMIT, "size": size(blob), "lfs": lfs(blob)});
            return self.blobs.iter().map(entry).collect();
        }
        let sibling = |blob: &Blob| {
            let lfs = json!({"sha256": blob.sha256, "size": size(blob), "pointerSize": 134});
            json!({"rfilename": blob.name, "size": size(blob), "blobId": COMMIT, "lfs": lfs})
        };
        let siblings: Value = self.blobs.iter().map(sibling).collect();
        json!({"id": self.repository, "modelId": self.repository, "sha": sha, "private": false,
            "gated": false, "downloads": 0, "likes": 0, "tags": [], "siblings": siblings})
    }

    fn send(
        &self,
        out: &mut TcpStream,
        (head, commit): (bool, &str),
        blob: &Blob,
        from: u64,
    ) -> std::io::Result<()> {
        let mut file = File::open(&blob.path)?;
        let size = file.metadata()?.len();
        let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
        write!(
            out,
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{size}\r\n\
             Accept-Ranges: bytes\r\nETag: \"{}\"\r\nX-Linked-Etag: \"{}\"\r\nX-Linked-Size: {size}\r\n\
             X-Repo-Commit: {commit}\r\n\r\n",
            size - from,
            size - 1,
            blob.sha256,
            blob.sha256,
        )?;
        if head {
            return Ok(());
        }
        file.seek(SeekFrom::Start(from))?;
        loop {
            let rate = self.rate.load(Ordering::Relaxed);
            let most = if rate == 0 { 1 << 16 } else { (rate / 10).clamp(1, 1 << 20) };
            let mut chunk = vec![0; usize::try_from(most).unwrap()];
            let length = file.read(&mut chunk)?;
            if length == 0 || !self.is_up.load(Ordering::Relaxed) {
                return Ok(());
            }
            out.write_all(&chunk[..length])?;
            if rate > 0 {
                // This is the slow line itself, not a wait for something.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn answer(out: &mut TcpStream, method: &str, status: u16, body: &Value) -> std::io::Result<()> {
    let body = body.to_string();
    let kind = "Content-Type: application/json";
    write!(out, "HTTP/1.1 {status} .\r\n{kind}\r\nContent-Length: {}\r\n\r\n", body.len())?;
    if method == "HEAD" { Ok(()) } else { out.write_all(body.as_bytes()) }
}
