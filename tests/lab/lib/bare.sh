# shellcheck shell=bash
# Bare hosts: Debian with systemd, sshd and sudo as an installer leaves it, and no Docker. Made when asked for.
# They carry a label of their own, so that what is done to all hosts of the lab is not done to them.

declare -rA SUITES=([bare12]=bookworm [bare13]=trixie)
readonly APT_PORT=3142

is_bare() { [[ -n ${SUITES[${1:-}]:-} ]]; }

bare_hosts() {
    docker ps --all --filter "label=$LABEL.bare" --format "{{.Label \"$LABEL.bare\"}}" | sort -V
}

ensure_bare_hosts() {
    local host
    ensure_apt
    choose_privileges
    NETWORK_PREFIX=$(prefix_of_network)
    for host in "${!SUITES[@]}"; do
        ensure_bare_image "$host"
        ensure_host_key "$host"
    done
    write_known_hosts
    RUNNING=$(docker ps --filter "label=$LABEL.bare" --format "{{.Names}} {{.Label \"$IMAGE_LABEL.recipe\"}}")
    parallel ensure_bare_host "${!SUITES[@]}" || die "not every bare host came up"
    say "bare hosts answer: $(bare_hosts | xargs)"
}

ensure_bare_image() {
    local name=$1 log=$LAB_STATE/log/build-$1.log recipe started=$SECONDS
    recipe=$(recipe_of bare)
    [[ $(built_from "$name") == "$recipe" ]] && return
    say "building $name"
    need mmdebstrap mmdebstrap
    "$LAB_SRC/images/bare/build" "${SUITES[$name]}" "$(debian_mirror)" 2>"$log" 9>&- |
        docker import --change "LABEL $IMAGE_LABEL= $IMAGE_LABEL.recipe=$recipe" --change 'ENTRYPOINT ["/usr/local/sbin/entry"]' \
            - "$IMAGE/$name" >>"$log" 2>&1 || {
        docker rmi --force "$IMAGE/$name" >/dev/null 2>&1
        build_failed "$name" "$log"
    }
    docker image prune --force --filter "label=$IMAGE_LABEL" >/dev/null
    say "built $name in $((SECONDS - started)) s"
}

ensure_bare_host() {
    grep -qx "$(container_of "$1") $(recipe_of bare)" <<<"$RUNNING" || create_bare_host "$1" || return
    wait_for_bare_host "$1"
}

create_bare_host() {
    local host=$1 container log=$LAB_STATE/log/create-$1.log
    container=$(container_of "$host")
    docker rm --force --volumes "$container" >/dev/null 2>&1 || true
    docker run --detach --name "$container" --hostname "$host" --label "$LABEL.bare=$host" --env LAB_NAME="$LAB_NAME" \
        --label "$LABEL.state=$LAB_STATE" "${PRIVILEGES[@]}" --network "$NETWORK" --ip "$(address_of "$host")" \
        --add-host "registry.lab:$NETWORK_PREFIX.$REGISTRY_NUMBER" --add-host "apt.lab:$NETWORK_PREFIX.1" \
        --tmpfs /run:exec,mode=755 --tmpfs /tmp --volume /var/lib/docker \
        --volume "$LAB_STATE/hosts/$host:/etc/ssh/lab:ro" --volume "$LAB_STATE/models:/srv/models:ro" \
        "$IMAGE/$host" >"$log" 2>&1 && return
    tail -n 5 "$log" >&2
    say "$host was not made"
    return 1
}

wait_for_bare_host() {
    poll 60 ssh_to lab "$1" true && return
    docker logs --tail 5 "$(container_of "$1")" >&2 || true
    say "$1 does not answer"
    return 1
}

# The hosts have no way out. On this machine's own network, and on the lab's side only, a cache of the one mirror
# listens for them.
ensure_apt() {
    local name=${PREFIX}apt address
    ensure_image apt
    ensure_network
    address=$(prefix_of_network).1
    if [[ $(docker container inspect --format '{{.State.Running}} {{.Config.Labels}}' "$name" 2>/dev/null) != \
        "true "*"$(recipe_of apt)"* ]]; then
        docker rm --force "$name" >/dev/null 2>&1 || true
        docker volume create --label "$LABEL" "$name" >/dev/null
        docker run --detach --name "$name" --label "$LABEL.state=$LAB_STATE" --network host \
            --volume "$name:/var/cache/apt-cacher-ng" "$IMAGE/apt" BindAddress="$address" Port=$APT_PORT \
            "Remap-debian=/debian ; $(debian_mirror)" >/dev/null
    fi
    poll 20 curl -sS --noproxy '*' "http://$address:$APT_PORT/" || die "the cache of packages does not answer"
}

# As its installer left it, whatever was done to it.
cmd_renew() {
    local host
    (($#)) || die "renew: which bare host?"
    for host; do
        is_bare "$host" || die "renew: $host is no bare host (those are: ${!SUITES[*]})"
        require_host "$host"
    done
    choose_privileges
    NETWORK_PREFIX=$(prefix_of_network)
    write_known_hosts
    parallel renew_bare_host "$@" || die "not every host came up"
}

renew_bare_host() { create_bare_host "$1" && wait_for_bare_host "$1"; }
