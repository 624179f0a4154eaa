/** Longest wait of a test for a condition, in ms. */
const patienceMs = 20_000;

/** Waits until `holds` is true; rejects with what `state` says after 20 s. For tests: real time, a look every 5 ms. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  state: () => string,
): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!await holds()) {
    if (performance.now() > endMs) throw new Error(`Waited ${patienceMs} ms in vain: ${state()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
