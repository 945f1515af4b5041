# Lets a server of the same image pull what the service needs: it is what knows how. Nobody reaches it, and it ends
# when all is there. What serves has its own server on the same directory; nothing of that is pruned.
# The arguments are a model and where its manifest comes to lie, and so on.
at=127.0.0.1:11434
OLLAMA_HOST=$at OLLAMA_NOPRUNE=1 ollama serve >/tmp/homelab.log 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null' EXIT
trap 'exit 143' TERM INT
if ! comes_up "$at" "$server"; then
  cat /tmp/homelab.log
  exit 1
fi

# Bytes by layer, of all models. A layer that was there counts for neither.
declare -A have size
done=0
total=0
full=
last=
take() {
  note "$1"
  local layer there bytes free news
  [[ $1 =~ \"digest\":\"([^\"]*)\" ]] || return
  layer=${BASH_REMATCH[1]}
  [[ $1 =~ \"total\":([0-9]+) ]] || return
  bytes=${BASH_REMATCH[1]}
  there=0
  [[ $1 =~ \"completed\":([0-9]+) ]] && there=${BASH_REMATCH[1]}
  if [ -z "${size[$layer]}" ]; then
    if [ "$there" -ge "$bytes" ]; then return; fi
    free=$(df -Pk "$models" | tail -n 1 | { read -r _ _ _ free _; echo "$free"; })
    if [ $((bytes - there)) -gt $((free * 1024)) ]; then
      full="$((bytes - there)) $((free * 1024))"
      echo "homelab: full $full"
      kill "$server"
    fi
    size[$layer]=$bytes
    total=$((total + bytes))
  fi
  done=$((done + there - ${have[$layer]:-0}))
  have[$layer]=$there
  # Ollama tells more often than anybody reads.
  news=$((done * 200 / total))
  if [ "$news" != "$last" ]; then
    last=$news
    echo "homelab: progress $done $total"
  fi
}

while [ $# -gt 1 ]; do
  model=$1
  manifest=$models/manifests/$2
  shift 2
  if ! ask "$at" /api/show "{\"model\":\"$model\"}" quiet; then
    echo "pulling $model"
    error=
    ask "$at" /api/pull "{\"model\":\"$model\"}" take
    code=$?
    if [ "$full" ]; then exit 28; fi
    if [ "$code" != 0 ] || [ "$error" ]; then
      echo "$model: ${error:-the server ended}"
      if [ -z "$error" ]; then tail -n 20 /tmp/homelab.log; fi
      exit 1
    fi
  fi
  if [ -e "$manifest" ]; then echo "homelab: snapshot $manifest"; fi
done
