import { SharedMemory } from "../shared_memory.ts";

const scope = self as unknown as {
  onmessage: (event: { data: { path: string; bytes: number; write: number } }) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data }) => {
  const opened = await SharedMemory.open(data.path, data.bytes, { populate: true });
  if (!opened.ok) return scope.postMessage({ error: opened.error.message });
  const memory = opened.value;
  const seen = memory.view(0, 4)[0];
  memory.view(memory.bytes - 1, 1)[0] = data.write;
  memory[Symbol.dispose]();
  scope.postMessage({ seen });
};
