# Lets the server itself download what it is told to serve: it is what knows which files of a repository that
# is. It is ready only when it has all of them and could read them, and ends then.
# $1 is where the hub's files lie, $2 the repositories; the rest is the server with its arguments.
set -f
cache=$1
repositories=$2
shift 2
"$@" &
server=$!

folder() {
  printf '%s/models--%s' "$cache" "$1" | sed 's,/\([^/]*\)$,--\1,'
}

# The sizes of all files that the hub has. The token must stand in no list of processes.
sizes=$(for repository in $repositories; do
  if [ -n "$HF_TOKEN" ]; then printf 'header = "Authorization: Bearer %s"\n' "$HF_TOKEN"; fi |
    curl -sfL -m 30 -K - "${HF_ENDPOINT:-https://huggingface.co}/api/models/$repository/tree/main?recursive=true" |
    tr '{' '\n' | sed -n 's/^"oid": *"\([0-9a-f]*\)",[^}]*"size": *\([0-9]*\).*/:\1 \2/p'
done)

size_of() {
  case $sizes in
    *":$1 "*) rest=${sizes#*":$1 "}; printf %s "${rest%%[!0-9]*}" ;;
    *) printf 0 ;;
  esac
}

seen=
while kill -0 "$server" 2>/dev/null; do
  if curl -sf -m 5 -o /dev/null http://127.0.0.1:8080/health; then
    for repository in $repositories; do
      there=$(folder "$repository")
      commit=$(cat "$there/refs/main" 2>/dev/null)
      if [ -n "$commit" ] && [ -d "$there/snapshots/$commit" ]; then
        echo "homelab: snapshot $there/snapshots/$commit"
      fi
    done
    kill "$server"
    exit 0
  fi
  known=$seen
  for repository in $repositories; do
    set +f
    for part in "$(folder "$repository")"/blobs/*.downloadInProgress; do
      blob=${part%.downloadInProgress}
      case " $seen" in
        *" $blob "*) ;;
        *) if [ -e "$part" ]; then seen="$seen$blob "; fi ;;
      esac
    done
    set -f
  done
  have=0
  total=0
  unknown=
  for blob in $seen; do
    size=$(size_of "${blob##*/}")
    if [ "$size" = 0 ]; then unknown=yes; fi
    part=$(stat -c %s "$blob.downloadInProgress" 2>/dev/null || stat -c %s "$blob" 2>/dev/null || echo 0)
    have=$((have + part))
    total=$((total + size))
  done
  # Where the hub tells no size, there is no telling how far it is.
  if [ -n "$unknown" ]; then total=0; fi
  if [ -n "$seen" ]; then echo "homelab: progress $have $total"; fi
  if [ "$seen" != "$known" ]; then
    free=$(df -Pk "$cache" | tail -n 1 | { read -r _ _ _ free _; echo "$free"; })
    if [ $((total - have)) -gt $((free * 1024)) ]; then
      echo "homelab: full $((total - have)) $((free * 1024))"
      kill "$server"
      exit 28
    fi
  fi
  sleep 1
done
wait "$server"
code=$?
if [ "$code" = 0 ]; then code=1; fi
exit "$code"
