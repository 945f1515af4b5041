"""What is measured, one function each. Every figure comes with its runs; nothing is judged here."""

import contextlib
import datetime
import json
import os
import subprocess
import time
import urllib.request

import job as jobs
from measure import Failed, megabytes, run, summary, wait_until
from tools import PROJECT, VENV, Ansible, ComposeThere, Floor, Homelab, HOMELAB, Peers, all_peers


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def containers(lab, hosts):
    """Every container's id and start: while there is nothing to do, none of it changes."""
    show = "docker ps -aq | xargs -r docker inspect --format '{{.Name}} {{.Id}} {{.State.StartedAt}}' | sort"
    return {host: run(lab.ssh(host, show)).output for host in hosts}


@contextlib.contextmanager
def deployed(job, work):
    """homelab's containers and the others', side by side; both are gone afterwards."""
    homelab, peers = Homelab(job, work), Peers(jobs.beside(job), work)
    job.lab.ensure_image(job.hosts, "LLAMA")
    job.lab.ensure_image([job.gateway], "LITELLM")
    say(f"deploying {job.containers} containers twice to {len(job.hosts)} hosts")
    try:
        homelab.deploy()
        peers.push()
        ComposeThere(peers).seconds()
        yield homelab, peers
    finally:
        homelab.down()
        peers.down()


def nothing_to_do(job, work, rounds, slow_rounds):
    """Every tool in turn, round after round, with nothing to change."""
    with deployed(job, work) as (homelab, peers):
        floor, tools = Floor(job, work), all_peers(peers, work)
        before = containers(job.lab, job.hosts)
        series = {floor.name: [], "cold": [], "warm": [], **{tool.name: [] for tool in tools}}
        for n in range(rounds + 1):
            # The first round fills caches on all sides and is not counted.
            say(f"round {n} of {rounds}")
            one = {floor.name: floor.seconds()}
            homelab.cold()
            one["cold"] = homelab.deploy().seconds
            one["warm"] = homelab.deploy().seconds
            for tool in tools:
                if n <= slow_rounds or not isinstance(tool, Ansible):
                    tool.prepare()
                    one[tool.name] = tool.seconds()
            if n:
                for name, seconds in one.items():
                    series[name].append(seconds)
            say("  ".join(f"{name.split(',')[0]} {seconds:.2f}" for name, seconds in one.items()))
        if containers(job.lab, job.hosts) != before:
            raise Failed("a tool changed containers although there was nothing to do")
        homelab.cold()
        cold = homelab.deploy("-v").output
        result = {name: summary(values) for name, values in series.items()}
        return {
            "hosts": len(job.hosts),
            "containers": job.containers,
            "seconds": result,
            "megabytes": megabytes(homelab.argv("deploy", "--yes"), env=homelab.env),
            "said": {"cold": cold, "warm": homelab.deploy("-v").output},
        }


def get(url, body=None):
    """The answer as JSON; None while there is none."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return json.load(reply)
    except (OSError, ValueError):
        return None


def answers(url, context):
    """Whether the server with this context length is there and gives a token."""
    props = get(f"{url}/props")
    if not props or props["default_generation_settings"]["n_ctx"] != context:
        return False
    question = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    return bool(get(f"{url}/v1/chat/completions", question))


def one_flag_changed(job, work, rounds):
    """From the start of a command until the changed model answers, and the same for a container that is only started."""
    model = job.models[0]
    contexts = [768, 512]
    with deployed(job, work) as (homelab, peers):
        series = {"homelab deploy": [], "whole": [], "alone": [], ComposeThere.name: []}
        for n in range(rounds):
            context = contexts[n % 2]
            changed = job.with_context(model.name, context)
            say(f"round {n + 1} of {rounds}: {model.name} with a context of {context}")
            homelab.write(changed)
            series_of_homelab(series, homelab, changed.model_url(model), context)
            peers.write(jobs.beside(changed))
            peers.push()
            series[ComposeThere.name].append(until_answer(peers, model, context))
            series["alone"].append(alone(job, model, context))
    return {name: summary(values) for name, values in series.items()}


def series_of_homelab(series, homelab, url, context):
    began = time.perf_counter()
    deploy = subprocess.Popen(homelab.argv("deploy", "--yes"), env=homelab.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    answered = wait_until("the model's answer", lambda: answers(url, context))
    if deploy.wait(timeout=60) != 0:
        raise Failed("homelab deploy failed")
    series["homelab deploy"].append(answered - began)
    series["whole"].append(time.perf_counter() - began)


def until_answer(peers, model, context):
    url = peers.job.model_url(model)
    command = f"cd {PROJECT} && docker compose up -d --wait"
    began = time.perf_counter()
    compose = subprocess.Popen(peers.lab.ssh(model.host, command), stderr=subprocess.DEVNULL)
    answered = wait_until("the model's answer", lambda: answers(url, context))
    if compose.wait(timeout=120) != 0:
        raise Failed("docker compose up failed")
    return answered - began


def alone(job, model, context):
    """From the moment Docker says the container was started until it answers."""
    lab, name, port = job.lab, "bench-alone", 24900
    service = job.model_service(jobs.Model(model.host, model.name, port, context))
    words = " ".join(service["command"])
    started = "docker inspect --format '{{.State.StartedAt}}' " + name
    command = f"docker run -d --name {name} -p {port}:8080 -v {service['volumes'][0]} {service['image']} {words}"
    try:
        said = run(lab.ssh(model.host, f"{command} >/dev/null && {started}")).output.strip()
        url = f"http://{lab.address(model.host)}:{port}"
        wait_until("the model's answer", lambda: answers(url, context))
        now = time.time()
    finally:
        run(lab.ssh(model.host, f"docker rm -f {name}"))
    # Docker writes nanoseconds, Python reads microseconds; the hosts are containers of this machine: one clock.
    return now - datetime.datetime.fromisoformat(f"{said[:26]}+00:00").timestamp()


def first_deploy(job, work, rounds, pulls):
    """From nothing to everything answering; `pulls`: the images are not there either."""
    homelab, peers = Homelab(job, work), Peers(jobs.beside(job), work)
    tools = [ComposeThere(peers), Ansible(peers, work, "default"), Ansible(peers, work, "mitogen")]
    images = [job.lab.fact("IMAGE_LLAMA"), job.lab.fact("IMAGE_LITELLM")]

    def clean():
        homelab.down()
        peers.down()
        if pulls:
            job.lab.on(job.hosts, f"docker rmi -f {' '.join(images)} >/dev/null 2>&1; docker image prune -f")
        else:
            job.lab.ensure_image(job.hosts, "LLAMA")
            job.lab.ensure_image([job.gateway], "LITELLM")

    series = {"homelab deploy": [], **{tool.name: [] for tool in tools}}
    for n in range(rounds):
        clean()
        homelab.cold()
        say(f"round {n + 1} of {rounds}: homelab")
        series["homelab deploy"].append(homelab.deploy().seconds)
        for tool in tools:
            clean()
            # Compose brings no files; the others write them within their time.
            if isinstance(tool, ComposeThere):
                peers.push()
            tool.prepare()
            say(f"round {n + 1} of {rounds}: {tool.name}")
            series[tool.name].append(tool.seconds())
    clean()
    return {name: summary(values) for name, values in series.items()}


def big_inventory(work, hosts, models):
    """An inventory as it may be typed, of hosts nobody connects to."""
    lines = ["all:", "  vars:", "    ansible_user: me", "  hosts:"]
    for h in range(hosts):
        lines += [f"    box{h:04}:", f"      ansible_host: 10.1.{h // 250}.{h % 250 + 1}", "      models:"]
        for n in range(models):
            lines += [
                f"        m{h:04}-{n}:",
                "          engine: vllm",
                "          model: Qwen/Qwen3-4B-AWQ",
                f"          port: {8000 + n}",
                "          gpu: 0",
                "          gpu_memory_utilization: 0.3",
                "          max_model_len: 8192",
                "          tool_call_parser: hermes",
            ]
    lines += ["    proxy:", "      ansible_host: 10.1.9.1", "      gateway: {engine: litellm, port: 4000}"]
    path = work / f"big-{hosts}.yml"
    path.write_text("\n".join(lines) + "\n")
    return path


def variables(name, count):
    """A file of variables: texts, numbers, a list, a map, an expression."""
    lines = ["---", f"owner: {name}", "ports: [8000, 8001]", "labels: {rack: a1, power: 350.5}", 'path: "/srv/{{ owner }}"']
    lines += [f"{name.replace('-', '_')}_{n}: {'yes' if n % 2 else n * 1000}" for n in range(count)]
    return "\n".join(lines) + "\n"


def fleet(work, hosts):
    """An inventory as a fleet has it: hosts in 20 racks of 4 rooms, a role each, with files for all of them."""
    root = work / f"fleet-{hosts}"
    for directory in ("group_vars", "host_vars"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    names = [f"node{n:04}" for n in range(hosts)]
    rooms = {f"room{r}": {"children": {f"rack{r + 4 * k:02}": None for k in range(5)}} for r in range(4)}
    racks = {f"rack{k:02}": {"hosts": {name: None for name in names[k::20]}} for k in range(20)}
    roles = {f"role{k}": {"hosts": {name: None for name in names[k::3]}, "vars": {"role": f"role{k}"}} for k in range(3)}
    groups = {**rooms, **racks, **roles}
    all_hosts = {name: {"ansible_host": f"10.1.{n // 250}.{n % 250 + 1}"} for n, name in enumerate(names)}
    # JSON is YAML, and both tools read it as that.
    (root / "inventory.yml").write_text(json.dumps({"all": {"hosts": all_hosts, "children": groups}}, indent=1))
    for name in ("all", *groups):
        (root / f"group_vars/{name}.yml").write_text(variables(name, 10))
    for name in names:
        (root / f"host_vars/{name}.yml").write_text(variables(name, 5))
    return root


def inventory(work, rounds, slow_rounds):
    """`--list` of homelab and of Ansible, turn by turn; both must print the same."""
    root = fleet(work, 1000)
    list_all = ["-i", root / "inventory.yml", "--list"]
    tools = {
        "homelab inventory --list": [HOMELAB, "inventory", *list_all],
        "ansible-inventory --list": [VENV / "ansible-inventory", *list_all],
    }
    env = {**os.environ, "ANSIBLE_CONFIG": "/nowhere/ansible.cfg", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
    series = {name: [] for name in tools}
    for n in range(rounds + 1):
        said = {}
        for name, argv in tools.items():
            if n <= slow_rounds or name.startswith("homelab"):
                one = run(argv, env=env, cwd=root)
                said[name] = one.output
                # The first round fills caches on both sides and is not counted.
                if n:
                    series[name].append(one.seconds)
        if len(set(said.values())) != 1:
            raise Failed("homelab and Ansible do not print the same")
    say("  ".join(f"{name} {summary(values)['median']:.3f}" for name, values in series.items()))
    return {
        "seconds": {name: summary(values) for name, values in series.items()},
        "megabytes": megabytes(tools["homelab inventory --list"], env=env),
        "bytes": len(said["homelab inventory --list"]),
    }


def offline(work, rounds):
    """Planning without hosts, and the program by itself."""
    inventory = big_inventory(work, 1000, 3)
    plan = [HOMELAB, "-i", inventory, "plan", "--offline"]
    version = [HOMELAB, "--version"]
    return {
        "plan": summary([run(plan).seconds for _ in range(rounds)]),
        "plan megabytes": megabytes(plan),
        "version": summary([run(version).seconds for _ in range(rounds * 5)]),
        "binary bytes": os.path.getsize(HOMELAB),
    }
