"""The work that every tool is given: small models on some hosts and a gateway on one.

homelab gets an inventory. The others get a Compose file for each host, as a person would write them, with health
checks that look twice a second while a server starts, so that nobody waits for a check that is due later.
"""

import json
from dataclasses import dataclass

LITELLM_PORT = 4000
MASTER_KEY = "sk-bench"
STARTING = {"interval": "30s", "timeout": "5s", "retries": 3, "start_period": "120s", "start_interval": "500ms"}


@dataclass(frozen=True)
class Model:
    host: str
    name: str
    port: int
    context: int = 512


@dataclass(frozen=True)
class Job:
    lab: object
    models: tuple
    gateway: str
    # The others' ports lie beside homelab's: both sets of containers run on the same hosts.
    offset: int = 0

    @property
    def hosts(self):
        return [h for h in self.lab.names if h == self.gateway or any(m.host == h for m in self.models)]

    @property
    def containers(self):
        return len(self.models) + 1

    def of(self, host):
        return [m for m in self.models if m.host == host]

    def gateway_url(self):
        return f"http://{self.lab.address(self.gateway)}:{LITELLM_PORT + self.offset}"

    def model_url(self, model):
        return f"http://{self.lab.address(model.host)}:{model.port + self.offset}"

    def with_context(self, name, context):
        """The same with one model's flag changed."""
        changed = tuple(Model(m.host, m.name, m.port, context) if m.name == name else m for m in self.models)
        return Job(self.lab, changed, self.gateway, self.offset)

    # homelab

    def inventory(self):
        lab = self.lab
        variables = {
            "homelab_project": "bench-homelab",
            "ansible_user": "lab",
            "ansible_ssh_private_key_file": lab.fact("KEY"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={lab.fact('KNOWN_HOSTS')}",
        }
        hosts = {host: {"ansible_host": lab.address(host)} for host in self.hosts}
        for model in self.models:
            hosts[model.host].setdefault("models", {})[model.name] = {
                "engine": "llama_cpp",
                "image": lab.fact("IMAGE_LLAMA"),
                "model": lab.fact("MODEL"),
                "port": model.port,
                "gpu": "none",
                "ctx_size": model.context,
                "parallel": 1,
                "threads": 1,
                # The others' backends have no key either.
                "api_key": "none",
                "volumes": [f"{lab.fact('MODELS_DIR')}:/models:ro"],
            }
        hosts[self.gateway]["gateway"] = {
            "engine": "litellm",
            "image": lab.fact("IMAGE_LITELLM"),
            "port": LITELLM_PORT,
        }
        return json.dumps({"all": {"vars": variables, "hosts": hosts}}, indent=1)

    # Compose

    def files(self, host):
        """What lies in a host's project directory, by name."""
        services = {model.name: self.model_service(model) for model in self.of(host)}
        files = {}
        if host == self.gateway:
            services["litellm"] = self.gateway_service()
            files["litellm.yml"] = json.dumps(self.litellm_config(), indent=1)
        files["compose.yml"] = json.dumps({"name": "bench-peers", "services": services}, indent=1)
        return files

    def model_service(self, model):
        lab = self.lab
        return {
            "image": lab.fact("IMAGE_LLAMA"),
            "command": [
                *("--model", lab.fact("MODEL"), "--alias", model.name, "--port", "8080"),
                *("--ctx-size", str(model.context), "--parallel", "1", "--threads", "1"),
            ],
            "ports": [f"{model.port + self.offset}:8080"],
            "volumes": [f"{lab.fact('MODELS_DIR')}:/models:ro"],
            "restart": "unless-stopped",
            "healthcheck": {"test": ["CMD", "curl", "-fs", "http://localhost:8080/health"], **STARTING},
        }

    def gateway_service(self):
        ask = "import urllib.request as u; u.urlopen('http://localhost:4000/health/liveliness')"
        return {
            "image": self.lab.fact("IMAGE_LITELLM"),
            "command": ["--config", "/app/config.yml", "--port", "4000"],
            "ports": [f"{LITELLM_PORT + self.offset}:4000"],
            # Absolute: Compose may run on the host or here, and must mean the same file.
            "volumes": ["/home/lab/bench/litellm.yml:/app/config.yml:ro"],
            "environment": {"LITELLM_MASTER_KEY": MASTER_KEY},
            "restart": "unless-stopped",
            "healthcheck": {"test": ["CMD", "python3", "-c", ask], **STARTING},
        }

    def litellm_config(self):
        def entry(model):
            url = f"{self.model_url(model)}/v1"
            return {
                "model_name": model.name,
                "litellm_params": {"model": f"openai/{model.name}", "api_base": url, "api_key": "none"},
            }

        return {"model_list": [entry(model) for model in self.models]}


def three(lab):
    """Three hosts, five containers: two models on each of two, the gateway on the third."""
    models = tuple(Model(host, f"m{h}{n}", 24000 + n) for h, host in enumerate(("lab1", "lab2")) for n in range(2))
    return Job(lab, models, "lab3")


def many(lab):
    """A model on every host but one, which has the gateway."""
    models = tuple(Model(host, f"m{h}", 24000) for h, host in enumerate(lab.names) if host != "lab3")
    return Job(lab, models, "lab3")


def beside(job):
    """The same for the others, with ports of their own."""
    return Job(job.lab, job.models, job.gateway, 100)
