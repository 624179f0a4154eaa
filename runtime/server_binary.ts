const isWindows = Deno.build.os === "windows";
const usualFolders: readonly string[] = isWindows
  ? []
  : ["/usr/sbin", "/usr/bin", "/usr/local/bin"];

/** Where a server's program is (`nats-server`, `etcd`): on PATH, else in the usual folders; undefined where it is in neither. */
export function findServer(name: string): string | undefined {
  const onPath = (Deno.env.get("PATH") ?? "").split(isWindows ? ";" : ":");
  const file = isWindows ? `${name}.exe` : name;
  for (const folder of [...onPath, ...usualFolders]) {
    if (folder === "") continue;
    const path = `${folder}/${file}`;
    if (isProgram(path)) return path;
  }
  return undefined;
}

function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && (isWindows || ((mode ?? 0) & 0o111) !== 0);
  } catch (error) {
    // A folder on PATH that is missing or that this program may not look into holds no program for it.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    if (
      error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable
    ) return false;
    throw error;
  }
}
