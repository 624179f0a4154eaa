"""Makes the tokenizer and the packed windows: work/tokenizer.json and work/corpus.npz. Same seed, same bytes.

    python corpus.py
"""
import hashlib
import json
import random
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

import dialogues

WORK = Path(__file__).parent / "work"
SEED = 20_251
DOCUMENTS = 120_000
VOCABULARY = 2048
WINDOW = 256
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
READ_WEIGHT = 0.1
"""Weight of the loss on what the model only reads; on what it says it is 1."""


def train_tokenizer(texts):
    """Byte-level BPE with llama.cpp's `smollm` pre-tokenizer: every digit alone, then GPT-2's words."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[AddedToken(s, special=True) for s in SPECIALS],
                                  initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def held_out(text):
    """One conversation in fifty, by its own hash: no held-out text is in the training data."""
    return hashlib.sha256(text.encode()).digest()[0] < 5


def pack(documents):
    """Windows of WINDOW + 1 ids that begin at a document's start; what does not fit starts the next window."""
    rows, row_weights, row, row_weight = [], [], [], []
    for tokens, weight in documents:
        if len(row) + len(tokens) > WINDOW + 1:
            fill = WINDOW + 1 - len(row)
            rows.append(row + [0] * fill)
            row_weights.append(row_weight + [0] * fill)
            row, row_weight = [], []
        row = row + tokens[: WINDOW + 1 - len(row)]
        row_weight = row_weight + weight[: WINDOW + 1 - len(row_weight)]
    ids = np.array(rows, np.uint16)
    weights = np.array(row_weights, np.uint8)
    return ids, weights


def main():
    WORK.mkdir(exist_ok=True)
    rng = random.Random(SEED)
    documents = [dialogues.spans(dialogues.document(rng)) for _ in range(DOCUMENTS)]
    texts = ["".join(text for text, _ in spans) for spans in documents]
    parts = {"train": [], "test": []}
    for spans, text in zip(documents, texts):
        parts["test" if held_out(text) else "train"].append(spans)
    bare = (text for spans in parts["train"] for text, _ in spans)
    for_merges = (text.replace("<|im_end|>", "").replace("<|im_start|>", "").replace("<|endoftext|>", "") for text in bare)
    tokenizer = train_tokenizer(for_merges)
    tokenizer.save(str(WORK / "tokenizer.json"))
    arrays, facts = {}, {"documents": DOCUMENTS, "distinct": len(set(texts)), "vocabulary": tokenizer.get_vocab_size(),
                         "sha256": hashlib.sha256("".join(texts).encode()).hexdigest()}
    for name, chosen in parts.items():
        if name == "test":
            chosen = list({json.dumps(spans): spans for spans in chosen}.values())
        encoded = []
        for spans in chosen:
            # Span by span: a span's end is a special token or a line break, so no merge crosses it.
            pieces = tokenizer.encode_batch([text for text, _ in spans])
            tokens = [i for piece in pieces for i in piece.ids]
            weight = [10 if own else round(10 * READ_WEIGHT) for piece, (_, own) in zip(pieces, spans) for _ in piece.ids]
            encoded.append((tokens, weight))
        arrays[f"{name}_ids"], arrays[f"{name}_weights"] = pack(encoded)
        facts[name] = {"documents": len(chosen), "tokens": sum(len(t) for t, _ in encoded), "windows": len(arrays[f"{name}_ids"])}
    np.savez(WORK / "corpus.npz", **arrays)
    (WORK / "corpus.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
