const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const durationUnits: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const quantity = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i;

/** Bytes of `512MiB`, `1.5GB`, `4096` (units in any case, K/M/G/T with `i` for powers of two); undefined where it is no size or over 2^53. */
export function parseBytes(text: string): number | undefined {
  const match = quantity.exec(text.trim());
  const unit = byteUnits[match?.[2].toLowerCase() ?? "none"];
  if (!match || unit === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * unit);
  return bytes <= Number.MAX_SAFE_INTEGER ? bytes : undefined;
}

/** Milliseconds of `250ms`, `2s`, `1.5m`, `1h`, `1d`, `50us` or `0`; undefined where it is no duration: other bare numbers have no unit. */
export function parseDuration(text: string): number | undefined {
  const match = quantity.exec(text.trim());
  if (!match) return undefined;
  if (match[2] === "") return Number(match[1]) === 0 ? 0 : undefined;
  const unit = durationUnits[match[2]];
  if (unit === undefined) return undefined;
  const ms = Number(match[1]) * unit;
  return ms <= Number.MAX_SAFE_INTEGER ? ms : undefined;
}

/** The shortest exact text of a size: `512MiB`, `1000B`. */
export function formatBytes(bytes: number): string {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"]) {
    const size = byteUnits[unit.toLowerCase()];
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

/** The shortest exact text of a duration: `30s`, `250ms`, `0`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0";
  for (const unit of ["d", "h", "m", "s"]) {
    const size = durationUnits[unit];
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return Number.isInteger(ms) ? `${ms}ms` : `${ms * 1000}us`;
}
