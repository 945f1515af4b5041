//! Pulling an image, with how far it is, and asking its registry what its tag means.
//! It pulls exactly what it is told; which image that is was decided elsewhere.

use std::collections::BTreeMap;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::StreamExt as _;

use super::refusal::docker_failure;
use super::{failure, known, last_lines};
use crate::diagnosis::{self, Evidence, PINNED, PULLS};
use crate::diagnostic::clean;
use crate::image;
use crate::names::Secret;
use crate::survey::Failure;

/// How far a pull is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes that have arrived.
    pub done: u64,
    /// Bytes of the layers whose size is known so far; layers that were there count nothing.
    pub total: u64,
    /// The latest status: `Downloading`, `Extracting`.
    pub status: String,
}

/// What is pulled.
#[derive(Clone, Copy)]
pub struct Pulling<'a> {
    /// Its name.
    pub image: &'a str,
    /// The digest it must have; none takes what its tag means.
    pub digest: Option<&'a str>,
    /// Who asks the registry; it goes to Docker with this one request, which keeps it nowhere.
    pub login: Option<(&'a str, &'a Secret)>,
}

impl Pulling<'_> {
    fn credentials(&self) -> Option<DockerCredentials> {
        let (username, password) = self.login?;
        // Docker Hub goes by an address of old (moby/moby, registry/config.go).
        let server = match image::registry(self.image) {
            image::DOCKER_HUB => "https://index.docker.io/v1/",
            other => other,
        };
        Some(DockerCredentials {
            username: Some(username.to_owned()),
            password: Some(password.reveal().to_owned()),
            serveraddress: Some(server.to_owned()),
            ..DockerCredentials::default()
        })
    }
}

/// Pulls it, unless that digest is there, and tells after each piece of news how far it is.
pub(super) async fn pull(
    docker: &Docker,
    of: Pulling<'_>,
    mut on_progress: impl FnMut(&PullProgress),
) -> Result<(), Failure> {
    let step = format!("pulling {}", of.image);
    let exact = of.digest.map(|digest| image::listed_at(of.image, digest));
    let there = match &exact {
        Some(exact) => docker.inspect_image(exact).await.is_ok(),
        None => false,
    };
    if !there {
        let from = exact.clone().unwrap_or_else(|| tagged(of.image));
        let options = CreateImageOptionsBuilder::new().from_image(&from).build();
        let mut news = Box::pin(docker.create_image(Some(options), None, of.credentials()));
        let mut layers = Layers::default();
        while let Some(item) = news.next().await {
            let item = item.map_err(|e| failed(&step, of, &e))?;
            on_progress(&layers.take(item));
        }
    }
    let Some(exact) = exact else { return Ok(()) };
    // What is pulled by its digest alone has no tag, and `docker compose` on the host goes by that.
    let name = image::listed(of.image);
    let (repository, tag) = name.rsplit_once(':').unwrap_or((&name, "latest"));
    let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
    docker.tag_image(&exact, Some(options)).await.map_err(|e| docker_failure(&step, &e))
}

/// The digest that an image's tag stands for in its registry now, asked by the host's Docker.
pub(super) async fn digest(docker: &Docker, of: Pulling<'_>) -> Result<String, Failure> {
    let step = format!("asking for {}", of.image);
    let said = docker.inspect_registry_image(&tagged(of.image), of.credentials()).await;
    let digest = said.map_err(|e| failed(&step, of, &e))?.descriptor.digest.unwrap_or_default();
    match image::is_digest(&digest) {
        true => Ok(digest),
        false => Err(failure(&step, format!("the registry gave no digest but `{}`", clean(&digest)))),
    }
}

/// Without a tag Docker's API would pull every tag there is; the command line adds `latest` itself.
fn tagged(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains(':') || last.contains('@') { image.to_owned() } else { format!("{image}:latest") }
}

/// Bytes per layer: each layer reports for itself.
#[derive(Default)]
struct Layers(BTreeMap<String, (u64, u64)>);

impl Layers {
    fn take(&mut self, news: CreateImageInfo) -> PullProgress {
        let status = clean(news.status.as_deref().unwrap_or_default());
        if let Some(id) = news.id {
            let detail = news.progress_detail.unwrap_or_default();
            let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
            match (status.as_str(), number(detail.current), number(detail.total)) {
                ("Downloading", Some(current), Some(total)) => {
                    self.0.insert(id, (current, total));
                }
                ("Download complete" | "Pull complete", ..) => {
                    self.0.entry(id).and_modify(|(done, total)| *done = *total);
                }
                _ => {}
            }
        }
        let (done, total) = self.0.values().fold((0, 0), |(a, b), (done, total)| (a + done, b + total));
        PullProgress { done, total, status }
    }
}

fn failed(step: &str, of: Pulling<'_>, error: &bollard::errors::Error) -> Failure {
    let said = error.to_string();
    let lines = last_lines(&said, usize::MAX);
    let names = [("image", of.image), ("registry", image::registry(of.image))];
    let tables = of.digest.map(|_| PINNED).into_iter().chain(PULLS);
    match diagnosis::find(tables, &Evidence { lines: &lines, names: &names, ..Evidence::default() }) {
        Some(finding) => Failure { lines: last_lines(&said, 3), ..known(step, finding) },
        None => docker_failure(step, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    #[test]
    fn an_image_without_a_tag_means_latest() {
        for (image, pulled) in [
            ("nginx", "nginx:latest"),
            ("reg:5000/a/b", "reg:5000/a/b:latest"),
            ("reg:5000/a/b:1", "reg:5000/a/b:1"),
            ("a@sha256:00", "a@sha256:00"),
        ] {
            assert_eq!(tagged(image), pulled);
        }
    }

    #[test]
    fn layers_add_up() {
        let mut layers = Layers::default();
        let mut news = |id: &str, status: &str, current, total| {
            let progress_detail = Some(ProgressDetail { current: Some(current), total: Some(total) });
            let (id, status) = (Some(id.to_owned()), Some(status.to_owned()));
            let progress = layers.take(CreateImageInfo { id, status, progress_detail, ..Default::default() });
            (progress.done, progress.total)
        };
        assert_eq!(news("a", "Downloading", 10, 100), (10, 100));
        assert_eq!(news("b", "Downloading", 5, 50), (15, 150));
        assert_eq!(news("a", "Download complete", 0, 0), (105, 150));
        assert_eq!(news("a", "Extracting", 20, 100), (105, 150));
        assert_eq!(news("c", "Already exists", 0, 0), (105, 150));
    }

    #[test]
    fn why_an_image_cannot_be_pulled() {
        for (said, what) in [
            (
                "manifest for x:9 not found: manifest unknown: manifest unknown",
                "there is no image r.io:5/x:9",
            ),
            (
                "Get \"https://r.io:5/v2/\": dial tcp: lookup r.io: no such host",
                "the host cannot reach the registry r.io:5",
            ),
            ("toomanyrequests: You have reached your pull rate limit", "r.io:5 allows no more pulls for now"),
            ("write /var/lib/docker/tmp/x: no space left on device", "the disk is full"),
            ("unauthorized: authentication required", "r.io:5 does not give r.io:5/x:9 to a stranger"),
        ] {
            let error = bollard::errors::Error::DockerStreamError { error: said.into() };
            let of = Pulling { image: "r.io:5/x:9", digest: None, login: None };
            assert_eq!(failed("pulling", of, &error).what, what, "{said}");
        }
    }
}
