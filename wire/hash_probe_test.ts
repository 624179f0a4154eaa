import assert from "node:assert/strict";
import { hashProbe, probeTokens } from "./hash_probe.ts";
import { routeHashes } from "./route_hash.ts";

const shape = { blockSize: 16, vocabSize: 1_000 };

Deno.test("hashProbe() is the same for all who hash the same, and 32 hex digits", () => {
  const probe = hashProbe(shape);
  assert.match(probe, /^[0-9a-f]{32}$/);
  assert.equal(
    hashProbe(shape, (tokens, options) => routeHashes([...Array.from(tokens)], options)),
    probe,
  );
});

Deno.test("hashProbe() differs with block size, vocabulary, forgotten salts and other hashes", () => {
  const probes = [
    hashProbe(shape),
    hashProbe({ ...shape, blockSize: 64 }),
    hashProbe({ ...shape, vocabSize: 999 }),
    hashProbe(shape, (tokens, { blockSize }) => routeHashes(tokens, { blockSize })),
    hashProbe(shape, (tokens) => routeHashes(tokens, { blockSize: 8 })),
    hashProbe(shape, (tokens, options) => {
      const { hi, lo } = routeHashes(tokens, options);
      return { hi: lo, lo: hi };
    }),
  ];
  assert.equal(new Set(probes).size, probes.length);
});

Deno.test("probeTokens() stay below the vocabulary, and a block of one token has no rest", () => {
  assert.ok(probeTokens(shape).every((token) => token < 1_000));
  assert.equal(probeTokens(shape).length, 49);
  assert.equal(probeTokens({ blockSize: 1, vocabSize: 2 }).length, 3);
});
