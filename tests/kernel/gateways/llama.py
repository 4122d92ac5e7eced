"""llama.py PORT FOLDER: llama.cpp's server with a model of random weights, some 500 KB: what it says is noise, how it says it is not."""

from __future__ import annotations

import sys

import gguf
import numpy as np
import xllamacpp

WIDTH, LAYERS, HEADS, INNER = 64, 2, 4, 128
dice = np.random.default_rng(1)
path = f"{sys.argv[2]}/noise.gguf"

writer = gguf.GGUFWriter(path, "llama")
writer.add_context_length(2048)
writer.add_embedding_length(WIDTH)
writer.add_block_count(LAYERS)
writer.add_feed_forward_length(INNER)
writer.add_head_count(HEADS)
writer.add_head_count_kv(HEADS)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_dimension_count(WIDTH // HEADS)
# Every byte is a token.
words = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL] + [gguf.TokenType.BYTE] * 256
writer.add_vocab_size(len(words))
writer.add_tokenizer_model("llama")
writer.add_token_list(words)
writer.add_token_scores([0.0] * len(words))
writer.add_token_types([int(kind) for kind in kinds])
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)


def noise(name: str, *shape: int) -> None:
    writer.add_tensor(f"{name}.weight", dice.normal(0, 0.05, shape).astype(np.float32))


def ones(name: str) -> None:
    writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))


noise("token_embd", len(words), WIDTH)
ones("output_norm")
noise("output", len(words), WIDTH)
for layer in range(LAYERS):
    ones(f"blk.{layer}.attn_norm")
    ones(f"blk.{layer}.ffn_norm")
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        noise(f"blk.{layer}.{part}", WIDTH, WIDTH)
    noise(f"blk.{layer}.ffn_gate", INNER, WIDTH)
    noise(f"blk.{layer}.ffn_up", INNER, WIDTH)
    noise(f"blk.{layer}.ffn_down", WIDTH, INNER)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

settings = xllamacpp.CommonParams()
settings.model.path = path
settings.port = int(sys.argv[1])
settings.hostnames = ["127.0.0.1"]
settings.n_ctx = 4096
settings.n_parallel = 2
settings.cpuparams.n_threads = 1
settings.warmup = False
settings.model_alias = {"noise"}
server = xllamacpp.Server(settings)
sys.stdin.read()
