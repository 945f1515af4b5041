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
