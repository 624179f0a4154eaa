/**
 * When a process began, as text that only has to differ between two processes of one id; undefined where there is no such
 * process. A pid alone does not name a process: ids are used again.
 */
export async function processStart(pid: number): Promise<string | undefined> {
  if (Deno.build.os === "linux") {
    try {
      const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
      // The second field is the command in brackets and may hold spaces; the state is the third, the start the 22nd.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return fields[0] === "Z" ? undefined : fields[19];
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }
  const { success, stdout } = await new Deno.Command("ps", {
    args: ["-o", "lstart=", "-p", String(pid)],
    stdout: "piped",
    stderr: "null",
  }).output();
  return success ? new TextDecoder().decode(stdout).trim() || undefined : undefined;
}

/** Sends a signal; a process that is gone already is no error. */
export function signalProcess(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || (error instanceof Error &&
    (/no such process/i.test(error.message) || (error as { code?: string }).code === "ESRCH"));
}
