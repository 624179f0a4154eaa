import { startEtcd, startNats } from "@pixii/runtime";
import { freePort, startChild, untilAnswer } from "./child.ts";
import type { Child } from "./child.ts";

/** What its mocker wants to know of the model besides the tokenizer. */
const modelConfig = {
  architectures: ["Qwen3ForCausalLM"],
  model_type: "qwen3",
  vocab_size: 151_936,
  max_position_embeddings: 131_072,
  hidden_size: 1024,
  num_hidden_layers: 2,
  num_attention_heads: 16,
  num_key_value_heads: 8,
  head_dim: 128,
  intermediate_size: 3072,
  eos_token_id: 151_645,
  torch_dtype: "bfloat16",
};

const planes = [
  ...["--request-plane", "nats", "--event-plane", "nats", "--discovery-backend", "etcd"],
];

/**
 * NVIDIA Dynamo 1.6.1: its frontend with the KV router, its mocker without waits, over a NATS and an etcd of their own, with
 * the tokenizer in `folder`. `python` needs the packages ai-dynamo-runtime==1.6.1 and ai-dynamo==1.6.1 (--no-deps) and
 * what they import (packaging, pyyaml, aiohttp, msgspec, prometheus-client, pyzmq, tqdm, zstandard, transformers, redis).
 */
export async function startDynamo(
  options: { readonly python: string; readonly folder: string },
): Promise<Child> {
  const { python, folder } = options;
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(modelConfig));
  const generation = { eos_token_id: [151_645, 151_643], bos_token_id: 151_643 };
  await Deno.writeTextFile(`${folder}/generation_config.json`, JSON.stringify(generation));
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats({ jetStream: true }));
  const etcd = stack.use(await startEtcd());
  const env = { NATS_SERVER: nats.url, ETCD_ENDPOINTS: etcd.url, HF_HUB_OFFLINE: "1" };
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const frontend = stack.use(startChild(python, {
    args: ["-m", "dynamo.frontend", "--http-port", `${port}`, "--router-mode", "kv", ...planes],
    url,
    env,
  }));
  stack.use(startChild(python, {
    args: [
      ...["-m", "dynamo.mocker", "--model-path", folder, "--model-name", "bench"],
      ...["--speedup-ratio", "0", "--block-size", "64", "--max-model-len", "131072", ...planes],
    ],
    url,
    env,
  }));
  await untilAnswer(`${url}/v1/models`, { matches: /"bench"/, withinMs: 60_000 });
  const running = stack.move();
  return { url, pid: frontend.pid, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
