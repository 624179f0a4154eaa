import { WordStream } from "./load_words.ts";

/** What agent sessions are made of; counts of words are about as many tokens. */
export interface AgentShape {
  readonly sessions: number;
  readonly turns: number;
  /** System prompts, each shared by every so-manieth session. */
  readonly systems: number;
  readonly systemWords: number;
  /** Words of the task that a session begins with. */
  readonly taskWords: number;
  /** Words of what it says in every later turn: an output of a tool. */
  readonly turnWords: number;
}

/** A message of a chat. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** One session: its system prompt, and what it says turn by turn. The replies are the model's own. */
export interface AgentSession {
  readonly system: string;
  readonly says: readonly string[];
}

/** The sessions of a seed. */
export function agentSessions(shape: AgentShape, seed: number): readonly AgentSession[] {
  const words = new WordStream(seed);
  const systems = Array.from(
    { length: shape.systems },
    (_, at) => `You are agent number ${at + 1}. ${words.take(shape.systemWords)}`,
  );
  return Array.from({ length: shape.sessions }, (_, session) => ({
    system: systems[session % shape.systems],
    says: Array.from(
      { length: shape.turns },
      (_, turn) =>
        `Step ${turn + 1} of task ${session + 1}: ${
          words.take(turn === 0 ? shape.taskWords : shape.turnWords)
        }`,
    ),
  }));
}

/**
 * The order of the sessions in a turn, another for every turn: with one order for all, an even number of sessions would
 * return to the same workers under round-robin by chance.
 */
export function turnOrder(sessions: number, seed: number): readonly number[] {
  const order = Array.from({ length: sessions }, (_, at) => at);
  let state = (Math.imul(seed, 2654435761) ^ 0x5bd1e995) >>> 0;
  for (let i = sessions - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor(state / 2 ** 32 * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
