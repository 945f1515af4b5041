# Downloads what vLLM will load, by the hub's own client, into the cache that vLLM looks in.
# The argument is a list of repositories as JSON.
import fnmatch
import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import sys
import threading

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

from concurrent.futures import ThreadPoolExecutor

from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, snapshot_download

api = HfApi()
cache = pathlib.Path(constants.HF_HUB_CACHE)

# What other frameworks store; what vLLM stores comes by its own patterns.
WEIGHTS = ["*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf", "*.onnx*", "*.h5", "*.msgpack", "*.ot", "*.tflite"]
USELESS = ["*.png", "*.jpg", "*.jpeg", "*.gif", "*.svg", "*.mp4", "*.wav", "*.pdf", "*.md", ".gitattributes"]
LARGE = 10 * 1000 * 1000


def say(*words):
    print("homelab:", *words, flush=True)


def any_of(patterns, name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def prefers_consolidated():
    """Whether this vLLM takes Mistral's own files wherever there are any."""
    spec = importlib.util.find_spec("vllm")
    for place in (spec.submodule_search_locations or []) if spec else []:
        loader = pathlib.Path(place, "model_executor", "model_loader", "default_loader.py")
        if loader.is_file() and 'allow_patterns=["consolidated*.safetensors"]' in loader.read_text():
            return True
    return False


def weights(repo, names):
    """The files of weights that vLLM loads: those of the first pattern that fits (default_loader.py)."""
    form = repo["load_format"]
    consolidated = fnmatch.filter(names, "consolidated*.safetensors")
    if form == "mistral" or (form == "auto" and consolidated and prefers_consolidated()):
        return consolidated
    index = "model.safetensors.index.json"
    if form not in ("pt", "npcache") and index in names:
        path = hf_hub_download(repo["id"], index, revision=repo["commit"])
        listed = set(json.loads(pathlib.Path(path).read_text()).get("weight_map", {}).values())
        if listed:
            return [name for name in names if name in listed]
    patterns = {"pt": ["*.pt"], "npcache": ["*.bin"]}.get(form, ["*.safetensors", "*.bin", "*.pt"])
    for pattern in patterns:
        found = [name for name in fnmatch.filter(names, pattern) if not any_of(repo["ignore"], name)]
        if found:
            return found
    return []


class File:
    def __init__(self, repo, commit, sibling):
        self.repo, self.commit, self.name = repo["id"], commit, sibling.rfilename
        self.size = sibling.size or 0
        lfs = sibling.lfs
        self.sha256 = (lfs.get("sha256") if isinstance(lfs, dict) else lfs.sha256) if lfs else None
        self.blobs = cache / ("models--" + self.repo.replace("/", "--")) / "blobs"
        self.blob = self.blobs / (self.sha256 or sibling.blob_id or "none")
        self.part = self.blobs / (self.blob.name + ".incomplete")

    def have(self):
        """How much of it is there; newer clients give what they have not finished names of their own."""
        try:
            if self.blob.exists():
                return self.size
            parts = [part.stat().st_size for part in self.blobs.glob(self.blob.name + "*.incomplete")]
            return min(max(parts, default=0), self.size)
        except OSError:
            return 0

    def resume(self):
        """Downloads it to where the client would look for it, from where an earlier try ended."""
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers

        self.blobs.mkdir(parents=True, exist_ok=True)
        begun = self.part.stat().st_size if self.part.exists() else 0
        if begun > self.size:
            self.part.unlink()
            begun = 0
        with self.part.open("ab") as out:
            url = hf_hub_url(self.repo, self.name, revision=self.commit)
            http_get(url, out, resume_size=begun, headers=build_hf_headers(), expected_size=self.size)
        if begun:
            with self.part.open("rb") as whole:
                digest = hashlib.sha256()
                while chunk := whole.read(1 << 20):
                    digest.update(chunk)
            if digest.hexdigest() != self.sha256:
                self.part.unlink()
                raise OSError("what an earlier try left was not the beginning of " + self.name)
        self.part.replace(self.blob)


def wanted(repo):
    info = api.model_info(repo["id"], revision=repo["revision"], files_metadata=True)
    # A branch may move while this runs.
    repo["commit"] = info.sha
    names = [s.rfilename for s in info.siblings]
    take = {n for n in names if not any_of(WEIGHTS + USELESS + repo["ignore"], n)}
    if repo["weights"]:
        take.update(weights(repo, names))
    return [File(repo, info.sha, s) for s in info.siblings if s.rfilename in take]


def remember(repo):
    """Writes down which commit the branch or tag means, where whoever knows only that looks for it."""
    name = repo.get("ref") or repo["revision"] or "main"
    if name == repo["commit"] or ".." in name.split("/"):
        return
    place = cache / ("models--" + repo["id"].replace("/", "--")) / "refs" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(place.name + ".homelab")
    part.write_text(repo["commit"])
    part.replace(place)


def follow(files, over):
    total = sum(file.size for file in files)
    while not over.wait(1):
        say("progress", sum(file.have() for file in files), total)


def resume(file):
    try:
        file.resume()
    except Exception as why:
        # The client tries once more, and what it says then counts.
        print(file.name, why, sep=": ", flush=True)


def main():
    repos = [repo for repo in json.loads(sys.argv[1]) if not os.path.isdir(repo["id"])]
    by_repo = [(repo, wanted(repo)) for repo in repos]
    files = [file for _, all_of_it in by_repo for file in all_of_it]
    cache.mkdir(parents=True, exist_ok=True)
    needed, free = sum(file.size - file.have() for file in files), shutil.disk_usage(cache).free
    if needed > free:
        say("full", needed, free)
        sys.exit(28)
    over = threading.Event()
    threading.Thread(target=follow, args=(files, over), daemon=True).start()
    # Newer clients begin a file anew that was cut off, and leave what they had of it.
    large = [file for file in files if file.sha256 and file.size > LARGE and not file.blob.exists()]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(resume, large))
    for repo, all_of_it in by_repo:
        names = [file.name for file in all_of_it]
        where = snapshot_download(repo["id"], revision=repo["commit"], allow_patterns=names)
        remember(repo)
        for file in all_of_it:
            for left in file.blobs.glob(file.blob.name + "*.incomplete"):
                left.unlink()
        say("snapshot", where)
    over.set()


try:
    main()
except Exception as why:
    print(type(why).__module__ + "." + type(why).__name__ + ": " + str(why), file=sys.stderr, flush=True)
    sys.exit(1)
