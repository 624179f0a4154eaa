/**
 * Length in bytes of the character that `bytes` breaks off in, 0 where it ends between characters. Only a tail that can
 * still become a character counts; 0 to 3.
 */
export function openTail(bytes: Uint8Array): number {
  const length = bytes.length;
  for (let size = 1; size <= 3 && size <= length; size++) {
    const lead = bytes[length - size];
    if (lead < 0x80) return 0;
    if (lead < 0xc0) continue;
    const whole = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || size >= whole) return 0;
    return size === 1 || isSecond(lead, bytes[length - size + 1]) ? size : 0;
  }
  return 0;
}

/** True where `second` may follow `lead`: no overlong forms, no surrogates, nothing over U+10FFFF. */
function isSecond(lead: number, second: number): boolean {
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  return low <= second && second <= high;
}
