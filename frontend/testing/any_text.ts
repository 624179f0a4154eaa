import fc from "fast-check";

/** Pieces that tokenizers treat in ways of their own. */
const pieces: readonly string[] = [
  ...[
    "hello",
    " world",
    " ",
    "  ",
    "   ",
    "\n",
    "\r\n",
    "\n\n",
    "\t",
    "\u00a0",
    "\u3000",
    "\u2028",
  ],
  ...["1", "23", " 456", "1234567", "٣", "½", "'s", "'LL", "'t", "'", "don't", "’s"],
  ...["日本語", "你好，世界", "한국어", "\u1100\u1161", "क्षि", "é", "e\u0301", "Å", "\ufeff", "ſ"],
  ...[
    "مرحبا",
    "שלום",
    "👩‍👩‍👧‍👦",
    "🇩🇪",
    "𝔘",
    "\u{1f600}",
    "\u0000",
    "\u0007",
    "\u001b",
    "\u007f",
    "\u0085",
  ],
  ...[
    "<|im_start|>",
    "<|im_end|>",
    "<|im_",
    "end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|begin_of_text|>",
  ],
  ...["<think>", "</think>", "<tool_call>", "<|", "|>", "<", ">", "|", "</s>", "<s>"],
  ...[
    "_",
    "--",
    "...",
    "/*",
    "*/",
    "://",
    "();",
    "\\",
    '"',
    "`",
    "aaaaaaaaaaaa",
    "ZZ",
    "internationalization",
  ],
];

/** Texts made of such pieces and of any characters; well-formed unless `grapheme` makes them otherwise. */
export function anyText(maxLength = 24): fc.Arbitrary<string> {
  const part = fc.oneof(
    { arbitrary: fc.constantFrom(...pieces), weight: 6 },
    { arbitrary: fc.string({ unit: "binary", maxLength: 4 }), weight: 2 },
    { arbitrary: fc.string({ unit: "grapheme", maxLength: 6 }), weight: 1 },
    { arbitrary: fc.string({ maxLength: 6 }), weight: 1 },
  );
  return fc.array(part, { maxLength }).map((parts) => parts.join("").toWellFormed());
}
