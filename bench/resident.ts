/** Resident set of a process in MB (10^6 bytes). Linux only. */
export function residentMb(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) * 1024 / 1e6;
}

/** Watches the resident set of a process from now on, four times a second; disposed, it looks no more. Linux only. */
export function watchResident(pid: number): { readonly peakMb: number } & Disposable {
  let peakMb = residentMb(pid);
  const timer = setInterval(() => peakMb = Math.max(peakMb, residentMb(pid)), 250);
  return {
    get peakMb() {
      return peakMb;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
