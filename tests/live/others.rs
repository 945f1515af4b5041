//! Servers beside one model by one of homelab's own engines: one that somebody else runs, any that speaks OpenAI's
//! protocol, one of several models. The program is llama.cpp's in all of them.

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::lab;

/// A server that somebody else started by hand, under a name that homelab would not give.
pub(crate) struct Stranger {
    pub(crate) name: String,
    port: u16,
}

impl Stranger {
    pub(crate) fn start(port: u16) -> Self {
        let (image, models, model) =
            (lab().fact("LAB_IMAGE_LLAMA"), lab().fact("LAB_MODELS_DIR"), lab().fact("LAB_MODEL"));
        let name = format!("promise-stranger-{}", std::process::id());
        lab().ssh(
            "lab2",
            &format!(
                "docker run -d --name {name} -p {port}:8080 -v {models}:/models:ro {image} \
                 --model {model} --alias theirs --host 0.0.0.0 --port 8080 --ctx-size 512 --parallel 1 --threads 1"
            ),
        );
        Self { name, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}:{}/v1", lab().address("lab2"), self.port)
    }

    /// Its id, when it was started, and how often it was restarted.
    pub(crate) fn seen(&self) -> String {
        let format = "{{.Id}} {{.State.StartedAt}} {{.RestartCount}} {{.State.Status}}";
        lab().ssh("lab2", &format!("docker inspect --format '{format}' {}", self.name))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        lab().try_ssh("lab2", &format!("docker rm -f {}", self.name));
    }
}

/// What the model of [`any_server`] is called there.
const OWN_NAME: &str = "its-own-name";

/// Puts a server by its image and command on a host.
pub(crate) fn any_server(cluster: &mut Cluster, (host, port): (&str, u16), name: &str) {
    cluster.host(host);
    let file = lab().fact("LAB_MODEL");
    let words = "--host 0.0.0.0 --port 7000 --ctx-size 512 --parallel 1 --threads 1";
    let command: Vec<&str> =
        ["--model", file, "--alias", OWN_NAME].into_iter().chain(words.split(' ')).collect();
    cluster.hosts[host]["models"][name] = json!({
        "engine": "openai",
        "image": lab().fact("LAB_IMAGE_LLAMA"),
        "command": command,
        "container_port": 7000,
        "health": "/v1/health",
        "api_key_variable": "LLAMA_API_KEY",
        "model": OWN_NAME,
        "port": cluster.port(port),
        "gpu": "none",
        "volumes": [format!("{}:/models:ro", lab().fact("LAB_MODELS_DIR"))],
    });
}

/// Puts a server of several models on a host, which has one of them in memory.
pub(crate) fn server_of_several(cluster: &mut Cluster, (host, port): (&str, u16), name: &str) {
    cluster.host(host);
    cluster.hosts[host]["servers"][name] = json!({
        "engine": "llama_cpp",
        "image": lab().fact("LAB_IMAGE_LLAMA"),
        "port": cluster.port(port),
        "gpu": "none",
        "models_max": 1,
        "ctx_size": 512,
        "parallel": 1,
        "threads": 1,
        "volumes": [format!("{}:/models:ro", lab().fact("LAB_MODELS_DIR"))],
    });
}
