import { Seeded } from "../seeded.ts";
import { tongues } from "./tongues.ts";

/** One request of the proof. */
export interface ProofPrompt {
  readonly kind: "short" | "shared" | "language" | "long";
  readonly text: string;
  readonly maxTokens: number;
  /** 0 = greedy. */
  readonly temperature: number;
  readonly seed: number;
}

/** How long prompts are, in sentences: a sentence is some 12 to 25 tokens. */
export interface PromptSizes {
  /** Of the beginning that ten prompts have in common, and of their own ends. */
  readonly shared: number;
  readonly own: number;
  readonly language: number;
  /** 0 = none. */
  readonly long: number;
}

/** Prompts of a real model: up to some 1,000 tokens. */
export const fullSizes: PromptSizes = { shared: 10, own: 3, language: 4, long: 50 };
/** Prompts of a small model in a test: one to three blocks. */
export const shortSizes: PromptSizes = { shared: 3, own: 1, language: 2, long: 0 };

const subjects = ["The river", "A teacher", "My neighbour", "The old clock", "Every ship", "A cat"];
const verbs = ["remembers", "follows", "waits for", "draws", "explains", "forgets"];
const objects = ["the winter", "a red boat", "two letters", "the long road", "its reflection"];
const ends = ["before dawn.", "with great care.", "once a year.", "in the rain.", "and smiles."];
const questions = [
  "What is the capital of France?",
  "Count from one to ten:",
  "The opposite of cold is",
  "def add(a, b):\n    return",
  "Write a short poem about the sea.",
  "2 + 2 =",
];

class Writer {
  readonly #seeded: Seeded;

  constructor(seed: number) {
    this.#seeded = new Seeded(seed);
  }

  of<Word>(words: readonly Word[]): Word {
    return words[this.#seeded.below(words.length)];
  }

  sentences(count: number): string {
    const one = () => [subjects, verbs, objects, ends].map((words) => this.of(words)).join(" ");
    return Array.from({ length: count }, one).join(" ");
  }
}

/** The kind of the i-th prompt: of ten, four short, three with a shared beginning, two foreign, one long. */
function kindOf(at: number, { long }: PromptSizes): ProofPrompt["kind"] {
  const place = at % 10;
  if (place < 4) return "short";
  if (place < 7) return "shared";
  return place < 9 || long === 0 ? "language" : "long";
}

function textOf(at: number, kind: ProofPrompt["kind"], sizes: PromptSizes): string {
  const own = new Writer(7_000 + at);
  if (kind === "short") return `${own.of(questions)} (${at}) ${own.sentences(1)}`;
  if (kind === "shared") {
    // Thirty prompts apart from each other, so that the beginning has left the device in between.
    const beginning = new Writer(100 + at % 30).sentences(sizes.shared);
    return `${beginning} Note ${at}: ${own.sentences(sizes.own)}`;
  }
  if (kind === "long") return `${at}. ${own.sentences(sizes.long)}`;
  const tongue = tongues[at % tongues.length];
  const sentences = Array.from({ length: sizes.language }, () => own.of(tongue));
  return `${at} ${sentences.join(" ")}`;
}

/** The first `count` prompts of the proof, always the same; every second one is sampled with a seed. */
export function proofPrompts(count: number, sizes: PromptSizes): readonly ProofPrompt[] {
  return Array.from({ length: count }, (_, at): ProofPrompt => {
    const kind = kindOf(at, sizes);
    return {
      kind,
      text: textOf(at, kind, sizes),
      maxTokens: 8 + at % 3 * 8,
      temperature: at % 2 === 0 ? 0 : 0.8,
      seed: 1_000 + at,
    };
  });
}
