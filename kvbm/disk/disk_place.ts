import { cacheFolder, parseBytes } from "@pixii/runtime";

/** Where the disk tier lies and how large it is. */
export interface DiskPlan {
  readonly bytes: number;
  readonly folder: string;
}

/** What `--kv-disk` may look like. */
export const diskPattern = /^(|off|\d+(\.\d+)?\s*[a-zA-Z]*(:.+)?)$/;
/** And how that is said. */
export const diskRule = "must be SIZE[:DIR] like 64GiB:/var/lib/pixii, or off";

/** Reads `SIZE[:DIR]`; `undefined` where the tier is off, or the size is none. Without DIR: `kv` in Pixii's cache. */
export function readDiskPlan(text: string): DiskPlan | undefined {
  const at = text.indexOf(":");
  const size = at < 0 ? text : text.slice(0, at);
  const bytes = parseBytes(size);
  if (bytes === undefined || bytes === 0) return undefined;
  return { bytes, folder: at < 0 ? `${cacheFolder()}/kv` : text.slice(at + 1).replace(/\/+$/, "") };
}
