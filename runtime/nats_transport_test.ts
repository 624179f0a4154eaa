import assert from "node:assert/strict";
import { connectNats } from "./bus_nats.ts";
import { systemClock } from "./clock_system.ts";
import { recordingLog } from "./log_recording.ts";
import { findServer } from "./server_binary.ts";

const clock = systemClock();
const decoder = new TextDecoder();

/** Listens, says `greeting` to whoever comes and hangs up where told to. */
function greeter(greeting: string, hangsUp: boolean): Disposable & { readonly url: URL } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const held: Deno.Conn[] = [];
  void (async () => {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode(greeting));
      if (hangsUp) connection.close();
      else held.push(connection);
    }
  })();
  return {
    url: new URL(`nats://127.0.0.1:${listener.addr.port}`),
    [Symbol.dispose]: () => {
      listener.close();
      for (const connection of held) connection.close();
    },
  };
}

for (
  const [what, { greeting, hangsUp, said }] of Object.entries({
    "another server": { greeting: "HTTP/1.1 400 Bad\r\n", hangsUp: false, said: /no NATS server/ },
    "a server without an end of line": {
      ...{ greeting: "x".repeat(70_000), hangsUp: false, said: /no NATS server/ },
    },
    "a server that hangs up": { greeting: "", hangsUp: true, said: /hung up|reset/ },
    "a server whose first line is cut": {
      ...{ greeting: `INFO {"server_id`, hangsUp: true, said: /hung up|reset/ },
    },
  })
) {
  Deno.test(`connectNats() says what is wrong with ${what}`, async () => {
    using server = greeter(greeting, hangsUp);
    const bus = await connectNats(server.url, { clock, log: recordingLog() });
    assert.ok(!bus.ok);
    assert.equal(bus.error.code, "bus_unavailable");
    assert.match(bus.error.message, said);
  });
}

Deno.test("connectNats() says that nobody listens", async () => {
  const left = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  left.close();
  const url = new URL(`nats://127.0.0.1:${left.addr.port}`);
  const bus = await connectNats(url, { clock, log: recordingLog() });
  assert.ok(!bus.ok);
  assert.match(bus.error.message, /Cannot reach NATS at .*: connection refused; start nats-server/);
});

/** Runs to its end; all that it printed. */
async function outputOf(command: string, args: string[], env: Record<string, string> = {}) {
  const { stdout, stderr } = await new Deno.Command(command, { args, env }).output();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

/** The port of a nats-server that writes it into `folder` once it listens. */
async function portOf(folder: string): Promise<number> {
  let seen = "nothing";
  for (let tries = 0; tries < 1_000; tries++) {
    for await (const { name } of Deno.readDir(folder)) {
      if (!name.endsWith(".ports")) continue;
      seen = await Deno.readTextFile(`${folder}/${name}`);
      const port = /:(\d+)"/.exec(seen)?.[1];
      if (port !== undefined) return Number(port);
    }
    await clock.sleep(20);
  }
  throw new Error(`nats-server did not come up: ${seen}`);
}

const natsServer = findServer("nats-server");
const openssl = findServer("openssl");
const ignore = natsServer === undefined || openssl === undefined;
if (ignore) console.log("skipped: NATS over TLS: install nats-server and openssl");

Deno.test({
  name:
    "a tls:// bus speaks over TLS to who has a trusted certificate, and says what is wrong with others",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "pixii-tls-" });
    const [key, certificate] = [`${folder}/key.pem`, `${folder}/certificate.pem`];
    await outputOf(openssl!, [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"],
      ...[
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
      ],
    ]);
    const server = new Deno.Command(natsServer!, {
      args: [
        ...["--addr", "127.0.0.1", "--port", "-1", "--ports_file_dir", folder],
        ...["--tls", "--tlscert", certificate, "--tlskey", key],
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const url = `tls://localhost:${await portOf(folder)}`;
      const client = new URL("testdata/tls_client.ts", import.meta.url).pathname;
      const args = ["run", "-A", "--no-check", client, url];
      assert.match(
        await outputOf(Deno.execPath(), args, { DENO_CERT: certificate }),
        /^over TLS$/m,
      );
      assert.match(await outputOf(Deno.execPath(), args), /Cannot reach NATS .*certificate/);
    } finally {
      server.kill();
      await server.status;
      await Deno.remove(folder, { recursive: true });
    }
  },
});
