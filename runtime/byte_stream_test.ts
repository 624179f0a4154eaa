import assert from "node:assert/strict";
import { MemoryByteNetwork } from "./byte_stream_memory.ts";
import { splitAddress, TcpNetwork } from "./byte_stream_tcp.ts";
import { systemClock } from "./clock_system.ts";
import { recordingLog } from "./log_recording.ts";

const clock = systemClock();
const networks = {
  tcp: () => new TcpNetwork({ clock, log: recordingLog("tcp", []) }),
  memory: () => new MemoryByteNetwork(),
};

for (const [name, open] of Object.entries(networks)) {
  Deno.test(`${name} streams carry bytes both ways in order, wait for a slow reader and end on both sides`, async () => {
    const network = open();
    const sent = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
    const served = Promise.withResolvers<{ end: number | null; after: boolean }>();
    const listening = await network.listen("127.0.0.1:0", async (stream) => {
      assert.equal(await stream.write(sent), true);
      const byte = new Uint8Array(8);
      assert.equal(await stream.read(byte), 3);
      const end = await stream.read(byte);
      served.resolve({ end, after: end === null ? true : await stream.write(sent) });
    });
    assert.ok(listening.ok);
    await using door = listening.value;
    assert.match(door.address, /^127\.0\.0\.1:[1-9]\d*$/);
    const connected = await network.connect(door.address, 1_000);
    assert.ok(connected.ok);
    using stream = connected.value;
    const got = new Uint8Array(sent.length);
    for (let at = 0; at < got.length;) {
      const count = await stream.read(got.subarray(at, at + 70_000));
      assert.ok(count !== null && count > 0);
      at += count;
    }
    assert.deepEqual(got, sent);
    assert.equal(await stream.write(Uint8Array.of(1, 2, 3)), true);
    stream.close();
    assert.deepEqual(await served.promise, { end: null, after: true });
    assert.equal(await stream.write(Uint8Array.of(1)), false);
    assert.equal(await stream.read(new Uint8Array(1)), null);
  });

  Deno.test(`${name}: nobody listens, or somebody does already: a sentence`, async () => {
    const network = open();
    const none = await network.connect("127.0.0.1:1", 1_000);
    assert.ok(!none.ok && none.error.code === "no_responders");
    const first = await network.listen("127.0.0.1:0", async () => {});
    assert.ok(first.ok);
    const second = await network.listen(first.value.address, async () => {});
    assert.ok(!second.ok && /name another HOST:PORT$/.test(second.error.message));
    await first.value[Symbol.asyncDispose]();
  });
}

Deno.test("splitAddress() takes names, IPv4 and IPv6 in brackets, and nothing else", () => {
  assert.deepEqual(splitAddress("a.b:0"), { hostname: "a.b", port: 0 });
  assert.deepEqual(splitAddress("[::1]:65535"), { hostname: "::1", port: 65_535 });
  for (const wrong of ["", ":1", "a", "a:", "::1:80", "a:65536", "a b:1", "a:-1"]) {
    assert.equal(splitAddress(wrong), undefined, wrong);
  }
});
