export LC_ALL=C
models=${OLLAMA_MODELS:-/root/.ollama/models}

# Opens a connection to $1, HOST:PORT. There may be no curl (the image has none), but bash opens connections.
opens() { { exec 3<>"/dev/tcp/${1%:*}/${1##*:}"; } 2>/dev/null; }

# Asks the server at $1; $2 is the path, $3 the JSON. HTTP 1.0: what comes back is plain lines, and ends with the
# connection. Each line of the answer goes to $4, a function; false if there is no answer, or another one than 200.
ask() {
  local line status
  opens "$1" || return 1
  printf 'POST %s HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' \
    "$2" "${#3}" "$3" >&3
  IFS= read -r status <&3
  while IFS= read -r line <&3 && [ "${line%$'\r'}" ]; do :; done
  while IFS= read -r line <&3 || [ "$line" ]; do "$4" "$line"; done
  exec 3>&-
  [[ $status == *" 200 "* ]]
}

quiet() { :; }

# What an answer says went wrong. It may do so after a 200, in the middle of its lines.
error=
note() {
  if [[ $1 =~ \"error\":\"(.*)\" ]]; then
    error=${BASH_REMATCH[1]//\\\"/\"}
    error=${error//\\n/ }
  fi
}

# Waits until the server at $1 takes connections; false if the process $2 has ended before.
comes_up() {
  until opens "$1"; do
    kill -0 "$2" 2>/dev/null || return 1
    sleep 0.1
  done
  exec 3>&-
}
# Gives each model its name and its parameters, then is the server. A server of its own does the first where nobody
# reaches it: whoever finds the real one answering finds every name there. The definitions of an earlier version are
# laid over, so that whatever version starts has its own. bash 3.2 must do: a Mac has no later one.
# The arguments are a file with a line for each request, and what starts the server.
requests=$1
shift

# A port that nobody is assigned (RFC 6335) and nobody has.
first=
until [ "$first" ] && ! opens "$first"; do first=127.0.0.1:$((49152 + RANDOM % 16384)); done
log=$(mktemp)
OLLAMA_HOST=$first OLLAMA_NOPRUNE=1 CUDA_VISIBLE_DEVICES=-1 ROCR_VISIBLE_DEVICES=-1 \
  GGML_VK_VISIBLE_DEVICES=-1 "$@" >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; rm -f "$log"; exit 143' TERM INT
if ! comes_up "$first" "$server"; then
  cat "$log"
  rm -f "$log"
  exit 1
fi
while read -r verb path json; do
  [ "$verb" = create ] || continue
  [[ $json =~ \"model\":\"([^\"]*)\" ]] && name=${BASH_REMATCH[1]}
  echo "homelab: defining $name"
  error=
  if ! ask "$first" "$path" "$json" note || [ "$error" ]; then
    echo "homelab: $name could not be defined: ${error:-no answer}"
  fi
done <"$requests"
kill "$server"
wait "$server" 2>/dev/null
rm -f "$log"
trap - TERM INT

# What is to be loaded at the start, whoever starts it; requests that come meanwhile wait their turn.
host=${OLLAMA_HOST%:*}
host=${host#\[}
host=${host%\]}
case $host in 0.0.0.0 | ::) host=127.0.0.1 ;; esac
at=$host:${OLLAMA_HOST##*:}
(
  comes_up "$at" "$$" || exit
  while read -r verb path json; do
    [ "$verb" = load ] || continue
    error=
    ask "$at" "$path" "$json" note || echo "homelab: a model could not be loaded: ${error:-no answer}"
  done <"$requests"
) &
exec "$@"
