import assert from "node:assert/strict";
import { systemClock } from "@pixii/runtime";
import { chooseTopology, reachServer, type TopologyFacts } from "./topology.ts";

const none: TopologyFacts = {
  wanted: "auto",
  natsUrl: "",
  etcdUrl: "",
  natsFound: false,
  etcdFound: false,
};

function choose(more: Partial<TopologyFacts>): string {
  const choice = chooseTopology({ ...none, ...more });
  return choice.ok ? `${choice.value.topology}: ${choice.value.why}` : choice.error.message;
}

Deno.test("chooseTopology() takes processes where both servers are there, else one, and says why", () => {
  assert.match(choose({ natsFound: true, etcdFound: true }), /^processes: /);
  assert.match(choose({}), /^one: .*nats-server and etcd are not on PATH/);
  assert.match(choose({ natsFound: true }), /^one: .*because etcd is not on PATH/);
  assert.match(choose({ wanted: "one", natsFound: true, etcdFound: true }), /^one: .*as asked/);
  const urls = { natsUrl: "nats://h:1", etcdUrl: "http://h:2" };
  assert.match(choose(urls), /^processes: .*nats-server at h:1 and etcd at h:2/);
});

Deno.test("chooseTopology() refuses processes without their servers", () => {
  assert.match(
    choose({ wanted: "processes" }),
    /nats-server and etcd must be on PATH; install them/,
  );
  assert.match(choose({ natsUrl: "nats://h:1" }), /etcd must be on PATH; .*--etcd/);
});

Deno.test("reachServer() says that nothing listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  assert.ok((await reachServer(`nats://127.0.0.1:${port}`, "nats", systemClock())).ok);
  listener.close();
  const gone = await reachServer(`nats://127.0.0.1:${port}`, "nats", systemClock());
  assert.match(gone.ok ? "" : gone.error.message, /Cannot reach nats at 127\.0\.0\.1:\d+: /);
});
