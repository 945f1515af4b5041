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
