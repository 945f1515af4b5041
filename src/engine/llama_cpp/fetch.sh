# Lets the server itself download what it is told to serve: it is what knows which files of a repository that
# is. It is ready only when it has all of them and could read them, and ends then. Of a repository that is pinned
# this puts the files of that commit into the cache first, and the server, which is offline then, has to find them there.
# $1 is where the hub's files lie, $2 the repositories, each as USER/REPO or USER/REPO[:QUANT]@COMMIT; the rest is the
# server with its arguments.
set -f
cache=$1
repositories=$2
shift 2
endpoint=${HF_ENDPOINT:-https://huggingface.co}
endpoint=${endpoint%/}

folder() {
  name=${1%@*}
  printf '%s/models--%s' "$cache" "${name%%:*}" | sed 's,/\([^/]*\)$,--\1,'
}

# The token must stand in no list of processes.
get() {
  if [ -n "$HF_TOKEN" ]; then printf 'header = "Authorization: Bearer %s"\n' "$HF_TOKEN"; fi |
    curl -sSfL --connect-timeout 30 --speed-time 60 --speed-limit 1 -K - "$@"
}

# What the hub says of the files of a repository.
listing() {
  name=${1%@*}
  case $1 in
    *@*) commit=${1##*@} ;;
    *) commit=main ;;
  esac
  get -m 30 "$endpoint/api/models/${name%%:*}/tree/$commit?recursive=true"
}

# The sizes of all files that the hub has.
sizes=$(for repository in $repositories; do
  listing "$repository" 2>/dev/null | tr '{' '\n' | sed -n 's/^"oid": *"\([0-9a-f]*\)",[^}]*"size": *\([0-9]*\).*/:\1 \2/p'
done)

size_of() {
  case $sizes in
    *":$1 "*) rest=${sizes#*":$1 "}; printf %s "${rest%%[!0-9]*}" ;;
    *) printf 0 ;;
  esac
}

# Of names with their digests, the model's of a quantisation, or the one that the server would take where none is
# typed (llama.cpp, common/download.cpp); a large one lies in several files.
model() {
  models=$(grep -v -e mmproj -e imatrix -e 'mtp-' -e 'eagle3-' -e 'dflash-' -e 'dspark-')
  first=
  for quant in ${1:-Q4_K_M Q8_0 .}; do
    if [ -z "$first" ]; then
      pattern="$quant[.-]"
      if [ "$quant" = . ]; then pattern=.; fi
      first=$(printf '%s\n' "$models" | grep -v -e '-0000[2-9]-of-' -e '-000[1-9][0-9]-of-' | grep -i -e "$pattern" | head -n 1)
    fi
  done
  case $first in
    *-00001-of-*) printf '%s\n' "$models" | grep -F -e "$(printf %s "${first#* }" | sed 's/-00001-of-.*/-/')" ;;
    *) printf '%s\n' "$first" ;;
  esac
}

# What sees belongs to it; of several the smallest numbers that are not fewer than the model's.
projector() {
  all=$(grep -e mmproj)
  for kind in q8 f16 .; do
    found=$(printf '%s\n' "$all" | grep -i -e "$kind" | head -n 1)
    if [ -n "$found" ]; then printf '%s\n' "$found"; return; fi
  done
}

# Downloads a file to where the server looks for it, from where an earlier try ended.
# Its repository with the commit, its digest, its name.
download() {
  there=$(folder "$1")
  commit=${1##*@}
  name=${1%@*}
  final=$there/snapshots/$commit/$3
  if [ -e "$final" ]; then return; fi
  blob=$there/blobs/$2
  mkdir -p "$there/blobs" "${final%/*}" || return
  if ! [ -e "$blob" ]; then
    get -C - -o "$blob.downloadInProgress" "$endpoint/${name%%:*}/resolve/$commit/$3" || return
    if [ "$(sha256sum "$blob.downloadInProgress" | cut -d ' ' -f 1)" != "$2" ]; then
      rm -f "$blob.downloadInProgress"
      echo "what arrived of $3 has not the digest that the hub has of it" >&2
      return 1
    fi
    mv "$blob.downloadInProgress" "$blob" || return
  fi
  up=$(printf %s "$3" | sed 's,[^/]*$,,; s,[^/]*/,../,g')
  ln -sf "../../${up}blobs/$2" "$final"
}

# All that is pinned.
pinned() {
  for repository in $repositories; do
    case $repository in
      *@*) ;;
      *) continue ;;
    esac
    name=${repository%@*}
    quant=
    case $name in *:*) quant=${name#*:} ;; esac
    # Why it cannot be asked says curl.
    listed=$(listing "$repository") || return
    files=$(printf '%s\n' "$listed" | tr '{' '\n' | sed -n 's,^"oid": *"\([0-9a-f]\{64\}\)".*"path": *"\([A-Za-z0-9_][A-Za-z0-9_./+-]*\.gguf\)".*,\1 \2,p' | grep -v -F -e ..)
    if [ -z "$files" ]; then
      echo "the hub has no GGUF files of ${name%%:*} at ${repository##*@}" >&2
      return 1
    fi
    if [ -n "$hf_file" ]; then
      wanted=$(printf '%s\n' "$files" | grep -i -F -e " $hf_file")
    else
      wanted=$(printf '%s\n' "$files" | model "$quant")
    fi
    if [ -n "$projector" ]; then wanted="$wanted
$(printf '%s\n' "$files" | projector)"; fi
    # Both are the model's; a draft model has neither.
    hf_file=
    projector=
    there=$(folder "$repository")
    printf '%s\n' "$wanted" | while read -r digest file; do
      if [ -n "$file" ]; then download "$repository" "$digest" "$file" || exit; fi
    done || return
    mkdir -p "$there/refs" && printf %s "${repository##*@}" >"$there/refs/main.homelab" &&
      mv "$there/refs/main.homelab" "$there/refs/main" || return
  done
}

hf_file=
projector=yes
before=
for word in "$@"; do
  if [ "$before" = --hf-file ]; then hf_file=$word; fi
  if [ "$word" = --no-mmproj ]; then projector=; fi
  before=$word
done
{ pinned && exec "$@"; } &
server=$!

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
