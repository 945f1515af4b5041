//! Waiting until a server answers: step by step, with what it is doing meanwhile, and an end as
//! soon as its container stops. It changes nothing and judges only what [`super::asking`] says.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{join_all, pending};
use tokio::time::{Instant, sleep, timeout_at};

use super::asking::{Refusal, is_answer, is_loaded, lists, question, question_of_gateway, shortened};
use super::explain::{Log, Whose, explained};
use super::hands::Hands;
use super::http::{HttpError, Request};
use super::inspected::Inspected;
use super::look::Look;
use super::native::Unit;
use super::{failure, hinted};
use crate::engine::{Kind, Load, Loading};
use crate::names::{Port, Secret};
use crate::plan::{Ask, Probe};
use crate::survey::{Failure, State};

/// Between two looks at a server that does not answer yet.
const PAUSE: Duration = Duration::from_millis(200);
/// How long one look at a port may take.
const ONE_LOOK: Duration = Duration::from_secs(5);
/// Between two looks at a service of the host's own: each costs a process there.
const UNIT_PAUSE: Duration = Duration::from_millis(500);
/// How long one request for one token may take: a CPU loads its caches first.
const ONE_ANSWER: Duration = Duration::from_secs(120);
/// How long a gateway may answer with errors after it said it was ready: it learns of its
/// backends in the background.
const GATEWAY_SETTLES: Duration = Duration::from_secs(30);
/// The same for a model's own server, whose first answer may read its weights from the disk.
const MODEL_SETTLES: Duration = Duration::from_secs(180);
/// How long a server that gave up may take to end.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// What is said of one that does not.
const GAVE_UP: &str = "it gave up, but its container still runs";

/// Tells what a server is doing.
pub(super) type Tell<'a> = &'a (dyn Fn(&str, Option<(u64, u64)>) + Send + Sync);

/// A container to wait for, and how to talk of it.
pub(super) struct Waiting<'a> {
    pub(super) hands: &'a Hands,
    pub(super) id: &'a str,
    /// The step in words, for failures.
    pub(super) step: &'a str,
    pub(super) tell: Tell<'a>,
    /// Why it was not ready when it was last asked.
    last: Mutex<String>,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(hands: &'a Hands, id: &'a str, step: &'a str, tell: Tell<'a>) -> Self {
        Self { hands, id, step, tell, last: Mutex::default() }
    }

    /// Waits until a model's server answers as what it is for.
    ///
    /// # Errors
    /// Why it never will, or what it said last when its time was up; with its last log lines.
    pub(super) async fn model(&self, probe: &Probe, key: Option<&Secret>) -> Result<(), Failure> {
        let to = (probe.address.as_str(), probe.port);
        let names: Vec<String> = probe.models.iter().map(|known| known.name.clone()).collect();
        let ready = async {
            self.healthy(to, &probe.health).await;
            let Some(key) = key.filter(|_| !names.is_empty()) else { return Ok(()) };
            (self.tell)("asking for its names", None);
            self.settled(MODEL_SETTLES, || self.knows(to, key, &names)).await?;
            for known in probe.models.iter().filter(|known| known.load == Load::Startup) {
                match &known.loading {
                    Some(loading) => self.load(to, (&known.name, loading), probe).await?,
                    None => self.loads(to, key, &known.name, probe.timeout).await?,
                }
            }
            (self.tell)("asking for a first answer", None);
            for known in probe.models.iter().filter(|known| known.load == Load::Startup) {
                let asked = (known.name.as_str(), known.kind, question(&known.name, known.kind));
                self.settled(MODEL_SETTLES, || self.answers(to, key, &asked)).await?;
            }
            Ok(())
        };
        self.watched(ready, probe.timeout, Some(&probe.engine)).await
    }

    /// Waits until the gateway is ready, lists every name and gives an answer by each.
    ///
    /// # Errors
    /// As [`Self::model`].
    pub(super) async fn gateway(
        &self,
        to: (&str, u16),
        key: &Secret,
        names: &[&Ask],
        timeout: u64,
    ) -> Result<(), Failure> {
        let ready = async {
            self.healthy(to, crate::gateway::HEALTH).await;
            let wanted: Vec<String> = names.iter().map(|ask| ask.name.to_string()).collect();
            if wanted.is_empty() {
                return Ok(());
            }
            (self.tell)("asking for its names", None);
            self.settled(GATEWAY_SETTLES, || self.knows(to, key, &wanted)).await?;
            (self.tell)("asking every name for an answer", None);
            let one = |ask: &&Ask| {
                let (name, kind) = (ask.name.to_string(), ask.kind);
                async move {
                    let asked = (name.as_str(), kind, question_of_gateway(&name, kind));
                    self.settled(GATEWAY_SETTLES, || self.answers(to, key, &asked)).await
                }
            };
            let asked = names.iter().filter(|ask| ask.load == Load::Startup);
            let asked = join_all(asked.map(one)).await;
            asked.into_iter().collect::<Result<(), Failure>>()
        };
        self.watched(ready, timeout, None).await
    }

    /// Waits until the gateway answers through the edge as the host itself asks it, and then until clients find a
    /// certificate for each name, or, where there is no TLS, the gateway on the port they come by.
    ///
    /// # Errors
    /// As [`Self::model`].
    pub(super) async fn edge(
        &self,
        own: (&str, u16),
        key: &Secret,
        (clients, names): ((&str, u16), &[String]),
        timeout: u64,
    ) -> Result<(), Failure> {
        let ready = async {
            self.healthy(own, crate::gateway::HEALTH).await;
            (self.tell)("asking the gateway through it", None);
            self.settled(GATEWAY_SETTLES, || self.knows(own, key, &[])).await?;
            if names.is_empty() {
                // Whom it lets in may not be the host itself: any answer is one.
                self.until(|| async {
                    let asked = self.hands.get(clients, crate::gateway::HEALTH, None, ONE_LOOK).await;
                    asked.map(|_| ()).map_err(|e| format!("port {}: {e}", clients.1))
                })
                .await;
            }
            for name in names {
                (self.tell)(&format!("waiting for its certificate for {name}"), None);
                self.until(|| async {
                    let asked = self.hands.link().certified(clients, name, ONE_LOOK).await;
                    asked.map_err(|why| format!("{name}: {why}"))
                })
                .await;
            }
            Ok(())
        };
        self.watched(ready, timeout, Some(crate::gateway::EDGE)).await
    }

    /// Asks for the least that shows it answers.
    async fn answers(
        &self,
        to: (&str, u16),
        key: &Secret,
        (name, kind, (path, json)): &(&str, Kind, (&str, serde_json::Value)),
    ) -> Result<(), Refusal> {
        let request = Request { path, bearer: Some(key), json: Some(json) };
        let reply = self.hands.http(to, request, ONE_ANSWER).await.map_err(|e| Refusal::Yet(e.to_string()));
        reply.and_then(|reply| is_answer(*kind, &reply)).map_err(|why| why.of(&format!("asked for {name}")))
    }

    /// Waits for 200 from a health path.
    async fn healthy(&self, to: (&str, u16), path: &str) {
        self.until(|| async {
            match self.hands.get(to, path, None, Duration::from_secs(5)).await {
                Ok(reply) if reply.status == 200 => Ok(()),
                Ok(reply) => Err(format!("{path} answers {}: {}", reply.status, shortened(&reply.body))),
                // Docker's proxy takes connections before the server does.
                Err(HttpError::Refused | HttpError::Closed) => Err("it takes no connections yet".to_owned()),
                Err(error) => Err(format!("{path}: {error}")),
            }
        })
        .await;
    }

    async fn knows(&self, to: (&str, u16), key: &Secret, names: &[String]) -> Result<(), Refusal> {
        let reply = self.hands.get(to, "/v1/models", Some(key), Duration::from_secs(10)).await;
        lists(names, &reply.map_err(|e| Refusal::Yet(e.to_string()))?)
    }

    /// Waits until a server of several has loaded one that it loads when it starts. Asking for an answer would load it,
    /// too, but no request may take as long.
    async fn loads(&self, to: (&str, u16), key: &Secret, name: &str, timeout: u64) -> Result<(), Failure> {
        let end = Instant::now() + Duration::from_secs(timeout);
        loop {
            let reply = self.hands.get(to, "/v1/models", Some(key), Duration::from_secs(10)).await;
            match reply.map_err(|e| Refusal::Yet(e.to_string())).and_then(|reply| is_loaded(name, &reply)) {
                Ok(()) => return Ok(()),
                Err(Refusal::Ever(why)) => return Err(failure(self.step, why)),
                Err(Refusal::Yet(why)) if Instant::now() >= end => return Err(failure(self.step, why)),
                Err(Refusal::Yet(why)) => (self.tell)(&why, None),
            }
            sleep(PAUSE).await;
        }
    }

    /// Has a server load a model, for as long as that takes. What its answer says of a failure may not be in its log.
    async fn load(
        &self,
        to: (&str, u16),
        (name, loading): (&str, &Loading),
        probe: &Probe,
    ) -> Result<(), Failure> {
        (self.tell)(&format!("loading {name}"), None);
        let request = Request { path: loading.path, bearer: None, json: Some(&loading.json) };
        let end = Instant::now() + Duration::from_secs(probe.timeout);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let why = match self.hands.http(to, request, left).await {
                Ok(reply) if reply.status == 200 => return Ok(()),
                // Too many wait for it already.
                Ok(reply) if reply.status == 503 && Instant::now() < end => shortened(&reply.body),
                Ok(reply) => {
                    let said = shortened(&reply.body);
                    let what = format!("asked to load {name}, it answered {}: {said}", reply.status);
                    let unknown = failure(self.step, what);
                    let known =
                        explained(unknown.clone(), (None, false), Whose::of(Some(&probe.engine)), &[said]);
                    return Err(if known.finding.is_some() { known } else { unknown });
                }
                Err(error) if Instant::now() >= end => return Err(failure(self.step, error.to_string())),
                Err(error) => error.to_string(),
            };
            *self.last() = why;
            sleep(PAUSE).await;
        }
    }

    /// Tries until it works; what is in the way is kept for the case that its time runs out.
    async fn until<F: Future<Output = Result<(), String>>>(&self, mut attempt: impl FnMut() -> F) {
        while let Err(why) = attempt().await {
            *self.last() = why;
            sleep(PAUSE).await;
        }
    }

    fn last(&self) -> MutexGuard<'_, String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries until it works, but not for long. A model's own server that says no means it; a
    /// gateway may still be learning of its backends.
    async fn settled<F: Future<Output = Result<(), Refusal>>>(
        &self,
        limit: Duration,
        mut attempt: impl FnMut() -> F,
    ) -> Result<(), Failure> {
        let end = Instant::now() + limit;
        loop {
            let why = match attempt().await {
                Ok(()) => return Ok(()),
                Err(Refusal::Ever(why)) if limit == MODEL_SETTLES => return Err(failure(self.step, why)),
                Err(Refusal::Ever(why) | Refusal::Yet(why)) => why,
            };
            if Instant::now() >= end {
                return Err(failure(self.step, why));
            }
            sleep(PAUSE).await;
        }
    }

    /// Runs a wait beside a watch over its container and its log, until the first of them ends.
    async fn watched(
        &self,
        ready: impl Future<Output = Result<(), Failure>>,
        timeout: u64,
        engine: Option<&str>,
    ) -> Result<(), Failure> {
        (self.tell)("starting", None);
        let first = self.hands.inspect(self.id).await?;
        let log = Log { look: self.hands, first: &first, engine };
        let end = Instant::now() + Duration::from_secs(timeout);
        let both = async {
            tokio::select! {
                done = ready => done.map_err(|failure| (failure, None)),
                (why, state) = self.stops(&first) => Err((why, state)),
                () = self.follow(&log) => Err((failure(self.step, GAVE_UP), None)),
            }
        };
        let over = timeout_at(end, both).await.unwrap_or_else(|_| {
            let what = format!("it did not answer within {timeout} s; when last asked: {}", self.last());
            Err((hinted(self.step, what, "if it only needs longer, raise its `ready_timeout`"), None))
        });
        match over {
            Err((failure, state)) if failure.lines.is_empty() => {
                Err(log.explain(failure, state.as_ref()).await)
            }
            Err((failure, _)) => Err(failure),
            Ok(()) => Ok(()),
        }
    }

    /// Ends when the container does, or when Docker restarts it: how it ended, as far as that is known.
    async fn stops(&self, first: &Inspected) -> (Failure, Option<State>) {
        loop {
            let now = match self.hands.inspect(self.id).await {
                Ok(now) => now,
                Err(failure) => return (failure, None),
            };
            let state = match now.state {
                // Docker is quick: which of the two is seen is a matter of moments.
                seen if seen == State::Restarting || now.restarts > first.restarts => {
                    self.hands.ending(first).await
                }
                ended @ (State::Exited { .. } | State::Dead) => Some(ended),
                _ if now.detached => {
                    let what = "somebody took it out of its network, so that nothing reaches it";
                    return (hinted(self.step, what, "run the same command again"), None);
                }
                _ => {
                    sleep(if Unit::of(self.id).is_some() { UNIT_PAUSE } else { PAUSE }).await;
                    continue;
                }
            };
            return (failure(self.step, ended(state.as_ref())), state);
        }
    }

    /// Tells what the log says it is doing; ends when it says that it gave up. The container mostly
    /// ends then too, which says more.
    async fn follow(&self, log: &Log<'_>) {
        let mut lines = self.hands.follow_logs(log.first);
        while let Some(Ok(line)) = lines.next().await {
            if log.gave_up(&line) {
                sleep(LAST_WORDS).await;
                return;
            }
            if let Some(phase) = log.engine().and_then(|engine| engine.phase(&line)) {
                (self.tell)(&phase.what, phase.percent.map(|p| (u64::from(p), 100)));
            }
        }
        pending().await
    }
}

/// Checks that a host reaches a port on another one.
///
/// # Errors
/// What stands between them.
pub(super) async fn reach(from: &Look, address: &str, port: Port, step: &str) -> Result<(), Failure> {
    let reply = from.get((address, port.get()), "/health", None, Duration::from_secs(10)).await;
    match reply {
        Ok(_) => Ok(()),
        Err(error) => Err(hinted(
            step,
            format!("{} cannot reach {address}:{port}: {error}", from.host()),
            "open the port in the host's firewall, or set homelab_address to an address the gateway's host reaches",
        )),
    }
}

fn ended(state: Option<&State>) -> String {
    match state {
        Some(State::Exited { oom: true, .. }) => "it ran out of memory and was killed".to_owned(),
        Some(State::Exited { code, .. }) => format!("it exited with code {code}"),
        Some(State::Dead) => "it is dead".to_owned(),
        _ => "it exited and was restarted".to_owned(),
    }
}
