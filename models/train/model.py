"""The llama architecture as llama.cpp computes it, in JAX: RMS norm, interleaved RoPE, grouped attention, SwiGLU, tied embeddings."""
import jax
import jax.numpy as jnp
import numpy as np

SHAPE = dict(vocabulary=2048, layers=5, embedding=192, heads=6, kv_heads=2, head=32, feed_forward=384)
EPSILON = 1e-5
ROPE_BASE = 10_000.0


def initial(seed):
    """f32 weights, all [rows, columns] with y = x @ w.T, as GGUF stores them. Layers are stacked in the first axis."""
    rng = np.random.default_rng(seed)
    s = SHAPE
    d, l, f = s["embedding"], s["layers"], s["feed_forward"]
    q, kv = s["heads"] * s["head"], s["kv_heads"] * s["head"]

    def matrix(rows, columns, gain=1.0):
        return (gain * rng.standard_normal((l, rows, columns)) / np.sqrt(columns)).astype(np.float32)

    out = 1 / np.sqrt(2 * l)
    return {
        "token_embd": (0.05 * rng.standard_normal((s["vocabulary"], d))).astype(np.float32),
        "output_norm": np.ones(d, np.float32),
        "attn_norm": np.ones((l, d), np.float32), "ffn_norm": np.ones((l, d), np.float32),
        "attn_q": matrix(q, d), "attn_k": matrix(kv, d), "attn_v": matrix(kv, d), "attn_output": matrix(d, q, out),
        "ffn_gate": matrix(f, d), "ffn_up": matrix(f, d), "ffn_down": matrix(d, f, out),
    }


def norm(x, weight):
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + EPSILON) * weight


def rope(x):
    """Turns pairs (2i, 2i + 1) of every head by position * base^(-2i / head). x: [batch, time, heads, head]."""
    time, head = x.shape[1], x.shape[3]
    angle = jnp.arange(time)[:, None] * ROPE_BASE ** (-jnp.arange(0, head, 2) / head)
    cos, sin = jnp.cos(angle)[None, :, None, :], jnp.sin(angle)[None, :, None, :]
    even, odd = x[..., 0::2], x[..., 1::2]
    return jnp.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(x.shape)


def forward(p, ids):
    """Logits [batch, time, vocabulary] of ids [batch, time]."""
    s = SHAPE
    batch, time = ids.shape
    groups = s["heads"] // s["kv_heads"]
    x = p["token_embd"][ids]
    causal = jnp.tril(jnp.ones((time, time), bool))
    for layer in range(s["layers"]):
        h = norm(x, p["attn_norm"][layer])
        q = rope((h @ p["attn_q"][layer].T).reshape(batch, time, s["heads"], s["head"]))
        k = rope((h @ p["attn_k"][layer].T).reshape(batch, time, s["kv_heads"], s["head"]))
        v = (h @ p["attn_v"][layer].T).reshape(batch, time, s["kv_heads"], s["head"])
        # Query head i reads key head i // groups.
        q = q.reshape(batch, time, s["kv_heads"], groups, s["head"])
        score = jnp.einsum("btkgd,bskd->bkgts", q, k) / np.sqrt(s["head"])
        share = jax.nn.softmax(jnp.where(causal, score, -1e30), axis=-1)
        mixed = jnp.einsum("bkgts,bskd->btkgd", share, v).reshape(batch, time, -1)
        x = x + mixed @ p["attn_output"][layer].T
        h = norm(x, p["ffn_norm"][layer])
        x = x + (jax.nn.silu(h @ p["ffn_gate"][layer].T) * (h @ p["ffn_up"][layer].T)) @ p["ffn_down"][layer].T
    return norm(x, p["output_norm"]) @ p["token_embd"].T
