import assert from "node:assert/strict";
import fc from "fast-check";
import { SpecialFinder } from "./special_finder.ts";

/** llama.cpp's way: token by token, the longest first, each cut out of what is still text. */
function naive(text: string, tokens: readonly string[]): string[] {
  const bytes = (token: string) => new TextEncoder().encode(token).length;
  const sorted = tokens.map((content, id) => ({ content, id }))
    .sort((a, b) => bytes(b.content) - bytes(a.content) || a.id - b.id);
  let parts: { readonly text: string; readonly isToken: boolean }[] = [{ text, isToken: false }];
  for (const { content } of sorted) {
    parts = parts.flatMap((part) => {
      if (part.isToken) return [part];
      return part.text.split(content).flatMap((between, i) => [
        ...(i === 0 ? [] : [{ text: content, isToken: true }]),
        { text: between, isToken: false },
      ]);
    });
  }
  return parts.filter((part) => part.isToken).map((part) => part.text);
}

Deno.test("SpecialFinder finds what llama.cpp's token after token finds", () => {
  const letters = fc.constantFrom("<", "|", "a", "b", "é", "\u{1f600}");
  const token = fc.string({ unit: letters, minLength: 1, maxLength: 5 });
  const tokens = fc.uniqueArray(token, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(tokens, fc.string({ unit: letters, maxLength: 40 }), (contents, text) => {
      const finder = new SpecialFinder(contents.map((content, id) => ({ content, id })));
      const found = finder.find(text);
      assert.deepEqual(found.map(({ from, to }) => text.slice(from, to)), naive(text, contents));
      for (const { id, from, to } of found) assert.equal(text.slice(from, to), contents[id]);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("find() leaves out what stands right behind the marker", () => {
  const finder = new SpecialFinder([{ id: 7, content: "<x>" }]);
  assert.deepEqual(finder.find("<x>#<x><x>", { unless: "#" }), [
    { id: 7, order: 0, from: 0, to: 3 },
    { id: 7, order: 0, from: 7, to: 10 },
  ]);
  assert.deepEqual(finder.find("#<x>", { unless: "#" }), []);
});

Deno.test("findAll() tells of overlapping spellings too", () => {
  const finder = new SpecialFinder([{ id: 1, content: "aba" }, { id: 2, content: "ab" }]);
  assert.deepEqual(finder.findAll("ababa").map(({ id, from }) => [id, from]), [
    ...[[2, 0], [1, 0], [2, 2], [1, 2]],
  ]);
  assert.deepEqual(finder.find("ababa").map(({ id, from }) => [id, from]), [[1, 0]]);
});

Deno.test("findAll() looks no further than one match more than is of use", () => {
  const finder = new SpecialFinder([{ id: 1, content: "<x>" }]);
  const text = "<x>".repeat(50);
  assert.equal(finder.findAll(text, { most: 10 }).length, 11);
  assert.equal(finder.findAll(text, { most: 50 }).length, 50);
  assert.equal(finder.findAll(text).length, 50);
});
