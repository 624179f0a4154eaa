import type { Clock, Log } from "@pixii/runtime";
import type { Roster } from "./roster.ts";

/** How often the frontend is asked again. */
const askEveryMs = 25;
/** Longest wait for one answer of the frontend. */
const answerMs = 120_000;
/** A start that takes this long says what it waits for. */
const sayAfterMs = 10_000;

/** One served name and how many workers it has. */
export interface ServedModel {
  readonly name: string;
  readonly workers: number;
}

/** What readiness is judged by. */
export interface ReadinessOptions {
  readonly roster: Roster;
  /** Instance ids of all programs as they run now. */
  readonly instances: () => readonly string[];
  readonly models: readonly ServedModel[];
  /** Base URL of the frontend. */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Resolves when a request to any of the models will be answered: every program says that it is ready, every worker's card is
 * there, and one token came back from each model. Rejects with the signal's reason.
 */
export async function untilReady(options: ReadinessOptions): Promise<void> {
  const { clock, log, signal } = options;
  let saidMs = clock.nowMs();
  for (let missing = whatIsMissing(options); missing !== ""; missing = whatIsMissing(options)) {
    await clock.sleep(askEveryMs, signal);
    if (clock.nowMs() - saidMs < sayAfterMs) continue;
    log.warn(`still waiting for ${missing}`);
    saidMs = clock.nowMs();
  }
  await Promise.all(options.models.map((model) => untilAnswered(model.name, options)));
}

/** What a cluster waits for, for people; empty where all programs and cards are there. */
export function whatIsMissing(
  options: Pick<ReadinessOptions, "roster" | "instances" | "models">,
): string {
  const { roster, instances, models } = options;
  const ready = instances().filter((id) => roster.instances.get(id)?.status === "ready").length;
  const all = instances().length;
  if (ready < all) return `${all - ready} of ${all} programs`;
  const short = models.find((model) => roster.servers(model.name).length < model.workers);
  return short === undefined ? "" : `a worker of ${short.name}`;
}

/** The first token warms what is fetched on first use (the model's vocabulary), and proves the path. */
async function untilAnswered(model: string, options: ReadinessOptions): Promise<void> {
  const { clock, log, signal, url } = options;
  let saidMs = clock.nowMs();
  for (;;) {
    const problem = await askOneToken(model, url, clock, signal);
    if (problem === "") return;
    signal.throwIfAborted();
    if (clock.nowMs() - saidMs >= sayAfterMs) {
      log.warn(`still waiting for an answer of ${model}: ${problem}`);
      saidMs = clock.nowMs();
    }
    await clock.sleep(askEveryMs, signal);
  }
}

async function askOneToken(
  model: string,
  url: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<string> {
  using deadline = clock.deadline(answerMs);
  try {
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, prompt: "Hi", max_tokens: 1, temperature: 0 }),
      signal: AbortSignal.any([signal, deadline.signal]),
    });
    const text = await response.text();
    return response.status === 200 ? "" : `${response.status} ${text.slice(0, 200)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
