# shellcheck shell=bash
# The lab's network: internal, so that no host can send anything past the lab's own addresses.

readonly FIRST_SUBNET=77 LAST_SUBNET=99

ensure_network() {
    local third
    network_exists && return
    for ((third = FIRST_SUBNET; third <= LAST_SUBNET; third++)); do
        subnet_is_routed "172.30.$third.0/24" && continue
        docker network create --driver bridge --internal --label "$LABEL" \
            --subnet "172.30.$third.0/24" --opt com.docker.network.driver.mtu=1400 \
            "$NETWORK" >/dev/null 2>>"$LAB_STATE/log/network.log" && return
    done
    die "no free subnet in 172.30.$FIRST_SUBNET-$LAST_SUBNET.0/24; see $LAB_STATE/log/network.log"
}

network_exists() { docker network inspect "$NETWORK" >/dev/null 2>&1; }

# Does a route of this machine, other than the default one, overlap the subnet?
subnet_is_routed() {
    python3 - "$1" <<'PYTHON'
import ipaddress, struct, sys

wanted = ipaddress.ip_network(sys.argv[1])
for line in open("/proc/net/route").readlines()[1:]:
    field = line.split()
    address, mask = (ipaddress.ip_address(struct.pack("<L", int(field[i], 16))) for i in (1, 7))
    route = ipaddress.ip_network(f"{address}/{mask}")
    if route.prefixlen and route.overlaps(wanted):
        sys.exit(0)
sys.exit(1)
PYTHON
}

# The first three bytes of the lab's addresses, like 172.30.77
prefix_of_network() {
    local subnet
    subnet=$(docker network inspect --format '{{(index .IPAM.Config 0).Subnet}}' "$NETWORK" 2>/dev/null) ||
        die "the lab is not up: run \`lab up\`"
    printf '%s\n' "${subnet%.*}"
}

readonly REGISTRY_NUMBER=10 FIRST_HOST_NUMBER=11 BEFORE_BARE=200

registry_address() { printf '%s.%d\n' "$(prefix_of_network)" $REGISTRY_NUMBER; }

# lab1 -> 172.30.77.11, bare12 -> 172.30.77.212
address_of() {
    if is_bare "$1"; then
        printf '%s.%d\n' "$(prefix_of_network)" $((BEFORE_BARE + ${1#bare}))
        return
    fi
    [[ $1 =~ ^lab([1-9][0-9]{0,2})$ ]] || die "no such host: $1 (hosts are lab1, lab2, ...)"
    printf '%s.%d\n' "$(prefix_of_network)" $((FIRST_HOST_NUMBER - 1 + BASH_REMATCH[1]))
}
