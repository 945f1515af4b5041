export LC_ALL=C
models=${OLLAMA_MODELS:-/root/.ollama/models}

# Asks the server on this container's own loopback; $1 is its port, $2 the path, $3 the JSON. The image has no
# curl, but bash opens connections. HTTP 1.0: what comes back is plain lines, and ends with the connection.
# Each line of the answer goes to $4, a function; false if there is no answer, or another one than 200.
ask() {
  local line status
  { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
  printf 'POST %s HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' \
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

# Waits until the server on port $1 takes connections; false if the process $2 has ended before.
comes_up() {
  until { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; do
    kill -0 "$2" 2>/dev/null || return 1
    sleep 0.1
  done
  exec 3>&-
}
# Gives each model its name and its parameters, then is the server. A server of its own does the first on a port that
# nobody reaches: whoever finds the real one answering finds every name there. The definitions of an earlier version
# are laid over, so that whatever version starts has its own. /etc/homelab/models.txt has a line for each request.
requests=/etc/homelab/models.txt

OLLAMA_HOST=127.0.0.1:11435 OLLAMA_NOPRUNE=1 CUDA_VISIBLE_DEVICES=-1 ROCR_VISIBLE_DEVICES=-1 \
  GGML_VK_VISIBLE_DEVICES=-1 ollama serve >/tmp/homelab.log 2>&1 &
first=$!
trap 'kill "$first" 2>/dev/null; exit 143' TERM INT
if ! comes_up 11435 "$first"; then
  cat /tmp/homelab.log
  exit 1
fi
while read -r verb path json; do
  [ "$verb" = create ] || continue
  [[ $json =~ \"model\":\"([^\"]*)\" ]] && name=${BASH_REMATCH[1]}
  echo "homelab: defining $name"
  error=
  if ! ask 11435 "$path" "$json" note || [ "$error" ]; then
    echo "homelab: $name could not be defined: ${error:-no answer}"
  fi
done <"$requests"
kill "$first"
wait "$first" 2>/dev/null
trap - TERM INT

# What is to be loaded at the start, whoever starts the container; requests that come meanwhile wait their turn.
(
  comes_up 11434 "$$" || exit
  while read -r verb path json; do
    [ "$verb" = load ] || continue
    error=
    ask 11434 "$path" "$json" note || echo "homelab: a model could not be loaded: ${error:-no answer}"
  done <"$requests"
) &
exec ollama serve
