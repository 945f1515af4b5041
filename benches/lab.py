"""The lab's hosts: where they are, and how to get there without homelab."""

import subprocess
from pathlib import Path

from measure import Failed, together

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tests/lab/lab"


class Lab:
    """A lab that is up, with at least `hosts` hosts."""

    def __init__(self, hosts):
        subprocess.run([SCRIPT, "up", "--hosts", str(max(4, hosts))], check=True)
        said = subprocess.run([SCRIPT, "env"], check=True, capture_output=True, text=True).stdout
        self.facts = dict(line.split("=", 1) for line in said.splitlines())
        self.names = [f"lab{n}" for n in range(1, hosts + 1)]

    def down(self):
        subprocess.run([SCRIPT, "down"], check=True)

    def fact(self, name):
        return self.facts[f"LAB_{name}"]

    def address(self, host):
        return self.facts[f"LAB_ADDRESS_{host}"]

    def ssh_options(self):
        """Options of a plain ssh: no file of the user's, no connection that is kept."""
        return [
            *("-F", "none", "-i", self.fact("KEY"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"),
            *("-o", "LogLevel=ERROR", "-o", f"UserKnownHostsFile={self.fact('KNOWN_HOSTS')}"),
        ]

    def ssh(self, host, *command, user="lab"):
        return ["ssh", *self.ssh_options(), f"{user}@{self.address(host)}", *command]

    def on(self, hosts, command, user="lab"):
        """A command on hosts, side by side; seconds until all are done."""
        return together([self.ssh(host, command, user=user) for host in hosts])

    def put(self, host, files):
        """Writes files, given by their path below the user's home."""
        for path, text in files.items():
            there = f'mkdir -p "$(dirname {path})" && cat > {path}'
            done = subprocess.run(self.ssh(host, there), input=text, text=True, capture_output=True)
            if done.returncode != 0:
                raise Failed(f"{host}: {path}: {done.stderr}")

    def ensure_image(self, hosts, *names):
        """Pulls images of the lab's registry where they are missing."""
        for name in names:
            image = self.fact(f"IMAGE_{name}")
            self.on(hosts, f"docker image inspect {image} >/dev/null 2>&1 || docker pull -q {image}")
