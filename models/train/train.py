"""Trains the model on work/corpus.npz; goes on from work/checkpoint.npz where there is one; logs to work/log.jsonl.

    python train.py --steps 1300
    python train.py --steps 1300 --stop-after 600    # seconds, then a checkpoint; the next run goes on

One thread, fixed seeds. Muon for the layers' matrices, Adam for embeddings and norms.
"""
import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

import model

WORK = Path(__file__).parent / "work"
SEED = 7
FIRST_BATCH, FIRST_STEPS, BATCH = 16, 300, 8
"""Windows a step: large ones while everything is new, then twice as many steps for the same work."""
WARM_UP, DECAY = 20, 0.5
MUON_RATE, ADAM_RATE, DECAY_WEIGHT = 0.02, 0.004, 0.01
MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def loss_of(p, ids, weights):
    logits = model.forward(p, ids[:, :-1])
    target = ids[:, 1:]
    picked = jnp.take_along_axis(logits, target[..., None], axis=-1)[..., 0]
    loss = jax.nn.logsumexp(logits, axis=-1) - picked
    w = weights[:, 1:]
    return jnp.sum(loss * w), jnp.sum(w)


def orthogonal(m):
    """Nearest orthogonal matrices by five Newton-Schulz steps (the quintic of Muon, Jordan et al. 2024). m: [layers, rows, columns]."""
    turned = m.shape[1] > m.shape[2]
    x = jnp.swapaxes(m, 1, 2) if turned else m
    x = x / (jnp.linalg.norm(x, axis=(1, 2), keepdims=True) + 1e-7)
    for _ in range(5):
        a = x @ jnp.swapaxes(x, 1, 2)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return jnp.swapaxes(x, 1, 2) if turned else x


def update(p, state, ids, weights, rate, step):
    def mean(q):
        total, count = loss_of(q, ids, weights)
        return total / count

    loss, grads = jax.value_and_grad(mean)(p)
    new_p, new_state = {}, {}
    for name, g in grads.items():
        if name in MATRICES:
            momentum = 0.95 * state[f"m/{name}"] + g
            turn = orthogonal(g + 0.95 * momentum) * np.sqrt(max(1.0, g.shape[1] / g.shape[2]))
            new_p[name] = p[name] * (1 - rate * MUON_RATE * DECAY_WEIGHT) - rate * MUON_RATE * turn
            new_state[f"m/{name}"] = momentum
        else:
            m = 0.9 * state[f"m/{name}"] + 0.1 * g
            v = 0.99 * state[f"v/{name}"] + 0.01 * g * g
            fixed = (m / (1 - 0.9 ** step)) / (jnp.sqrt(v / (1 - 0.99 ** step)) + 1e-8)
            new_p[name] = p[name] - rate * ADAM_RATE * fixed
            new_state[f"m/{name}"], new_state[f"v/{name}"] = m, v
    return new_p, new_state, loss


def save(p, state, step, seconds):
    arrays = {f"p/{k}": np.asarray(v) for k, v in p.items()} | {f"s/{k}": np.asarray(v) for k, v in state.items()}
    temporary = WORK / "checkpoint.tmp.npz"
    np.savez(temporary, step=step, seconds=seconds, **arrays)
    temporary.rename(WORK / "checkpoint.npz")


def rows_of(step, count):
    """Which of `count` windows step number `step` (from 0) reads: one shuffled pass after the other."""
    small = max(0, step - FIRST_STEPS)
    at = min(step, FIRST_STEPS) * FIRST_BATCH + small * BATCH
    size = FIRST_BATCH if step < FIRST_STEPS else BATCH
    order = np.random.default_rng([SEED, at // count]).permutation(count)
    return order[at % count:][:size], at + size


def held_out_loss(p, data):
    """Mean loss of a token that the model itself says, over the held-out windows."""
    total = count = 0.0
    ids, weights = data["test_ids"].astype(np.int32), (data["test_weights"] == 10).astype(np.float32)
    for at in range(0, len(ids) - BATCH + 1, BATCH):
        one, n = jax.jit(loss_of)(p, ids[at:at + BATCH], weights[at:at + BATCH])
        total, count = total + float(one), count + float(n)
    return total / count


def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("--steps", type=int, default=1300)
    flags.add_argument("--stop-after", type=float, default=float("inf"))
    flags = flags.parse_args()
    data = dict(np.load(WORK / "corpus.npz"))
    ids, weights = data["train_ids"], data["train_weights"]
    p, step, seconds = model.initial(SEED), 0, 0.0
    state = {f"m/{k}": np.zeros_like(v) for k, v in p.items()} | {f"v/{k}": np.zeros_like(v) for k, v in p.items() if k not in MATRICES}
    if (WORK / "checkpoint.npz").exists():
        saved = dict(np.load(WORK / "checkpoint.npz"))
        p = {k[2:]: v for k, v in saved.items() if k.startswith("p/")}
        state = {k[2:]: v for k, v in saved.items() if k.startswith("s/")}
        step, seconds = int(saved["step"]), float(saved["seconds"])
    advance = jax.jit(update, donate_argnums=(0, 1))
    begun = last = time.time()
    while step < flags.steps and time.time() - begun < flags.stop_after:
        rows, _ = rows_of(step, len(ids))
        step += 1
        rate = min(1.0, step / WARM_UP, (flags.steps - step + 1) / (DECAY * flags.steps))
        p, state, loss = advance(p, state, ids[rows].astype(np.int32), weights[rows].astype(np.float32), rate, float(step))
        if step % 20 == 0:
            loss = float(loss)
            now = time.time()
            line = {"step": step, "loss": round(loss, 4), "rate": round(rate, 4), "tokens_per_s": round(20 * len(rows) * (ids.shape[1] - 1) / (now - last))}
            last = now
            print(json.dumps(line), flush=True)
            with (WORK / "log.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
        if step % 100 == 0:
            save(p, state, step, seconds + time.time() - begun)
    jax.block_until_ready(p)
    seconds += time.time() - begun
    save(p, state, step, seconds)
    print(json.dumps({"step": step, "tokens": rows_of(step - 1, len(ids))[1] * (ids.shape[1] - 1), "seconds": round(seconds), "held_out_loss": round(held_out_loss(p, data), 4)}))


if __name__ == "__main__":
    main()
