/** How the new part of a prompt hangs on what was known of it. */
export const promptKinds = { fresh: 0, fork: 1, goesOn: 2, again: 3 } as const;
/** A kind, as a number. */
export type PromptKind = typeof promptKinds[keyof typeof promptKinds];

/** Where in its prompt a block lies: before the last place where prompts part, behind it and known, new. */
export const blockPlaces = { trunk: 0, known: 1, added: 2 } as const;
/** A place, as a number. */
export type BlockPlace = typeof blockPlaces[keyof typeof blockPlaces];

/**
 * Steps of each feature of a class, in the order of their digits: kind, new blocks, turn, place. What tells most comes
 * first: classes that share their first digits are taken to be like one another where little is known of them.
 */
export const classSteps = [4, 8, 6, 3] as const;
/** Classes of blocks that an order tells apart. */
export const promptClasses = classSteps.reduce((all, steps) => all * steps, 1);

/** What a prompt was when it was asked for. */
export interface PromptFeatures {
  readonly kind: PromptKind;
  /** The so-manieth prompt of its conversation, from 1. */
  readonly turn: number;
  /** Blocks that were not known. */
  readonly added: number;
}

/** Class of a prompt's blocks at one place, below `promptClasses`: blocks of a class are taken to come back alike. */
export function promptClass({ kind, turn, added }: PromptFeatures, place: BlockPlace): number {
  const turnStep = turn <= 3 ? turn - 1 : turn <= 5 ? 3 : turn <= 9 ? 4 : 5;
  const addedStep = Math.min(7, 31 - Math.clz32(added + 1));
  const [, news, turns, places] = classSteps;
  return ((kind * news + addedStep) * turns + turnStep) * places + place;
}
