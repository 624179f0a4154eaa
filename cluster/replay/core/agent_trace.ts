import { listOfIds } from "./replay_request.ts";
import type { ReplayRequest, Trace } from "./replay_request.ts";

/** What synthetic agent sessions are like. */
export interface AgentShape {
  readonly sessions: number;
  /** New sessions per second. */
  readonly sessionRate: number;
  readonly blockSize: number;
}

/** Kinds of agents: each has a system prompt and tools of its own that all its sessions begin with; a few are far the commonest. */
const kinds = 6;

/**
 * Agent sessions in the manner of what was seen in public traces: append-only contexts, each turn a tool's result of some
 * hundred tokens up to several thousand, answers that become part of the next prompt, gaps of seconds, 30 turns in the
 * median, sessions beginning as a Poisson process. `draw` gives numbers in [0, 1).
 */
export function agentTrace(shape: AgentShape, draw: () => number): Trace {
  const { blockSize } = shape;
  const ids = { next: 0 };
  const prompts = Array.from({ length: kinds }, () => {
    const tokens = Math.floor(2_000 + 8_000 * draw());
    return Array.from({ length: Math.floor(tokens / blockSize) }, () => ids.next++);
  });
  const requests: ReplayRequest[] = [];
  let beginMs = 0;
  for (let n = 0; n < shape.sessions; n++) {
    beginMs += -Math.log(1 - draw()) / shape.sessionRate * 1000;
    // Zipf-like: half of the sessions are of the commonest kind.
    const kind = Math.min(kinds - 1, Math.floor(-Math.log2(1 - draw())));
    const context = [...prompts[kind]];
    let tokens = context.length * blockSize + Math.floor(50 + 400 * draw());
    const turns = Math.max(1, Math.round(30 * Math.exp(normal(draw) * 0.6)));
    let atMs = beginMs;
    for (let turn = 0; turn < turns; turn++) {
      while (context.length < Math.floor(tokens / blockSize)) context.push(ids.next++);
      const outputTokens = Math.max(1, Math.round(250 * Math.exp(normal(draw) * 0.7)));
      requests.push({
        ...{ atMs, inputTokens: tokens, outputTokens, session: `s${n}` },
        list: listOfIds(context, context.length),
      });
      tokens += outputTokens + Math.round(400 * Math.exp(normal(draw)));
      atMs += 1000 * (3.8 * Math.exp(normal(draw) * 0.8) + outputTokens / 60);
    }
  }
  requests.sort((a, b) => a.atMs - b.atMs);
  return { name: "synthetic agents", blockSize, requests };
}

/** A standard normal number (Box and Muller). Two draws. */
function normal(draw: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
}
