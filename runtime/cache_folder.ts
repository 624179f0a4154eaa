/** Pixii's cache: `$PIXII_CACHE`, else `$XDG_CACHE_HOME/pixii`, else `~/.cache/pixii`. */
export function cacheFolder(
  env: Readonly<Record<string, string | undefined>> = environment(),
): string {
  if (env.PIXII_CACHE) return env.PIXII_CACHE;
  if (env.XDG_CACHE_HOME) return `${env.XDG_CACHE_HOME}/pixii`;
  return `${env.HOME ?? "."}/.cache/pixii`;
}

function environment(): Readonly<Record<string, string | undefined>> {
  const names = ["PIXII_CACHE", "XDG_CACHE_HOME", "HOME"];
  return Object.fromEntries(names.map((name) => [name, Deno.env.get(name)]));
}
