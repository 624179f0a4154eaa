/**
 * Byte-level BPE writes the 256 bytes as 256 letters: printable Latin-1 stands for itself, the rest follow from U+0100
 * in byte order (from the GPT-2 tokenizer).
 */
function makeByteLetters(): readonly string[] {
  let moved = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    return String.fromCharCode(isPrintable ? byte : moved++);
  });
}

/** Letter of each byte. */
export const byteLetters: readonly string[] = makeByteLetters();

/** Byte of a letter's code unit, -1 where it is no letter; code units over the table are none. */
const bytesByUnit: Int16Array = makeBytesByUnit();

function makeBytesByUnit(): Int16Array {
  const bytes = new Int16Array(0x200).fill(-1);
  byteLetters.forEach((letter, byte) => bytes[letter.charCodeAt(0)] = byte);
  return bytes;
}

/**
 * Writes the bytes that `text` spells in letters to `into` from `at` on; gives how many, or undefined where a character
 * is no letter. `into` must have room for one byte per code unit.
 */
export function spellBytes(
  text: string,
  into: Uint8Array,
  range: { readonly at: number; readonly from: number; readonly to: number },
): number | undefined {
  let { at } = range;
  for (let i = range.from; i < range.to; i++) {
    const unit = text.charCodeAt(i);
    const byte = unit < 0x200 ? bytesByUnit[unit] : -1;
    if (byte < 0) return undefined;
    into[at++] = byte;
  }
  return range.to - range.from;
}
