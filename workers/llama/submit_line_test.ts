import assert from "node:assert/strict";
import type { EngineRequest } from "../engine.ts";
import type { HostRun } from "../kv_store/kv_store.ts";
import { SubmitLine } from "./submit_line.ts";

const requestOf = (stream: number) => ({ stream }) as EngineRequest;
const run = { generation: 1, lease: 7 } as HostRun;

function lineOf() {
  const said: string[] = [];
  const line = new SubmitLine({
    submit: ({ stream }, host) => said.push(`submit ${stream}${host === run ? " host" : ""}`),
    cancel: (stream) => said.push(`cancel ${stream}`),
  });
  return { line, said };
}

Deno.test("SubmitLine keeps the order of requests whatever is found first, and cancels in place", async () => {
  const { line, said } = lineOf();
  const slow = Promise.withResolvers<HostRun | undefined>();
  const fast = Promise.withResolvers<HostRun | undefined>();
  line.add(requestOf(1));
  line.add(requestOf(2), slow.promise);
  line.add(requestOf(3), fast.promise);
  line.add(requestOf(4));
  line.cancel(1);
  line.cancel(4);
  fast.resolve(undefined);
  await fast.promise;
  assert.deepEqual(said, ["submit 1", "cancel 1"]);
  slow.resolve(run);
  await slow.promise;
  const rest = ["submit 2 host", "submit 3", "submit 4", "cancel 4"];
  assert.deepEqual(said, ["submit 1", "cancel 1", ...rest]);
});

Deno.test("SubmitLine.flush() lets all go on, and what is found later changes nothing", async () => {
  const { line, said } = lineOf();
  const late = Promise.withResolvers<HostRun | undefined>();
  line.add(requestOf(1), late.promise);
  line.add(requestOf(2));
  line.flush();
  late.resolve(run);
  await late.promise;
  assert.deepEqual(said, ["submit 1", "submit 2"]);
});
