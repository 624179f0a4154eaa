import assert from "node:assert/strict";
import { differences, layouts, readField, writeField } from "./layout.ts";
import type { StructLayout } from "./layout.ts";
import { layoutOf, openLibrary } from "./library.ts";
import type { LibraryClaims } from "./library.ts";

/** The bytes a library of this layout gives for its defaults. */
function defaultsOf(layout: StructLayout): Uint8Array {
  const bytes = new Uint8Array(256);
  for (const field of Object.values(layout.fields)) writeField(bytes, field, field[2]);
  return bytes;
}

function claims(change: Partial<LibraryClaims> = {}): LibraryClaims {
  const { model, context } = layouts["0.5.0"];
  return {
    version: "0.5.0-dev",
    model: defaultsOf(model),
    context: defaultsOf(context),
    ...change,
  };
}

Deno.test("layoutOf() takes every known version with its own defaults", () => {
  for (const version of Object.keys(layouts)) {
    const layout = layoutOf(claims({ version }));
    assert.ok(layout.ok, JSON.stringify(layout));
    assert.equal(layout.value.version, version);
  }
});

Deno.test("layoutOf() refuses an unknown version by name", () => {
  for (const version of ["0.6.0", "b10361", "", "constructor"]) {
    const layout = layoutOf(claims({ version }));
    assert.ok(!layout.ok);
    assert.match(layout.error.message, /its struct layout is unknown \(known: .*0\.5\.0.*\)/);
    assert.match(layout.error.message, /use the pinned package$/);
  }
});

for (const struct of ["model", "context"] as const) {
  Deno.test(`differences() finds every ${struct} field that has another default`, () => {
    const layout = layouts["0.5.0"][struct];
    for (const [name, field] of Object.entries(layout.fields)) {
      const bytes = defaultsOf(layout);
      assert.deepEqual(differences(bytes, layout), []);
      writeField(bytes, field, field[2] === 1 ? 0 : 1);
      const found = differences(bytes, layout);
      assert.equal(found.length, 1, name);
      assert.match(found[0], new RegExp(`^${name} is `));
      const refused = layoutOf(claims({ [struct]: bytes }));
      assert.ok(!refused.ok);
      assert.match(
        refused.error.message,
        new RegExp(`structs differ from the table \\(${name} is`),
      );
    }
  });

  Deno.test(`differences() finds that the ${struct} struct is longer than the table`, () => {
    const layout = layouts["0.5.0"][struct];
    const bytes = defaultsOf(layout);
    bytes[layout.bytes + 3] = 1;
    assert.deepEqual(differences(bytes, layout), [
      `byte ${layout.bytes + 3} is set, the struct has ${layout.bytes}`,
    ]);
  });
}

Deno.test("the layout table has no field over another and none outside its struct", () => {
  const sizes = { i32: 4, u32: 4, f32: 4, u8: 1, ptr: 8 } as const;
  for (const { model, context } of Object.values(layouts)) {
    for (const { bytes, fields } of [model, context]) {
      let end = 0;
      for (const [name, [offset, kind]] of Object.entries(fields)) {
        assert.ok(offset >= end && offset % sizes[kind] === 0, name);
        end = offset + sizes[kind];
      }
      assert.ok(end <= bytes);
    }
  }
});

Deno.test("readField() reads what writeField() wrote, of every kind", () => {
  const bytes = new Uint8Array(16);
  for (const [kind, value] of [["i32", -7], ["u32", 4e9], ["f32", 0.5], ["u8", 200]] as const) {
    writeField(bytes, [4, kind, 0], value);
    assert.equal(readField(bytes, [4, kind, 0]), value);
  }
  writeField(bytes, [8, "ptr", 0], 0x7fff_1234_5678n);
  assert.equal(readField(bytes, [8, "ptr", 0]), 0x7fff_1234_5678);
});

Deno.test("openLibrary() finds that the pinned package is what the table says", async () => {
  const library = await openLibrary();
  assert.ok(library.ok, JSON.stringify(library));
  assert.ok(Object.keys(layouts).includes(library.value.layout.version));
});
