"""Writes ../tiny.gguf (f16 matrices, f32 norms) from work/checkpoint.npz and work/tokenizer.json, and reference.json beside this file.

    python export.py

reference.json holds what this forward pass says about one prompt; a test compares llama.cpp with it.
"""
import hashlib
import json
import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import gguf
import jax
import jax.numpy as jnp
import numpy as np
from tokenizers import Tokenizer

import model

HERE = Path(__file__).parent
TARGET = HERE.parent / "tiny.gguf"
CONTEXT = 2048
MOST_BYTES = 4 * 1024 * 1024
TEMPLATE = ("{% for message in messages %}"
            "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
PROMPT = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
DESCRIPTION = "A small llama trained by models/train on short simple dialogues, for offline tests of Pixii."
BLOCK = {"attn_norm": "f32", "attn_q": "f16", "attn_k": "f16", "attn_v": "f16", "attn_output": "f16",
         "ffn_norm": "f32", "ffn_gate": "f16", "ffn_up": "f16", "ffn_down": "f16"}


def weights():
    """The trained weights as the file stores them: matrices rounded to f16."""
    saved = np.load(HERE / "work" / "checkpoint.npz")
    trained = {k[2:]: saved[k] for k in saved.files if k.startswith("p/")}
    return {k: v.astype(np.float32) if k.endswith("norm") else v.astype(np.float16) for k, v in trained.items()}


def add_vocabulary(writer):
    tokenizer = json.loads((HERE / "work" / "tokenizer.json").read_text())
    vocabulary = sorted(tokenizer["model"]["vocab"].items(), key=lambda pair: pair[1])
    special = {token["id"] for token in tokenizer["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([gguf.TokenType.CONTROL if i in special else gguf.TokenType.NORMAL for _, i in vocabulary])
    writer.add_token_merges([" ".join(pair) if isinstance(pair, list) else pair for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def write(path, p):
    s = model.SHAPE
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_description(DESCRIPTION)
    writer.add_license("apache-2.0")
    writer.add_languages(["en"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(s["vocabulary"])
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(s["embedding"])
    writer.add_block_count(s["layers"])
    writer.add_feed_forward_length(s["feed_forward"])
    writer.add_head_count(s["heads"])
    writer.add_head_count_kv(s["kv_heads"])
    writer.add_layer_norm_rms_eps(model.EPSILON)
    writer.add_rope_dimension_count(s["head"])
    writer.add_rope_freq_base(model.ROPE_BASE)
    add_vocabulary(writer)
    writer.add_tensor("token_embd.weight", p["token_embd"])
    writer.add_tensor("output_norm.weight", p["output_norm"])
    for layer in range(s["layers"]):
        for name in BLOCK:
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ascontiguousarray(p[name][layer]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def reference(p):
    """Greedy answer to PROMPT, and the twenty likeliest next tokens with their log-probabilities at every step of it."""
    tokenizer = Tokenizer.from_file(str(HERE / "work" / "tokenizer.json"))
    full = {k: jnp.asarray(v, np.float32) for k, v in p.items()}
    prompt = tokenizer.encode(PROMPT).ids
    ids, steps = list(prompt), []
    # Always the same length, so that it is compiled once; what comes after a token does not change what it says.
    forward = jax.jit(lambda row: jax.nn.log_softmax(model.forward(full, row)[0]))
    while len(steps) < 12 and ids[-1] != 2:
        padded = np.array([ids + [0] * (64 - len(ids))])
        row = np.asarray(forward(padded)[len(ids) - 1])
        top = np.argsort(-row, kind="stable")[:20]
        steps.append([[int(i), round(float(row[i]), 5)] for i in top])
        ids.append(int(top[0]))
    return {"prompt": PROMPT, "promptIds": prompt, "answerIds": ids[len(prompt):],
            "answer": tokenizer.decode(ids[len(prompt):]), "steps": steps}


def lines_of(facts):
    """JSON with one (token, log-probability) a line, as `deno fmt` leaves it."""
    steps = ",\n".join("    [\n" + ",\n".join(f"      {json.dumps(pair)}" for pair in step) + "\n    ]" for step in facts["steps"])
    head = "".join(f"  {json.dumps(k)}: {json.dumps(v)},\n" for k, v in facts.items() if k != "steps")
    return f'{{\n{head}  "steps": [\n{steps}\n  ]\n}}\n'


def main():
    p = weights()
    write(TARGET, p)
    raw = TARGET.read_bytes()
    if len(raw) > MOST_BYTES:
        raise SystemExit(f"{len(raw)} bytes: over {MOST_BYTES}")
    facts = reference(p)
    (HERE / "reference.json").write_text(lines_of(facts))
    print(json.dumps({"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "answer": facts["answer"],
                      "parameters": int(sum(v.size for v in p.values()))}))


if __name__ == "__main__":
    main()
