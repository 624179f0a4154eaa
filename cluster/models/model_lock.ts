import type { Clock } from "@pixii/runtime";

/** How often a waiting program looks again. */
const lookEveryMs = 100;

/**
 * Holds `<path>.lock` until disposed, so that one program downloads a file and the others wait for it. The operating system
 * holds the lock for the process: one that dies by kill -9 frees it, so there are no stale locks to judge.
 */
export async function lockModel(
  path: string,
  options: {
    readonly clock: Clock;
    readonly signal?: AbortSignal;
    /** Told once when somebody else holds the lock, with that program's pid where it wrote one. */
    readonly onWait?: (pid: string) => void;
  },
): Promise<Disposable> {
  const lockPath = `${path}.lock`;
  let told = false;
  for (;;) {
    options.signal?.throwIfAborted();
    const file = await Deno.open(lockPath, { read: true, write: true, create: true });
    if (await file.tryLock(true)) {
      if (await isSameFile(file, lockPath)) {
        await file.truncate(0);
        await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
        return {
          [Symbol.dispose]: () => {
            // Removed while still held: whoever waits on this file sees that it is gone and opens a new one.
            Deno.removeSync(lockPath);
            file.close();
          },
        };
      }
      file.close();
      continue;
    }
    if (!told) {
      const buffer = new Uint8Array(32);
      const count = await file.read(buffer) ?? 0;
      options.onWait?.(new TextDecoder().decode(buffer.subarray(0, count)).trim());
      told = true;
    }
    file.close();
    await options.clock.sleep(lookEveryMs, options.signal);
  }
}

async function isSameFile(file: Deno.FsFile, path: string): Promise<boolean> {
  try {
    const [open, named] = [await file.stat(), await Deno.stat(path)];
    return open.ino === named.ino && open.dev === named.dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
