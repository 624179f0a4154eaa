/** Parts as one array: the part itself where there is one alone, else a copy of all. O(bytes). */
export function joinBytes<Part extends Uint8Array>(
  parts: readonly Part[],
): Part | Uint8Array<ArrayBuffer> {
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
