"""What homelab does, as a pyinfra deploy."""

from pyinfra import host
from pyinfra.operations import apt, files, server

PROJECT = "/home/lab/bench"

apt.packages(name="Docker is there", packages=["docker.io", "docker-compose"])
files.directory(name="The project's directory is there", path=PROJECT, mode="755")
for name in host.data.files:
    files.put(
        name=f"{name} is as it should be",
        src=f"{host.data.staging}/{host.name}/{name}",
        dest=f"{PROJECT}/{name}",
        mode="644",
    )
server.shell(
    name="The project runs",
    commands=[f"docker compose --project-directory {PROJECT} up -d --wait"],
)
server.shell(
    name="Every server answers",
    commands=[f"curl -fsS -o /dev/null {url}" for url in host.data.health],
)
