# shellcheck shell=bash
# What every part uses: where state lives, how the lab speaks, locks, polling.
# shellcheck disable=SC2034 # the other parts use the names

readonly LAB_STATE=${HOMELAB_LAB_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/homelab-lab}
readonly LAB_KEY=$LAB_STATE/id_ed25519
readonly LAB_KNOWN_HOSTS=$LAB_STATE/known_hosts

# Networks, volumes and images of the lab carry this label, its containers LABEL.state (a container inherits
# its image's labels, so LABEL does not tell who made it). Nothing without them is ever removed.
readonly LABEL=homelab-testlab
readonly NETWORK=homelab-testlab
readonly PREFIX=homelab-testlab-
readonly REGISTRY=registry.lab:5000

START=$(date +%s%N)
readonly START

say() {
    local ms=$((($(date +%s%N) - START) / 1000000))
    printf '[%3d.%d s] %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*" >&2
}

die() {
    printf 'lab: %s\n' "$*" >&2
    exit 1
}

state_init() {
    umask 022
    mkdir -p "$LAB_STATE"
    chmod 0700 "$LAB_STATE"
    mkdir -p "$LAB_STATE"/{log,models,hosts,pushed}
    [[ -s $LAB_KEY ]] || ssh-keygen -q -t ed25519 -N '' -C homelab-testlab -f "$LAB_KEY"
}

# One `lab` at a time may change the lab as a whole. Released when this process ends: whatever is left
# running in the background must not inherit descriptor 9.
lock() {
    state_init
    exec 9>"$LAB_STATE/lock"
    flock -n 9 && return
    say "waiting for another lab command"
    flock 9
}

# poll SECONDS COMMAND...: until the command succeeds; fails when the time is up.
poll() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

# parallel FUNCTION ITEM...: one background job per item; fails when any did.
parallel() {
    local function=$1 item pid failed=0 pids=()
    shift
    for item in "$@"; do
        "$function" "$item" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=1
    done
    return $failed
}

# write_if_changed PATH: standard input becomes the file, at once or not at all.
write_if_changed() {
    local path=$1 temporary=$1.$BASHPID
    mkdir -p "$(dirname "$path")"
    cat >"$temporary"
    if cmp -s "$temporary" "$path"; then rm "$temporary"; else mv "$temporary" "$path"; fi
}

# need COMMAND PACKAGE: installs the package where the command is missing.
need() { command -v "$1" >/dev/null || apt_install "$2"; }

apt_install() {
    ((EUID == 0)) || die "needs root to install: $*"
    say "installing $*"
    apt_get update
    apt_get install -y --no-install-recommends "$@"
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get "$@" >>"$LAB_STATE/log/apt.log" 2>&1 9>&- ||
        die "apt-get $1 failed; see $LAB_STATE/log/apt.log"
}
