/**
 * Waits until `check` gives `true`; anything else, also a throw, is the last state, reported when `withinMs` is over.
 */
export async function until(
  what: string,
  check: () => unknown | Promise<unknown>,
  withinMs = 10_000,
): Promise<void> {
  const started = performance.now();
  let last: unknown = "never checked";
  while (performance.now() - started < withinMs) {
    try {
      last = await check();
      if (last === true) return;
    } catch (error) {
      last = (error as Error).message;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`not within ${withinMs} ms: ${what}; last: ${String(last)}`);
}
