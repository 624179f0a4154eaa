/** Where a bus or a registry is reached. */
export type ServerAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "url"; readonly url: URL };

/** Reads `unix:/PATH` or a URL; undefined where it is neither. */
export function parseServerAddress(text: string): ServerAddress | undefined {
  if (text.startsWith("unix:/")) return { kind: "unix", path: text.slice("unix:".length) };
  const url = URL.parse(text);
  return url === null || url.host === "" ? undefined : { kind: "url", url };
}

/** A URL as logs and messages may show it: without user and password. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}`;
}
