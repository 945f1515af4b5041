#!/usr/bin/env python3
"""Makes the headers of GGUF files in this directory, with the `gguf` package that llama.cpp's own converters use.

    "$(tests/tools/venv gguf)/bin/python" tests/data/fit/gguf/make.py

Only headers are kept: weights are cut off, and the vocabularies are short. `sizes.json` has what the package says of each
type's blocks and of each file's tensors.
"""

import json
import pathlib
import tempfile

import gguf
import numpy

HERE = pathlib.Path(__file__).parent
TYPE = gguf.GGMLQuantizationType


def packed(shape, kind):
    """Zeros in the form in which the package takes a tensor of that type: rows of bytes."""
    if kind in (TYPE.F32, TYPE.F16):
        return numpy.zeros(shape, dtype=numpy.float32 if kind == TYPE.F32 else numpy.float16)
    block, size = gguf.GGML_QUANT_SIZES[kind]
    return numpy.zeros((*shape[:-1], shape[-1] // block * size), dtype=numpy.uint8)


def write(name, architecture, keys, tensors, vocabulary=1000):
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / name
        writer = gguf.GGUFWriter(path, architecture)
        for key, value in keys.items():
            key = f"{architecture}.{key}"
            if isinstance(value, list):
                writer.add_array(key, value)
            else:
                writer.add_uint32(key, value)
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list([f"<{i}>" for i in range(vocabulary)])
        writer.add_float32(f"{architecture}.rope.freq_base", 10000.0)
        sizes = {}
        for tensor, (shape, kind) in tensors.items():
            data = packed(shape, kind)
            sizes[tensor] = data.nbytes
            writer.add_tensor(tensor, data, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        end = gguf.GGUFReader(path).data_offset
        (HERE / name).write_bytes(path.read_bytes()[:end])
    return sizes


def blocks(many, parts):
    return {f"blk.{i}.{part}": what for i in range(many) for part, what in parts.items()}


def main():
    sizes = {}
    # A small Qwen3: 4 layers, 2 heads of keys of 64, a table apart from the output.
    sizes["qwen3.gguf"] = write(
        "qwen3.gguf",
        "qwen3",
        {
            "block_count": 4, "context_length": 40960, "embedding_length": 256, "feed_forward_length": 768,
            "attention.head_count": 4, "attention.head_count_kv": 2, "attention.key_length": 64, "attention.value_length": 64,
        },
        {
            "token_embd.weight": ((1000, 256), TYPE.Q6_K),
            "output.weight": ((1000, 256), TYPE.Q6_K),
            "output_norm.weight": ((256,), TYPE.F32),
            **blocks(4, {"attn_q.weight": ((256, 256), TYPE.Q4_K), "ffn_down.weight": ((256, 768), TYPE.Q4_K), "attn_norm.weight": ((256,), TYPE.F32)}),
        },
    )
    # Windows by the architecture's rule (Gemma 3: every sixth layer sees all), one table for both ends.
    sizes["gemma3.gguf"] = write(
        "gemma3.gguf",
        "gemma3",
        {
            "block_count": 12, "context_length": 32768, "embedding_length": 256, "feed_forward_length": 512,
            "attention.head_count": 4, "attention.head_count_kv": 1, "attention.key_length": 256, "attention.value_length": 256,
            "attention.sliding_window": 512,
        },
        {"token_embd.weight": ((1000, 256), TYPE.Q8_0), **blocks(12, {"attn_q.weight": ((256, 256), TYPE.Q8_0)})},
    )
    # Windows by a list.
    sizes["windows.gguf"] = write(
        "windows.gguf",
        "newone",
        {
            "block_count": 4, "context_length": 8192, "embedding_length": 128, "feed_forward_length": 256,
            "attention.head_count": 2, "attention.head_count_kv": 2,
            "attention.sliding_window": 1024, "attention.sliding_window_pattern": [True, True, True, False],
        },
        {"token_embd.weight": ((1000, 128), TYPE.F16)},
    )
    # Latent vectors.
    sizes["deepseek2.gguf"] = write(
        "deepseek2.gguf",
        "deepseek2",
        {
            "block_count": 3, "context_length": 163840, "embedding_length": 256, "feed_forward_length": 1024,
            "attention.head_count": 16, "attention.head_count_kv": 1, "attention.kv_lora_rank": 512,
            "attention.key_length": 576, "attention.value_length": 512, "attention.key_length_mla": 192,
            "attention.value_length_mla": 128, "rope.dimension_count": 64,
            "expert_used_count": 6, "expert_feed_forward_length": 128,
        },
        {"token_embd.weight": ((1000, 256), TYPE.Q4_0), **blocks(3, {"ffn_down_exps.weight": ((4, 256, 128), TYPE.Q4_0)})},
    )
    # Three layers of four with a state.
    sizes["qwen3next.gguf"] = write(
        "qwen3next.gguf",
        "qwen3next",
        {
            "block_count": 8, "context_length": 262144, "embedding_length": 256, "feed_forward_length": 512,
            "attention.head_count": 4, "attention.head_count_kv": 2, "attention.key_length": 256, "attention.value_length": 256,
            "ssm.conv_kernel": 4, "ssm.inner_size": 4096, "ssm.state_size": 128, "ssm.group_count": 16, "ssm.time_step_rank": 32,
        },
        {"token_embd.weight": ((1000, 256), TYPE.Q4_0)},
    )
    # Mamba, attention and neither, by lists.
    sizes["nemotron_h.gguf"] = write(
        "nemotron_h.gguf",
        "nemotron_h",
        {
            "block_count": 4, "context_length": 8192, "embedding_length": 256, "feed_forward_length": [0, 512, 0, 512],
            "attention.head_count": [0, 0, 4, 0], "attention.head_count_kv": [0, 0, 2, 0], "attention.key_length": 128,
            "attention.value_length": 128,
            "ssm.conv_kernel": 4, "ssm.inner_size": 512, "ssm.state_size": 128, "ssm.group_count": 8, "ssm.time_step_rank": 8,
        },
        {"token_embd.weight": ((1000, 256), TYPE.Q4_0)},
    )
    # What keeps a state of a kind nobody here knows.
    sizes["rwkv7.gguf"] = write(
        "rwkv7.gguf",
        "rwkv7",
        {"block_count": 2, "context_length": 4096, "embedding_length": 64, "feed_forward_length": 128, "attention.head_count": 0, "wkv.head_size": 64},
        {"token_embd.weight": ((1000, 64), TYPE.F16)},
    )
    known = {kind.name: [kind.value, *gguf.GGML_QUANT_SIZES[kind]] for kind in TYPE if kind in gguf.GGML_QUANT_SIZES}
    (HERE / "sizes.json").write_text(json.dumps({"types": known, "tensors": sizes}, indent=1) + "\n")


main()
