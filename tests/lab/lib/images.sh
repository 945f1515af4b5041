# shellcheck shell=bash
# The images that the lab's registry serves, and the registry itself.

# recipe -> what it is called in the registry
declare -rA SERVED=(
    [pause]=pause:1
    [llama]=llama.cpp:server
    [llama-broken]=llama.cpp:broken
    [ollama]=ollama/ollama:0.33.0-standin
    [litellm]=litellm:latest-lab
    [caddy]=caddy:2-lab
    [prometheus]=prometheus:v2.53
    [node-exporter]=node-exporter:v1.9
    [vllm]=vllm/vllm-openai-cpu:v0.32.0
)
SERVED_ORDER=(pause llama llama-broken ollama litellm caddy prometheus node-exporter)
# Built when asked for, since it is large, and pulled by the hosts that test with it.
readonly OPTIONAL=(vllm) OPTIONAL_HOSTS=(lab1 lab2)

cmd_images() {
    while (($#)); do
        case $1 in
            --with) with "${2:-}" && shift ;;
            *) die "images: what is $1?" ;;
        esac
        shift
    done
    lock
    ensure_engine
    ensure_registry
    ensure_served_images
    ! is_wanted vllm || ensure_vllm_models
}

# with NAME: the optional image NAME is one of those to serve; or the bare hosts are wanted.
with() {
    [[ $1 != bare ]] || { BARE=1 && return; }
    [[ -n $1 && " ${OPTIONAL[*]} " == *" $1 "* ]] || die "--with takes one of: ${OPTIONAL[*]} bare"
    SERVED_ORDER+=("$1")
}

is_wanted() { [[ " ${SERVED_ORDER[*]} " == *" $1 "* ]]; }

# images_of HOST: the recipes of what it pulls.
images_of() {
    local name
    for name in "${SERVED_ORDER[@]}"; do
        [[ " ${OPTIONAL[*]} " == *" $name "* && " ${OPTIONAL_HOSTS[*]} " != *" $1 "* ]] || printf '%s\n' "$name"
    done
}

# The registry is on the lab's network for the hosts. For the push it is also on a loopback port, since Docker
# trusts a registry without TLS only there.
ensure_registry() {
    local name=${PREFIX}registry
    ensure_image registry
    ensure_network
    if [[ $(docker container inspect --format '{{.State.Running}} {{.Config.Labels}}' "$name" 2>/dev/null) == \
        "true "*"$(recipe_of registry)"* ]]; then
        return
    fi
    docker rm -f "$name" >/dev/null 2>&1 || true
    docker volume create --label "$LABEL" "$name" >/dev/null
    docker create --name "$name" --hostname registry --label "$LABEL.state=$LAB_STATE" --publish 127.0.0.1::5000 \
        --volume "$name:/var/lib/registry" "$IMAGE/registry" >/dev/null
    docker network connect --ip "$(registry_address)" "$NETWORK" "$name"
    docker start "$name" >/dev/null
    poll 20 curl -fsS --noproxy '*' "http://$(push_address)/v2/" || die "the registry does not answer"
}

push_address() { docker port "${PREFIX}registry" 5000/tcp | head -n 1; }

ensure_served_images() {
    local name
    for name in "${SERVED_ORDER[@]}"; do
        is_served "$name" || serve "$name"
    done
}

# pushed/NAME holds the recipe and the digest of the last push: when the registry still has that digest under
# that name, nothing needs to be built, not even the local image.
is_served() {
    local digest
    digest=$(digest_in_registry "${SERVED[$1]}")
    [[ -n $digest && $(cat "$LAB_STATE/pushed/$1" 2>/dev/null) == "$(recipe_of "$1") $digest" ]]
}

digest_in_registry() {
    local reference=$1
    curl -sS --noproxy '*' --head --header 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
        --header 'Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json' \
        "http://$(push_address)/v2/${reference%:*}/manifests/${reference#*:}" |
        tr -d '\r' | sed -n 's/^Docker-Content-Digest: //Ip'
}

serve() {
    local name=$1 reference=${SERVED[$1]} target log=$LAB_STATE/log/push-$1.log started
    ensure_image "$name"
    started=$SECONDS
    target=$(push_address)/$reference
    say "pushing $reference"
    docker tag "$IMAGE/$name" "$target"
    docker push "$target" >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        die "$reference was not pushed; see $log"
    }
    docker rmi "$target" >/dev/null
    printf '%s %s\n' "$(recipe_of "$name")" "$(digest_in_registry "$reference")" >"$LAB_STATE/pushed/$name"
    say "pushed $reference in $((SECONDS - started)) s"
}
