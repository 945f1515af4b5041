"""The tools that are measured: how each is given a job, and how its connections are closed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from job import LITELLM_PORT, beside
from lab import ROOT
from measure import Failed, run, together

HOMELAB = ROOT / "target/release/homelab"
PEERS = Path(__file__).resolve().parent / "peers"
PROJECT = "/home/lab/bench"
VENV = Path(sys.executable).parent


def close_masters(directory):
    """Ends the ssh masters whose sockets lie below a directory: the next run has to log in."""
    for path in Path(directory).rglob("*"):
        if path.is_socket():
            subprocess.run(["ssh", "-O", "exit", "-S", path, "any"], capture_output=True, check=False)


class Homelab:
    """`homelab deploy`."""

    name = "homelab deploy"

    def __init__(self, job, work):
        self.job, self.work = job, work
        self.sockets = work / "run"
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        self.env = {**os.environ, "XDG_RUNTIME_DIR": str(self.sockets), "NO_COLOR": "1"}
        self.write(job)

    def write(self, job):
        (self.work / "inventory.yml").write_text(job.inventory())

    def argv(self, *args):
        return [HOMELAB, "-i", self.work / "inventory.yml", *args]

    def deploy(self, *args):
        return run(self.argv("deploy", "--yes", *args), env=self.env)

    def down(self):
        return run(self.argv("down", "--yes"), env=self.env)

    def cold(self):
        close_masters(self.sockets)


class Floor:
    """`ssh host true` on every host at once: what one login each costs."""

    name = "ssh HOST true, in parallel"

    def __init__(self, job, _work):
        self.argvs = [job.lab.ssh(host, "true") for host in job.hosts]

    def seconds(self):
        return together(self.argvs)


class Peers:
    """The Compose project that all other tools deploy, and the files they need for that."""

    def __init__(self, job, work):
        self.lab = job.lab
        self.staging = work / "peers"
        self.write(beside(job))

    def write(self, job):
        """`job` has the others' ports already."""
        self.job = job
        shutil.rmtree(self.staging, ignore_errors=True)
        for host in job.hosts:
            directory = self.staging / host
            directory.mkdir(parents=True)
            for name, text in job.files(host).items():
                (directory / name).write_text(text)
        hosts = {host: {"ansible_host": self.lab.address(host), **self.variables(host)} for host in job.hosts}
        connection = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": self.lab.fact("KEY"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.lab.fact('KNOWN_HOSTS')}",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        shared = {**connection, "project": PROJECT, "staging": str(self.staging)}
        (self.staging / "hosts.json").write_text(json.dumps({"all": {"vars": shared, "hosts": hosts}}))
        self.pyinfra_inventory(job)

    def variables(self, host):
        ports = [m.port + self.job.offset for m in self.job.of(host)]
        health = [f"http://localhost:{port}/health" for port in ports]
        if host == self.job.gateway:
            health.append(f"http://localhost:{LITELLM_PORT + self.job.offset}/health/liveliness")
        return {"files": sorted(self.job.files(host)), "health": health}

    def pyinfra_inventory(self, job):
        def data(host):
            return {
                "ssh_hostname": self.lab.address(host),
                "ssh_user": "root",
                "ssh_key": self.lab.fact("KEY"),
                "ssh_known_hosts_file": self.lab.fact("KNOWN_HOSTS"),
                "staging": str(self.staging),
                **self.variables(host),
            }

        hosts = [(host, data(host)) for host in job.hosts]
        (self.staging / "pyinfra_hosts.py").write_text(f"bench = {hosts!r}\n")

    def push(self):
        """For Compose, which pushes nothing."""
        for host in self.job.hosts:
            self.lab.put(host, {f"bench/{name}": text for name, text in self.job.files(host).items()})

    def down(self):
        command = f"cd {PROJECT} 2>/dev/null && docker compose down -t 1 2>&1; rm -rf {PROJECT}"
        self.lab.on(self.job.hosts, command, user="root")


class ComposeHere:
    """Compose on this machine, with each host's Docker over ssh://, all hosts at once."""

    name = "docker compose up -d --wait, DOCKER_HOST=ssh://"

    def __init__(self, peers, work):
        self.peers, self.work = peers, work
        self.compose = work / "docker-compose"
        if not self.compose.exists():
            self.compose.write_bytes(self.from_a_host())
            self.compose.chmod(0o755)
        # Compose calls `ssh` as it finds it, and gives no options.
        ssh = work / "bin/ssh"
        ssh.parent.mkdir(exist_ok=True)
        options = " ".join(f"'{option}'" for option in peers.lab.ssh_options())
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} "$@"\n')
        ssh.chmod(0o755)

    def from_a_host(self):
        """The hosts' own Compose: the same version here and there."""
        path = "/usr/libexec/docker/cli-plugins/docker-compose"
        return subprocess.run(self.peers.lab.ssh("lab1", "cat", path), check=True, capture_output=True).stdout

    def prepare(self):
        pass

    def seconds(self):
        env = {**os.environ, "PATH": f"{self.work / 'bin'}:{os.environ['PATH']}"}
        # Through env(1), since each host has an environment of its own.
        argvs = [
            [
                "env",
                f"DOCKER_HOST=ssh://lab@{self.peers.lab.address(host)}",
                *(self.compose, "-f", self.peers.staging / host / "compose.yml", "up", "-d", "--wait"),
            ]
            for host in self.peers.job.hosts
        ]
        return together(argvs, env=env)


class ComposeThere:
    """Compose on each host, over ssh, all hosts at once."""

    name = "ssh HOST docker compose up -d --wait, in parallel"

    def __init__(self, peers):
        self.peers = peers

    def prepare(self):
        pass

    def seconds(self):
        return self.peers.lab.on(self.peers.job.hosts, f"cd {PROJECT} && docker compose up -d --wait")


class Pyinfra:
    name = "pyinfra"

    def __init__(self, peers):
        self.peers = peers

    def prepare(self):
        pass

    def seconds(self):
        hosts = self.peers.staging / "pyinfra_hosts.py"
        return run([VENV / "pyinfra", "-y", hosts, PEERS / "deploy.py"], cwd=self.peers.staging).seconds


class Ansible:
    """`ansible-playbook`: as it comes, with pipelining and without facts, or that with Mitogen."""

    names = {
        "default": "ansible-playbook, as it comes",
        "pipelining": "ansible-playbook, pipelining, no facts",
        "mitogen": "ansible-playbook, Mitogen, no facts",
    }

    def __init__(self, peers, work, kind):
        self.peers, self.name = peers, self.names[kind]
        # Short: a socket's path may not be long.
        self.sockets = work / "cp"
        self.env = {
            **os.environ,
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.sockets),
            "ANSIBLE_FORKS": str(max(5, len(peers.job.hosts))),
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        if kind != "default":
            self.env.update(ANSIBLE_PIPELINING="true", ANSIBLE_GATHERING="explicit")
        if kind == "mitogen":
            self.env.update(ANSIBLE_STRATEGY="mitogen_linear", ANSIBLE_STRATEGY_PLUGINS=str(mitogen_strategies()))

    def prepare(self):
        close_masters(self.sockets)

    def seconds(self):
        hosts = self.peers.staging / "hosts.json"
        return run([VENV / "ansible-playbook", "-i", hosts, PEERS / "site.yml"], env=self.env).seconds


def mitogen_strategies():
    found = list(VENV.parent.glob("lib/python*/site-packages/ansible_mitogen/plugins/strategy"))
    if not found:
        raise Failed("Mitogen's strategies are not installed")
    return found[0]


def all_peers(peers, work):
    ansible = [Ansible(peers, work, kind) for kind in Ansible.names]
    return [ComposeHere(peers, work), ComposeThere(peers), Pyinfra(peers), *ansible]
