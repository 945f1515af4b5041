# shellcheck shell=bash
# Building an image when its recipe, images/NAME/, is not the one it was built from.
#
# The recipe's hash covers its files and, through the FROM line, its parent's. What differs between machines
# (mirror, certificates, pip's settings) is left out: it does not change what is built.

readonly IMAGE=$DEFAULT_NAME
readonly CA_BUNDLES=(/etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem)

parent_of() {
    local dockerfile=$LAB_SRC/images/$1/Dockerfile
    [[ ! -e $dockerfile ]] || sed -n "s|^FROM $IMAGE/\\([a-z-]*\\).*|\\1|p" "$dockerfile" | tail -n 1
}

recipe_of() {
    local parent
    parent=$(parent_of "$1")
    {
        [[ -z $parent ]] || recipe_of "$parent"
        cd "$LAB_SRC/images/$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    } | sha256sum | cut -c1-16
}

built_from() { docker image inspect --format "{{index .Config.Labels \"$IMAGE_LABEL.recipe\"}}" "$IMAGE/$1" 2>/dev/null; }

# ensure_image NAME: homelab-testlab/NAME is there, made from today's recipe.
ensure_image() {
    local name=$1 recipe parent started
    recipe=$(recipe_of "$name")
    [[ $(built_from "$name") == "$recipe" ]] && return
    parent=$(parent_of "$name")
    [[ -z $parent ]] || ensure_image "$parent"
    say "building $name"
    started=$SECONDS
    if [[ $name == base ]]; then import_base "$recipe"; else build "$name" "$recipe"; fi
    docker image prune --force --filter "label=$IMAGE_LABEL" >/dev/null
    say "built $name in $((SECONDS - started)) s"
}

import_base() {
    local log=$LAB_STATE/log/build-base.log mirror ca_bundle
    need mmdebstrap mmdebstrap
    mirror=$(debian_mirror)
    ca_bundle=$(machine_ca_bundle)
    "$LAB_SRC/images/base/build" "$mirror" "$ca_bundle" 2>"$log" 9>&- |
        docker import --change "LABEL $IMAGE_LABEL= $IMAGE_LABEL.recipe=$1" - "$IMAGE/base" >>"$log" 2>&1 || {
        # Half a Debian is imported as readily as a whole one.
        docker rmi --force "$IMAGE/base" >/dev/null 2>&1
        build_failed base "$log"
    }
}

# The classic builder is in every engine; it gets the host's network, since a bridge may have no way to the
# packages.
build() {
    local name=$1 recipe=$2 log=$LAB_STATE/log/build-$1.log context arguments
    context=$(mktemp -d "$LAB_STATE/build.XXXXXX")
    cp -r "$LAB_SRC/images/$name/." "$context/"
    cp "$(machine_ca_bundle)" "$context/ca-certificates.crt"
    mapfile -t arguments < <(build_arguments)
    DOCKER_BUILDKIT=0 docker build --network host --force-rm --label "$IMAGE_LABEL=" --label "$IMAGE_LABEL.recipe=$recipe" \
        "${arguments[@]}" --tag "$IMAGE/$name" "$context" >"$log" 2>&1 9>&- || {
        rm -rf "$context"
        build_failed "$name" "$log"
    }
    rm -rf "$context"
}

build_failed() {
    tail -n 15 "$2" >&2
    die "the image $1 was not built; see $2"
}

# Where this machine's apt gets Debian from; trixie is taken from the same place.
debian_mirror() {
    local mirror=${HOMELAB_LAB_MIRROR:-}
    [[ -n $mirror ]] || mirror=$(mirror_of_apt)
    if [[ -z $mirror ]] && ((EUID == 0)); then
        apt_get update
        mirror=$(mirror_of_apt)
    fi
    [[ -n $mirror ]] || die "apt names no Debian mirror: set HOMELAB_LAB_MIRROR"
    printf '%s\n' "${mirror%/}"
}

# Reads every shape that apt's sources may have. Origins are known after an `apt-get update` only.
mirror_of_apt() {
    # shellcheck disable=SC2016 # apt's own placeholders
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 2>/dev/null |
        awk '$1 == "Debian" && $2 == "Debian" && !mirror { mirror = $3 } END { print mirror }'
}

machine_ca_bundle() {
    local bundle
    for bundle in "${SSL_CERT_FILE:-}" "${CA_BUNDLES[@]}"; do
        [[ -s $bundle ]] && printf '%s\n' "$bundle" && return
    done
    die "no bundle of CA certificates found; set SSL_CERT_FILE"
}

# This machine's way to packages, for the build only: --build-arg is not kept in the image's environment.
build_arguments() {
    local name value
    for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
        [[ -z ${!name:-} ]] || printf '%s\n' --build-arg "$name=${!name}"
    done
    for name in index-url extra-index-url trusted-host; do
        value=$(pip_setting "$name")
        [[ -z $value ]] || printf '%s\n' --build-arg "PIP_$(tr 'a-z-' 'A-Z_' <<<"$name")=$value"
    done
}

pip_setting() {
    python3 -m pip config list 2>/dev/null | sed -n "s/^\\(global\\|install\\|:env:\\)\\.$1='\\(.*\\)'\$/\\2/p" | tail -n 1
}
