/** The machine for people: cores and processor. */
export async function machineName(): Promise<string> {
  const cores = navigator.hardwareConcurrency;
  try {
    const info = await Deno.readTextFile("/proc/cpuinfo");
    const cpu = /model name\s*:\s*(.*)/.exec(info)?.[1];
    if (cpu !== undefined) return `${cores} x ${cpu}`;
  } catch (error) {
    // Only Linux has that file.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return `${cores} x ${Deno.build.arch}, ${Deno.build.os}`;
}
