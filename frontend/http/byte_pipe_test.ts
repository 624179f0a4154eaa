import assert from "node:assert/strict";
import fc from "fast-check";
import { VirtualClock } from "@pixii/runtime";
import { BrokenBody, BytePipe } from "./byte_pipe.ts";
import type { GoneReason } from "./byte_pipe.ts";
import { Outbox, sendGapMs } from "./outbox.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

function open(options: { opening?: string; mostBytes?: number } = {}) {
  const clock = new VirtualClock();
  const gone: GoneReason[] = [];
  const pipe = new BytePipe({
    outbox: new Outbox(clock),
    opening: options.opening ?? "",
    textEnd: bytesOf('">'),
    mostBytes: options.mostBytes ?? 1000,
    onGone: (why) => gone.push(why),
  });
  return { clock, gone, pipe };
}

Deno.test("splice() and write() give the same bytes as JSON does, for any texts in any steps", async () => {
  const part = fc.record({
    text: fc.string({ unit: "binary" }),
    kind: fc.constantFrom("splice", "write"),
    isTurnOver: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.array(part), async (opening, parts) => {
      const { clock, gone, pipe } = open({ opening, mostBytes: 1e9 });
      const all = new Response(pipe.body).text();
      let expected = opening;
      for (const { text, kind, isTurnOver } of parts) {
        if (kind === "splice") {
          pipe.splice(bytesOf("<é"), text);
          expected += `<é${JSON.stringify(text).slice(1, -1)}">`;
        } else {
          pipe.write(text);
          expected += text.toWellFormed();
        }
        if (isTurnOver) await clock.advance(1);
      }
      pipe.end();
      await clock.advance(sendGapMs);
      assert.equal(await all, textOf(bytesOf(expected)));
      assert.deepEqual(gone, []);
    }),
    { numRuns: 50 },
  );
});

Deno.test("everything written in one turn is one chunk", async () => {
  const { clock, pipe } = open({ opening: "[" });
  const reader = pipe.body.getReader();
  assert.equal(textOf((await reader.read()).value), "[");
  const next = reader.read();
  for (const text of ["a", "b", "c"]) pipe.splice(bytesOf("<"), text);
  await clock.advance(0);
  assert.equal(textOf((await next).value), '<a"><b"><c">');
  // Busy now: two turns within the gap are one chunk too.
  const late = reader.read();
  pipe.write("d");
  await clock.advance(1);
  pipe.write("e");
  await clock.advance(sendGapMs);
  assert.equal(textOf((await late).value), "de");
  const last = reader.read();
  pipe.write("f");
  pipe.end();
  await clock.advance(0);
  assert.equal(textOf((await last).value), "f");
  assert.equal((await reader.read()).done, true);
});

Deno.test("what nobody reads waits here in one piece, up to the bound, then the reader is given up", async () => {
  const { clock, gone, pipe } = open({ opening: "x".repeat(5_000), mostBytes: 100 });
  for (let i = 0; i < 100; i++) {
    pipe.write("y");
    await clock.advance(10);
  }
  assert.deepEqual(gone, []);
  pipe.write("z");
  assert.deepEqual(gone, ["slow"]);
  pipe.write("z");
  pipe.end();
  await clock.advance(10);
  await assert.rejects(pipe.body.getReader().read(), BrokenBody);
  assert.deepEqual(gone, ["slow"]);
});

Deno.test("a reader that comes late gets all of it, the end too", async () => {
  const { clock, gone, pipe } = open({ opening: "a" });
  pipe.write("b");
  await clock.advance(10);
  pipe.write("c");
  pipe.end();
  await clock.advance(10);
  assert.equal(await new Response(pipe.body).text(), "abc");
  assert.deepEqual(gone, []);
});

Deno.test("a reader that leaves is told once, and nothing is kept for it", async () => {
  const { clock, gone, pipe } = open({ opening: "a" });
  const reader = pipe.body.getReader();
  await reader.read();
  await reader.cancel();
  assert.deepEqual(gone, ["cancelled"]);
  pipe.write("b");
  pipe.end();
  await clock.advance(10);
  assert.deepEqual(gone, ["cancelled"]);
});

Deno.test("an end without a word is an empty body", async () => {
  const { clock, pipe } = open();
  const all = new Response(pipe.body).text();
  pipe.end();
  await clock.advance(0);
  assert.equal(await all, "");
});
