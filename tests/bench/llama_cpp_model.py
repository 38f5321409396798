"""Writes a random Llama of the shape given in llama.cpp's format: for its speed alone, so it has no vocabulary.

    llama_cpp_model.py SHAPE.json DTYPE GGUF_PY OUT     GGUF_PY: the folder that holds the package gguf"""

import json
import sys

shape, dtype, gguf_py, out = json.loads(open(sys.argv[1]).read()), *sys.argv[2:]
sys.path.insert(0, gguf_py)
import gguf
import numpy

hidden, inner, vocabulary = shape["hidden_size"], shape["intermediate_size"], shape["vocab_size"]
heads, kv_heads = shape["num_attention_heads"], shape["num_key_value_heads"]
kv_width = hidden // heads * kv_heads
random = numpy.random.default_rng(0)
writer = gguf.GGUFWriter(out, "llama")


def add(name, *size):
    tensor = random.normal(0, 0.02, size).astype(numpy.float32)
    if dtype == "float32":
        writer.add_tensor(name, tensor)
        return
    kind = gguf.GGMLQuantizationType.BF16
    writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)


def add_norm(name):
    writer.add_tensor(name, numpy.ones(hidden, numpy.float32))


writer.add_context_length(2048)
writer.add_embedding_length(hidden)
writer.add_block_count(shape["num_hidden_layers"])
writer.add_feed_forward_length(inner)
writer.add_head_count(heads)
writer.add_head_count_kv(kv_heads)
writer.add_layer_norm_rms_eps(1e-6)
writer.add_rope_dimension_count(hidden // heads)
writer.add_vocab_size(vocabulary)
writer.add_tokenizer_model("no_vocab")
add("token_embd.weight", vocabulary, hidden)  # the output's weights too, being tied
add_norm("output_norm.weight")
for layer in range(shape["num_hidden_layers"]):
    block = f"blk.{layer}."
    add_norm(block + "attn_norm.weight")
    add(block + "attn_q.weight", hidden, hidden)
    add(block + "attn_k.weight", kv_width, hidden)
    add(block + "attn_v.weight", kv_width, hidden)
    add(block + "attn_output.weight", hidden, hidden)
    add_norm(block + "ffn_norm.weight")
    add(block + "ffn_gate.weight", inner, hidden)
    add(block + "ffn_up.weight", inner, hidden)
    add(block + "ffn_down.weight", hidden, inner)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
