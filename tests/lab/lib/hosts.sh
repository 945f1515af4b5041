# shellcheck shell=bash
# The hosts: containers with sshd and dockerd.

readonly DEFAULT_HOSTS=4 MAX_HOSTS=200

container_of() { printf '%s%s\n' "$PREFIX" "$1"; }

# All hosts that exist, running or not, in order.
all_hosts() {
    docker ps --all --filter "label=$LABEL.host" --format "{{.Label \"$LABEL.host\"}}" | sort -V
}

require_host() {
    [[ -n ${1:-} ]] || die "which host?"
    docker container inspect "$(container_of "$1")" >/dev/null 2>&1 ||
        die "no such host: $1 (there are: $({ all_hosts; bare_hosts; } | xargs))"
}

cmd_up() {
    local count='' pull='' images=1
    while (($#)); do
        case $1 in
            --hosts)
                count=${2:-}
                [[ $count =~ ^[1-9][0-9]{0,2}$ ]] || die "--hosts takes a number"
                ((count <= MAX_HOSTS)) || die "--hosts takes 1 to $MAX_HOSTS"
                shift
                ;;
            --pull) pull=1 ;;
            --with) with "${2:-}" && shift ;;
            --no-images) images='' ;;
            *) die "up: what is $1?" ;;
        esac
        shift
    done
    lock
    ensure_engine
    refuse_foreign_lab
    ensure_image host
    ensure_registry
    ensure_hosts "${count:-$DEFAULT_HOSTS}"
    write_inventory
    say "hosts answer: $(all_hosts | xargs)"
    [[ -z ${BARE:-} ]] || ensure_bare_hosts
    [[ -n $images ]] || return 0
    ensure_model
    ensure_served_images
    ! is_wanted vllm || ensure_vllm_models
    if [[ -n $pull ]]; then
        mapfile -t hosts < <(all_hosts)
        parallel pull_images "${hosts[@]}" || die "not every host has every image"
    fi
    say "lab is up"
}

# Another state directory's lab has the names and the addresses that this one would take.
refuse_foreign_lab() {
    local other
    other=$(docker ps --all --filter "label=$LABEL.state" --format "{{.Label \"$LABEL.state\"}}" | head -n 1)
    [[ -z $other || $other == "$LAB_STATE" ]] ||
        die "this engine runs a lab with state in $other: use HOMELAB_LAB_DIR=$other, or bring that one down"
}

ensure_hosts() {
    local host number hosts=()
    for ((number = 1; number <= $1; number++)); do hosts+=("lab$number"); done
    mapfile -t hosts < <({ printf '%s\n' "${hosts[@]}"; all_hosts; } | sort -Vu)
    choose_privileges
    HOST_RECIPE=$(recipe_of host)
    NETWORK_PREFIX=$(prefix_of_network)
    RUNNING=$(docker ps --filter "label=$LABEL.host" --format "{{.Names}} {{.Label \"$IMAGE_LABEL.recipe\"}}")
    for host in "${hosts[@]}"; do ensure_host_key "$host"; done
    write_known_hosts
    parallel ensure_host "${hosts[@]}" || die "not every host came up"
}

# Most engines can give a container everything. Where one capability is missing --privileged is refused, and this
# list is what dockerd and runc need of it.
choose_privileges() {
    local file=$LAB_STATE/privileges
    if [[ ! -s $file ]]; then
        if docker run --rm --label "$LABEL.state=$LAB_STATE" --privileged --entrypoint true "$IMAGE/host" 2>"$LAB_STATE/log/privileged.log"; then
            echo --privileged
        else
            printf '%s\n' --cap-add=ALL --cap-drop=SYS_RESOURCE --security-opt=seccomp=unconfined \
                --security-opt=apparmor=unconfined --security-opt=systempaths=unconfined '--device-cgroup-rule=a *:* rwm'
        fi >"$file"
    fi
    mapfile -t PRIVILEGES <"$file"
}

# The keys are the state directory's, so that a host made anew is still the host that known_hosts knows.
ensure_host_key() {
    local directory=$LAB_STATE/hosts/$1
    [[ -s $directory/authorized_keys ]] && return
    mkdir -p "$directory"
    rm -f "$directory"/ssh_host_*
    ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$directory/ssh_host_ed25519_key"
    cp "$LAB_KEY.pub" "$directory/authorized_keys"
}

ensure_host() {
    local host=$1 container
    container=$(container_of "$host")
    if ! grep -qx "$container $HOST_RECIPE" <<<"$RUNNING"; then
        docker rm -f "$container" >/dev/null 2>&1 || true
        create_host "$host" || return
    elif ! ssh_to lab "$host" docker version >/dev/null 2>&1; then
        revive_host "$host" || return
    fi
    wait_for_host "$host"
}

create_host() {
    local host=$1 container extra=() number=${1#lab} log=$LAB_STATE/log/create-$1.log
    container=$(container_of "$host")
    [[ $host != lab1 ]] || extra=(--env LAB_GPU=1)
    docker volume create --label "$LABEL" "$container" >/dev/null
    docker run --detach --name "$container" --hostname "$host" --label "$LABEL.host=$host" \
        --label "$LABEL.state=$LAB_STATE" "${PRIVILEGES[@]}" "${extra[@]}" \
        --network "$NETWORK" --ip "$NETWORK_PREFIX.$((FIRST_HOST_NUMBER - 1 + number))" \
        --add-host "registry.lab:$NETWORK_PREFIX.$REGISTRY_NUMBER" --tmpfs /run:exec,mode=755 \
        --volume "$container:/var/lib/docker" --volume "$LAB_STATE/hosts/$host:/etc/ssh/lab:ro" \
        --volume "$LAB_STATE/models:/srv/models:ro" "$IMAGE/host" >"$log" 2>&1 && return
    tail -n 5 "$log" >&2
    say "$host was not made"
    return 1
}

wait_for_host() {
    local host=$1
    poll 60 ssh_to lab "$host" docker version && return
    docker logs --tail 5 "$(container_of "$host")" >&2 || true
    ssh_to lab "$host" docker version >&2 || true
    say "$host does not answer"
    return 1
}

ssh_to() {
    local user=$1 host=$2
    shift 2
    ssh -i "$LAB_KEY" -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=5 -o LogLevel=ERROR \
        -o UserKnownHostsFile="$LAB_KNOWN_HOSTS" -o StrictHostKeyChecking=yes \
        "$user@$(address_of "$host")" "$@"
}

pull_images() {
    local name started=$SECONDS
    for name in $(images_of "$1"); do
        docker exec "$(container_of "$1")" docker pull --quiet "$REGISTRY/${SERVED[$name]}" >/dev/null || return
    done
    say "$1 has every image ($((SECONDS - started)) s)"
}

cmd_down() {
    local purge=''
    [[ ${1:-} != --purge ]] || purge=1
    lock
    if engine_answers; then
        docker ps --all --quiet --filter "label=$LABEL.state" | xargs -r docker rm --force --volumes >/dev/null
        docker network ls --quiet --filter "label=$LABEL" | xargs -r docker network rm >/dev/null
        if [[ -n $purge ]]; then
            docker volume ls --quiet --filter "label=$LABEL" | xargs -r docker volume rm >/dev/null
            # Other labs go on with the images.
            [[ $LAB_NAME != "$DEFAULT_NAME" ]] || remove_images
        fi
    fi
    [[ -z $purge ]] || rm -rf "$LAB_STATE"
    say "lab is down"
}

remove_images() {
    docker image ls --format '{{.Repository}}:{{.Tag}}' "$IMAGE/*" | xargs -r docker rmi >/dev/null
    docker image prune --force --filter "label=$IMAGE_LABEL" >/dev/null
}

cmd_reset() {
    local host hosts=("$@")
    (($#)) || mapfile -t hosts < <(all_hosts)
    for host in "${hosts[@]}"; do require_host "$host"; done
    parallel reset_host "${hosts[@]}" || die "not every host is reset"
}

reset_host() {
    local container
    container=$(container_of "$1")
    if ! revive_host "$1" || ! docker exec "$container" lab-reset; then
        say "$1 is not reset"
        return 1
    fi
}

# Whatever a test did to it: the host runs, and so do its sshd and dockerd.
revive_host() {
    local container
    container=$(container_of "$1")
    docker unpause "$container" >/dev/null 2>&1 || true
    docker start "$container" >/dev/null && docker exec "$container" lab-revive
}

cmd_status() {
    engine_answers || die "no Docker engine answers: run \`lab up\`"
    network_exists || die "the lab is down: run \`lab up\`"
    docker ps --all --filter "label=$LABEL.state" --format '{{.Names}}\t{{.Status}}' | sort -V
}

cmd_ssh() {
    local user=lab host
    if [[ ${1:-} == --user ]]; then
        user=${2:?}
        shift 2
    fi
    host=${1:-}
    require_host "$host"
    shift
    ssh_to "$user" "$host" "$@"
}

cmd_ip() { address_of "${1:-}"; }

cmd_stop() {
    require_host "${1:-}"
    docker stop -t 1 "$(container_of "$1")" >/dev/null
}

cmd_start() {
    require_host "${1:-}"
    docker start "$(container_of "$1")" >/dev/null
    if is_bare "$1"; then wait_for_bare_host "$1"; else wait_for_host "$1"; fi
}

cmd_docker_stop() {
    local how=stop
    if [[ ${1:-} == --kill ]]; then
        how='kill'
        shift
    fi
    require_host "${1:-}"
    docker exec "$(container_of "$1")" lab-dockerd "$how"
}

cmd_docker_start() {
    require_host "${1:-}"
    docker exec "$(container_of "$1")" lab-dockerd start
}

# Packets of the lab's network vanish; inside, the host goes on. Done twice it is as done once.
cmd_cut() {
    cmd_mend "$1"
    change_cable "$1" -I
}

cmd_mend() {
    require_host "${1:-}"
    while change_cable "$1" -D 2>/dev/null; do :; done
}

# $2 is -I to pull the cable, -D to put it back.
change_cable() {
    docker exec "$(container_of "$1")" sh -c '
        iptables -t raw "$1" PREROUTING -i eth0 -j DROP &&
        iptables -t mangle "$1" POSTROUTING -o eth0 -j DROP' sh "$2"
}
