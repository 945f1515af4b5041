"""Tiny models with random weights, and broken ones, for vLLM's tests; run in its image. Writes a tar to stdout.

The same each time: every weight comes from a seed, every tokenizer from the text below."""

import json, os, pathlib, shutil, sys, tarfile, tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

# Enough to learn the merges of a small vocabulary from.
TEXT = [f"A small model reads line {n} of a text and says what it has read in other words." for n in range(50)]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# What Hermes' tool calls and Qwen's reasoning are marked with.
MARKS = ["<tool_call>", "</tool_call>", "<think>", "</think>"]
TEMPLATE = """\
{%- if tools %}<|im_start|>system
Answer with {"name": ..., "arguments": ...} in <tool_call></tool_call> to call one of:
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or '' }}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def tokenizer():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(TEXT, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    )
    fast.add_tokens(MARKS)
    return fast


def tiny(directory, seed):
    torch.manual_seed(seed)
    tokens = tokenizer()
    config = Qwen3Config(
        vocab_size=640, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=65536, tie_word_embeddings=True,
        eos_token_id=tokens.eos_token_id, pad_token_id=tokens.pad_token_id, bos_token_id=None, dtype="bfloat16",
    )
    Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(directory)
    tokens.save_pretrained(directory)


def broken(root):
    """What a person may find on a disk: the sound model with one thing wrong."""

    def but(name):
        return shutil.copytree(root / "tiny-qwen3", root / name)

    def config(name, **changes):
        file = but(name) / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    config("unsupported-architecture", architectures=["FooForCausalLM"])
    (but("no-config") / "config.json").unlink()
    weights = but("truncated-weights") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    config("wrong-shape", intermediate_size=512)
    for file in but("no-tokenizer").glob("tokenizer*"):
        file.unlink()


def main():
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        tiny(root / "tiny-qwen3", seed=1)
        tiny(root / "tiny-embedding", seed=2)
        broken(root)
        with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
            for path in sorted(root.iterdir()):
                tar.add(path, path.name)


main()
