# shellcheck shell=bash
# A Docker engine for the lab: the one that answers, else one started here.

readonly DOCKERD_PID_FILE=/var/run/docker.pid
readonly CONTAINERD_PID_FILE=/var/run/docker/containerd/containerd.pid

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

ensure_engine() {
    need ssh openssh-client
    need curl curl
    need python3 python3
    engine_answers && return
    if ! command -v dockerd >/dev/null; then
        apt_install docker.io iptables
        need docker docker-cli
    fi
    # Where systemd runs, the package has started the service, or somebody stopped it.
    if [[ -d /run/systemd/system ]]; then
        systemctl start docker 2>/dev/null && poll 20 engine_answers && return
    fi
    ((EUID == 0)) || die "no Docker engine answers, and starting one needs root"
    start_engine
}

# More than once: what a killed dockerd leaves behind is still dying when the next one looks at it, and that
# one gives up.
start_engine() {
    local log=$LAB_STATE/log/dockerd.log attempt
    for attempt in 1 2 3; do
        launch_dockerd "$log"
        poll 60 engine_answers_or_died || true
        engine_answers && return
        say "dockerd did not come up (attempt $attempt)"
    done
    tail -n 5 "$log" >&2
    die "dockerd does not come up; see $log"
}

# A pid file outlives a process that was killed. When another process has that number by now, or nobody has
# waited for the dead one, the next dockerd believes that one runs already.
launch_dockerd() {
    dockerd_runs && return
    is_alive containerd "$CONTAINERD_PID_FILE" || rm -f "$CONTAINERD_PID_FILE"
    rm -f "$DOCKERD_PID_FILE"
    say "starting dockerd, log in $1"
    setsid dockerd >>"$1" 2>&1 </dev/null 9>&- &
    disown
    poll 5 dockerd_runs || true
}

engine_answers_or_died() { engine_answers || ! dockerd_runs; }

dockerd_runs() { is_alive dockerd "$DOCKERD_PID_FILE"; }

# is_alive NAME PID_FILE: the process of the pid file is there, has that name and is no zombie.
is_alive() {
    local pid status
    pid=$(cat "$2" 2>/dev/null) && status=$(cat "/proc/$pid/status" 2>/dev/null) || return
    [[ $status == *"Name:	$1"$'\n'* && $status != *"State:	Z"* ]]
}
