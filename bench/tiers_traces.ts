import { agentTrace, denseTrace, parseMooncake, partOf } from "@pixii/cluster/traces";
import type { DenseTrace, Trace } from "@pixii/cluster/traces";
import { Seeded } from "./seeded.ts";

/** A trace by the name of its row. */
export interface NamedTrace {
  readonly name: string;
  readonly trace: DenseTrace;
}

/** A trace in Mooncake's format, whole and in halves. Throws with a sentence where it cannot be read. */
export async function readTraces(path: string): Promise<readonly NamedTrace[]> {
  const read = parseMooncake(path.split("/").at(-1)!, await Deno.readTextFile(path));
  if (!read.ok) throw new Error(read.error.message);
  const halves = ["first-half", "second-half"] as const;
  return [
    { name: "trace", trace: denseTrace(read.value) },
    ...halves.map((part) => ({ name: part, trace: denseTrace(partOf(read.value, part)) })),
  ];
}

/** Made traces: agents' sessions, and tools that share long beginnings. */
export function madeTraces(): readonly NamedTrace[] {
  const agents = { sessions: 400, sessionRate: 0.4, blockSize: 512 };
  return [
    { name: "agents", trace: denseTrace(agentTrace(agents, drawOf(1))) },
    { name: "tools", trace: denseTrace(toolTrace(12_000, drawOf(2))) },
  ];
}

function drawOf(seed: number): () => number {
  const chance = new Seeded(seed);
  return () => chance.below(0x8000_0000) / 0x8000_0000;
}

/**
 * In the manner of what was told of Mooncake's tool and agent trace: 39 of 100 requests are 12 blocks that all share and
 * 1 to 4 of their own, 15 are 5 shared and 2 of their own, the rest are conversations of some turns.
 */
function toolTrace(count: number, draw: () => number): Trace {
  const blockSize = 512;
  let next = 17;
  const requests: { atMs: number; blocks: number[] }[] = [];
  const fresh = (blocks: number) => Array.from({ length: blocks }, () => next++);
  const spreadBy = (middle: number, width: number) => {
    const normal = Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
    return Math.exp(middle + width * normal);
  };
  const shared = (from: number, length: number) => Array.from({ length }, (_, i) => from + i);
  let atMs = 0;
  while (requests.length < count) {
    atMs += -Math.log(1 - draw()) * 150;
    const kind = draw();
    if (kind < 0.39) {
      requests.push({ atMs, blocks: [...shared(0, 12), ...fresh(1 + Math.floor(4 * draw()))] });
    } else if (kind < 0.54) requests.push({ atMs, blocks: [...shared(12, 5), ...fresh(2)] });
    else if (draw() < 0.45) {
      const blocks: number[] = [];
      let turnMs = atMs;
      for (let turn = 0; turn === 0 || (turn < 20 && draw() < 0.55); turn++) {
        blocks.push(...fresh(Math.max(1, Math.round(spreadBy(1.2, 1.1) * (turn === 0 ? 2 : 0.4)))));
        requests.push({ atMs: turnMs, blocks: [...blocks] });
        turnMs += 1000 * spreadBy(4, 1.1);
      }
    }
  }
  requests.sort((a, b) => a.atMs - b.atMs);
  return {
    ...{ name: "tools", blockSize },
    requests: requests.map(({ atMs, blocks }) => ({
      ...{ atMs, inputTokens: blocks.length * blockSize + 1, outputTokens: 1 },
      list: { lo: Uint32Array.from(blocks), hi: new Uint32Array(blocks.length) },
    })),
  };
}
