//! Docker on a host, reached through its link and asked at once whether it is there.
//! It makes the way and says why there is none; it asks Docker for nothing else.

use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::time::timeout;

use super::forward::Target;
use super::http::{HttpError, Reply, Request, ask_socket};
use super::link::Link;
use super::look::Need;
use super::{after_mark, failure, hinted, last_lines};
use crate::diagnostic::clean;
use crate::survey::Failure;

const STEP: &str = "asking Docker";
/// The oldest API homelab speaks: Docker 20.10.
const OLDEST: (u32, u32) = (1, 41);
/// For the first question. Docker answers it from memory.
const FIRST: Duration = Duration::from_secs(10);
/// For all others: `stop` takes as long as the container's grace period, and a network that
/// is gone is noticed by ssh, which then closes the way.
const LONG: Duration = Duration::from_secs(3600);

/// Nobody has installed it.
const MISSING: &str = "missing";
/// It answers whoever asks it there.
const FORBIDDEN: &str = "forbidden";

/// Says why a socket leads nowhere. `$1` is the socket.
const WHY: &str = r#"
echo '#homelab'
if [ ! -e "$1" ]; then
  if command -v docker >/dev/null 2>&1 || [ -x /usr/bin/dockerd ] || [ -x /usr/sbin/dockerd ]
  then echo stopped; else echo missing; fi
elif [ ! -r "$1" ] || [ ! -w "$1" ]; then echo denied
elif DOCKER_HOST="unix://$1" docker version >/dev/null 2>&1; then echo forbidden
else echo silent; fi
id -un
"#;

impl Link {
    /// Docker on this host, alive when this returns. It stays usable for as long as the link is open.
    ///
    /// # Errors
    /// Whether Docker is missing, stopped, out of this user's reach or too old, and what to do.
    pub async fn docker(&self) -> Result<Docker, Failure> {
        self.docker_as(Need::Docker).await?
    }

    /// The same where Docker may be missing: then why it is stands inside.
    pub(super) async fn docker_as(&self, need: Need) -> Result<Result<Docker, Failure>, Failure> {
        let socket = &self.connection().docker_socket;
        let path = match self.forwards() {
            None => socket.clone(),
            Some(forwards) => {
                let path = forwards.to(Target::Unix(socket.clone())).await;
                let path = path.map_err(|e| failure(STEP, format!("ssh makes no way to {socket}: {e}")))?;
                path.display().to_string()
            }
        };
        let error = match self.ping(&path).await {
            Ok(reply) => return usable(&path, &reply).map(Ok),
            // Nobody asks further: it would cost a process on every run.
            Err(_) if need == Need::Spare => return Ok(Err(meaning(MISSING, "", socket))),
            Err(error) => error,
        };
        let (why, failure) = self.why_not(&error).await;
        // Docker does answer, and sshd would have refused at once: nothing came through for a while, as after a network
        // that was away.
        if why == FORBIDDEN
            && matches!(error, HttpError::Timeout)
            && let Ok(reply) = self.ping(&path).await
        {
            return usable(&path, &reply).map(Ok);
        }
        if why == MISSING && need == Need::IfInstalled { Ok(Err(failure)) } else { Err(failure) }
    }

    /// Docker's `/version` and `/info` start programs before they answer; a ping tells enough.
    async fn ping(&self, path: &str) -> Result<Reply, HttpError> {
        let ping = Request { path: "/_ping", ..Request::default() };
        self.count_request();
        let asked = timeout(FIRST, ask_socket(path.as_ref(), ("docker", 80), ping)).await;
        asked.unwrap_or(Err(HttpError::Timeout))
    }

    async fn why_not(&self, error: &HttpError) -> (&'static str, Failure) {
        let socket = &self.connection().docker_socket;
        // A Docker that hangs would keep the question waiting too.
        let asked = timeout(FIRST, self.run(WHY, &[socket], &[])).await;
        let said = match asked {
            Ok(Ok(output)) => String::from_utf8_lossy(after_mark(&output.stdout)).into_owned(),
            Ok(Err(failure)) => return ("", Failure { step: STEP.into(), ..failure }),
            Err(_) => String::new(),
        };
        let mut words = said.split_whitespace();
        let (why, user) = (words.next().unwrap_or_default(), words.next().unwrap_or("USER"));
        let known = [MISSING, FORBIDDEN].into_iter().find(|known| *known == why);
        let found = meaning(why, user, socket);
        if why == "denied" {
            // The groups of a session are those of its login.
            self.end_master().await;
        }
        (known.unwrap_or_default(), Failure { lines: last_lines(&error.to_string(), 3), ..found })
    }
}

/// Docker behind a socket, if it is new enough.
fn usable(path: &str, reply: &Reply) -> Result<Docker, Failure> {
    let header = |name| reply.headers.get(name).and_then(|v| v.to_str().ok()).map(clean);
    new_enough(header("api-version"), header("server"))?;
    Docker::connect_with_unix(path, LONG.as_secs(), API_DEFAULT_VERSION)
        .map_err(|e| failure(STEP, e.to_string()))
}

fn meaning(why: &str, user: &str, socket: &str) -> Failure {
    match why {
        MISSING => hinted(
            STEP,
            format!("Docker is not installed: there is no {socket} and no docker command"),
            "homelab bootstrap installs it, homelab deploy --bootstrap does both; or do as docs.docker.com/engine/install says",
        ),
        "stopped" => hinted(
            STEP,
            format!("Docker does not run: there is no {socket}"),
            "start it on the host: sudo systemctl enable --now docker; homelab bootstrap does the same",
        ),
        "denied" => hinted(
            STEP,
            format!("{user} may not use Docker: {socket} is closed to them"),
            format!(
                "homelab bootstrap, or on the host: sudo usermod -aG docker {user}; homelab has closed its ssh connection, so the next \
                 run sees the new group"
            ),
        ),
        FORBIDDEN => hinted(
            STEP,
            format!("the host's sshd does not forward to {socket}"),
            "allow it in the host's sshd_config: AllowStreamLocalForwarding yes, AllowTcpForwarding yes, no \
             DisableForwarding; then sudo systemctl reload ssh",
        ),
        "silent" => hinted(
            STEP,
            format!("Docker does not run: {socket} is there, but nobody answers"),
            "start it on the host: sudo systemctl restart docker; sudo journalctl -u docker says why it stopped",
        ),
        _ => hinted(
            STEP,
            format!("Docker takes connections on {socket}, but does not answer"),
            "it hangs: sudo systemctl restart docker on the host; sudo journalctl -u docker may say why",
        ),
    }
}

/// `api` and `server` are headers of Docker's: `1.45`, `Docker/26.1.5 (linux)`.
fn new_enough(api: Option<String>, server: Option<String>) -> Result<(), Failure> {
    let (api, server) = (api.unwrap_or_default(), server.unwrap_or_default());
    let release = server.split_whitespace().next().unwrap_or("Docker").replace('/', " ");
    let parts = api.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    match parts {
        Some(version) if version >= OLDEST => Ok(()),
        _ => Err(hinted(
            STEP,
            format!("{release} is too old: it speaks API {api}, homelab needs 1.41"),
            "install Docker 20.10 or newer: docs.docker.com/engine/install",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_20_10_is_new_enough() {
        for api in ["1.41", "1.45", "1.100", "2.0"] {
            assert_eq!(new_enough(Some(api.into()), None), Ok(()), "{api}");
        }
        for api in ["1.40", "1.9", "", "x"] {
            let server = "Docker/19.03.8 (linux)".to_owned();
            let failure = new_enough(Some(api.into()), Some(server)).unwrap_err();
            assert_eq!(
                failure.what,
                format!("Docker 19.03.8 is too old: it speaks API {api}, homelab needs 1.41")
            );
        }
    }

    #[test]
    fn each_reason_has_its_own_words() {
        let all = ["missing", "stopped", "denied", "forbidden", "silent", ""];
        let said: std::collections::BTreeSet<String> =
            all.iter().map(|why| meaning(why, "lab", "/run/d.sock").what).collect();
        assert_eq!(said.len(), all.len());
        assert_eq!(
            meaning("denied", "lab", "/run/d.sock").what,
            "lab may not use Docker: /run/d.sock is closed to them"
        );
    }
}
