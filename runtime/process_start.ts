import { libc, readSmallFile } from "./libc.ts";

/**
 * When a process began, as text that only has to differ between two processes of one id; `undefined` where there is no
 * such process. A pid alone names no process: ids are used again. Needs `--allow-ffi`: a bound program may not look.
 * Where the system does not tell (not Linux) every living process began at "alive".
 */
export function startOfProcess(pid: number): string | undefined {
  if (Deno.build.os !== "linux") return libc().kill(pid, 0) === 0 ? "alive" : undefined;
  const stat = readSmallFile(`/proc/${pid}/stat`);
  if (stat === undefined || stat === "") return undefined;
  // The second field is the command in brackets and may hold spaces; the state is the third, the start the 22nd.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}
