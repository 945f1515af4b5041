# shellcheck shell=bash
# What every part uses: where state lives, how the lab speaks, locks, polling.
# shellcheck disable=SC2034 # the other parts use the names

readonly DEFAULT_NAME=homelab-testlab
readonly LAB_NAME=${HOMELAB_LAB_NAME:-$DEFAULT_NAME}

# A lab with a name of its own has a state directory of its own, too.
default_state() {
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}
    if [[ $LAB_NAME == "$DEFAULT_NAME" ]]; then printf '%s\n' "$cache/homelab-lab"; else printf '%s\n' "$cache/homelab-lab-$LAB_NAME"; fi
}
LAB_STATE=${HOMELAB_LAB_DIR:-$(default_state)}
readonly LAB_STATE
readonly LAB_KEY=$LAB_STATE/id_ed25519
readonly LAB_KNOWN_HOSTS=$LAB_STATE/known_hosts

# Networks and volumes of the lab carry this label, its containers LABEL.state; images, which all labs of a machine
# share, carry IMAGE_LABEL, and containers inherit that. Nothing without them is ever removed.
readonly LABEL=$LAB_NAME
readonly IMAGE_LABEL=$DEFAULT_NAME
readonly NETWORK=$LAB_NAME
readonly PREFIX=$LAB_NAME-
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
