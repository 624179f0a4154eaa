import { charClass, classOf } from "./char_class.ts";

/** A chunk is cut at the first place that will do from this many code units on. */
export const chunkUnits = 4096;

/**
 * End of the chunk that starts at `from`; the end of the text where nothing will do before it.
 *
 * A chunk ends behind a letter or a digit where something else follows. There a word ends for every pre-tokenizer,
 * whatever stands before or behind: letters and digits are only ever in words that end with their kind, and no rule
 * looks past one that ends the text. So the tokens of a text are those of its chunks, and texts that begin alike have
 * chunks alike.
 */
export function chunkEnd(text: string, from: number): number {
  if (text.length - from <= chunkUnits) return text.length;
  let before = classAt(text, from + chunkUnits - 1);
  for (let at = from + chunkUnits; at < text.length; at++) {
    const here = classAt(text, at);
    const isWord = before === charClass.letter || before === charClass.number;
    if (isWord && here !== undefined && here !== before) return at;
    before = here;
  }
  return text.length;
}

/** Class of a code unit; undefined for halves of surrogate pairs, which may be of any. */
function classAt(text: string, at: number): number | undefined {
  const unit = text.charCodeAt(at);
  return unit >= 0xd800 && unit < 0xe000 ? undefined : classOf(unit);
}
