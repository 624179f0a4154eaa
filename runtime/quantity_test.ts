import assert from "node:assert/strict";
import fc from "fast-check";
import { formatBytes, formatDuration, parseBytes, parseDuration } from "./quantity.ts";

Deno.test("parseBytes() reads back what formatBytes() writes", () => {
  const sizes = fc.oneof(
    fc.maxSafeNat(),
    fc.tuple(fc.nat(1023), fc.constantFrom(2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40))
      .map(([n, unit]) => n * unit),
  );
  fc.assert(fc.property(sizes, (bytes) => assert.equal(parseBytes(formatBytes(bytes)), bytes)));
});

Deno.test("parseDuration() reads back what formatDuration() writes", () => {
  const spans = fc.tuple(fc.nat(5_000), fc.constantFrom(1, 1_000, 60_000, 3_600_000, 86_400_000))
    .map(([n, unit]) => n * unit);
  fc.assert(fc.property(spans, (ms) => assert.equal(parseDuration(formatDuration(ms)), ms)));
});

Deno.test("parseBytes() and parseDuration() give a finite number or undefined for any text", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    for (const value of [parseBytes(text), parseDuration(text)]) {
      assert.ok(value === undefined || (Number.isFinite(value) && value >= 0));
    }
  }));
});

Deno.test("parseBytes() knows its units", () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ["512MiB", 536_870_912],
    ["1.5GB", 1_500_000_000],
    ["64kib", 65_536],
    ["4096", 4_096],
    ["7 B", 7],
    ["-1", undefined],
    ["1XB", undefined],
    ["", undefined],
    ["99999999TiB", undefined],
  ];
  for (const [text, bytes] of cases) assert.equal(parseBytes(text), bytes, text);
});

Deno.test("parseDuration() wants a unit, but for 0", () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ["250ms", 250],
    ["2s", 2_000],
    ["1.5m", 90_000],
    ["1h", 3_600_000],
    ["50us", 0.05],
    ["0", 0],
    ["30", undefined],
    ["1M", undefined],
    ["-1s", undefined],
  ];
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text);
});
