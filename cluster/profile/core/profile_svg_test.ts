import assert from "node:assert/strict";
import type { WorkerProfile } from "@pixii/wire";
import { profileSvg } from "./profile_svg.ts";

const profile: WorkerProfile = {
  version: 1,
  model: "a<b>&c",
  modelDigest: "ab",
  engine: "llama",
  engineVersion: "1",
  machine: "m",
  measuredAt: "2026-01-01T00:00:00Z",
  about: "",
  blockSize: 64,
  prefill: { newTokens: [1, 64], contextTokens: [0, 512], ms: [[1, 2], [30, 40]] },
  decode: { sequences: [1], contextTokens: [32], ms: [[9]] },
  besides: { newTokens: [1, 64], sequences: [0, 4], ms: [[1, 2], [30, 45]] },
  kvBytesPerToken: 22_528,
  onboardBlockMs: {},
};

Deno.test("profileSvg() draws a line per column, all numbers finite, names escaped", () => {
  const svg = profileSvg(profile);
  assert.equal(svg.match(/<polyline/g)?.length, 5);
  assert.equal(svg.match(/<circle/g)?.length, 9);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
  assert.match(svg, /beside 4<[^]*KV 22 KiB a token|KV 22 KiB a token[^]*beside 4</);
  assert.match(svg, /a&lt;b>&amp;c/);
  assert.equal(profileSvg(profile), svg);
});
