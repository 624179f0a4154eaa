import { hashProbe } from "@pixii/wire";
import type { ModelCard } from "@pixii/wire";
import { BoundedMap } from "./bounded_map.ts";

/** Whether a worker's card proves that its block hashes are everybody's; `none`: its card says nothing. */
export type HashProof = "proven" | "none" | "foreign";

/** Shapes of cards whose probes are remembered. */
const mostShapes = 64;

/** Compares what workers' hashes come to on the probe prompt with our own. */
export class HashProofs {
  readonly #probes = new BoundedMap<string, string>(mostShapes);

  /** What a card proves. */
  of(card: Pick<ModelCard, "blockSize" | "vocabSize" | "hashProbe">): HashProof {
    if (card.hashProbe === undefined) return "none";
    const shape = `${card.blockSize}.${card.vocabSize}`;
    let own = this.#probes.get(shape);
    if (own === undefined) this.#probes.set(shape, own = hashProbe(card));
    return card.hashProbe === own ? "proven" : "foreign";
  }
}
