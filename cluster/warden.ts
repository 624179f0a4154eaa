import { spawnChild } from "./child_process.ts";

/** Longest wait, in tenths of a second, for the programs of a killed launcher: above their own drain. */
const waitTenths = 350;

/**
 * Reads its stdin until the launcher is gone; then lets the programs end by themselves (they see the same), ends the servers,
 * which know nothing of a launcher, and removes the folder and the pools of shared memory whose owner's id is in their name.
 * `$1` is the run folder, `$2` the folder of the pools, `$3` the launcher's id.
 */
const script = `
while read -r _; do :; done
cd "$1" || exit 0
n=0
while [ $n -lt ${waitTenths} ]; do
  alive=0
  for pid in $(sed -n 's/^program //p' pids); do kill -0 "$pid" 2>/dev/null && alive=1; done
  [ $alive = 0 ] && break
  n=$((n + 1)); sleep 0.1
done
for pid in $(sed -n 's/^[a-z]* //p' pids); do kill "$pid" 2>/dev/null; done
sleep 0.5
for pid in $(sed -n 's/^[a-z]* //p' pids); do kill -9 "$pid" 2>/dev/null; done
[ -n "$2" ] && for pid in "$3" $(sed -n 's/^[a-z]* //p' pids); do
  rm -f "$2"/pixii-kv-*-"$pid"-*.pool
done
cd / && rm -rf "$1"
`;

/**
 * A small shell process that cleans up after this launcher if it is killed with -9. Dispose it first when the launcher ends by
 * itself. Undefined where there is no shell: then the next start cleans up.
 */
export function startWarden(runFolder: string, poolFolder = ""): AsyncDisposable | undefined {
  if (Deno.build.os === "windows") return undefined;
  const child = spawnChild({
    label: "warden",
    command: "/bin/sh",
    args: ["-c", script, "pixii-warden", runFolder, poolFolder, String(Deno.pid)],
    line: () => {},
  });
  return {
    async [Symbol.asyncDispose]() {
      child.signal("SIGKILL");
      await child.ended;
    },
  };
}
