# shellcheck shell=bash
# Files for ssh and for homelab, written from what the lab is.

readonly INVENTORY=$LAB_STATE/inventory/inventory.yml
readonly MODEL_IN_CONTAINER=/models/gemma-3-270m.gguf

# Every host that has a key, also one that was not made yet this time.
write_known_hosts() {
    local directory host
    for directory in "$LAB_STATE"/hosts/*/; do
        host=$(basename "$directory")
        printf '%s,%s %s\n' "$(address_of "$host")" "$host" "$(cut -d' ' -f1,2 "$directory/ssh_host_ed25519_key.pub")"
    done | write_if_changed "$LAB_KNOWN_HOSTS"
}

cmd_inventory() {
    write_inventory
    printf '%s\n' "$INVENTORY"
}

write_inventory() {
    local directory
    directory=$(dirname "$INVENTORY")
    {
        printf 'all:\n  vars:\n    ansible_user: lab\n    ansible_ssh_private_key_file: %s\n' "$LAB_KEY"
        printf '    ansible_ssh_common_args: "-o UserKnownHostsFile=%s"\n  children:\n' "$LAB_KNOWN_HOSTS"
        inventory_group inference lab1 lab2
        inventory_group gateway lab3
    } | write_if_changed "$INVENTORY"
    model_vars gemma-small | write_if_changed "$directory/host_vars/lab1.yml"
    model_vars gemma-tiny | write_if_changed "$directory/host_vars/lab2.yml"
    gateway_vars | write_if_changed "$directory/group_vars/gateway.yml"
}

inventory_group() {
    local host
    printf '    %s:\n      hosts:\n' "$1"
    shift
    for host in "$@"; do
        printf '        %s:\n          ansible_host: %s\n' "$host" "$(address_of "$host")"
    done
}

model_vars() {
    cat <<YAML
models:
  $1:
    engine: llama_cpp
    image: $REGISTRY/${SERVED[llama]}
    model: $MODEL_IN_CONTAINER
    port: 8001
    gpu: none
    ctx_size: 2048
    parallel: 1
    threads: 1
    volumes: ["/srv/models:/models:ro"]
YAML
}

gateway_vars() {
    cat <<YAML
gateway:
  engine: litellm
  image: $REGISTRY/${SERVED[litellm]}
  port: 4000
  fallbacks:
    gemma-small: [gemma-tiny]
YAML
}

cmd_env() {
    local prefix host
    prefix=$(prefix_of_network)
    cat <<ENV
LAB_NAME=$LAB_NAME
LAB_STATE=$LAB_STATE
LAB_KEY=$LAB_KEY
LAB_KNOWN_HOSTS=$LAB_KNOWN_HOSTS
LAB_INVENTORY=$INVENTORY
LAB_SUBNET=$prefix.0/24
LAB_GATEWAY_ADDRESS=$prefix.1
LAB_REGISTRY=$REGISTRY
LAB_REGISTRY_ADDRESS=$prefix.$REGISTRY_NUMBER:5000
LAB_REGISTRY_PUSH=$(push_address)
LAB_IMAGE_LLAMA=$REGISTRY/${SERVED[llama]}
LAB_IMAGE_LLAMA_BROKEN=$REGISTRY/${SERVED[llama-broken]}
LAB_IMAGE_LITELLM=$REGISTRY/${SERVED[litellm]}
LAB_IMAGE_CADDY=$REGISTRY/${SERVED[caddy]}
LAB_IMAGE_PAUSE=$REGISTRY/${SERVED[pause]}
LAB_IMAGE_PROMETHEUS=$REGISTRY/${SERVED[prometheus]}
LAB_IMAGE_NODE_EXPORTER=$REGISTRY/${SERVED[node-exporter]}
LAB_IMAGE_VLLM=$REGISTRY/${SERVED[vllm]}
LAB_MODELS_DIR=/srv/models
LAB_MODEL=$MODEL_IN_CONTAINER
LAB_HOSTS=$(all_hosts | paste -sd,)
ENV
    for host in $(all_hosts) $(bare_hosts); do printf 'LAB_ADDRESS_%s=%s\n' "$host" "$(address_of "$host")"; done
}
