"""Asks a gateway one question and prints the answer: URL and model in argv, the key on stdin."""

import json
import sys
import urllib.request

url, model = sys.argv[1:3]
question = "In one short sentence: why run language models at home?"
body = {
    "model": model,
    "messages": [{"role": "user", "content": question}],
    "max_tokens": 40,
    # A model of 270 million parameters does not always know where to end.
    "stop": ["\n", "<|im_end|>"],
}
request = urllib.request.Request(
    url + "/v1/chat/completions",
    data=json.dumps(body).encode(),
    headers={"Content-Type": "application/json", "Authorization": "Bearer " + sys.stdin.readline().strip()},
)
with urllib.request.urlopen(request, timeout=300) as reply:
    answer = json.load(reply)["choices"][0]["message"]["content"]
printable = "".join(c for c in answer if c.isprintable() or c == "\n").strip()
print(f"{model} was asked: {question}\n{model} answered: {printable}")
