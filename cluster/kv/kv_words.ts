import type { KvLayout, KvVerified } from "@pixii/kvbm";
import { bytesText } from "../models/progress.ts";

/** A kvbm's `/kv`, as far as words are made of it. */
export interface KvFacts {
  /** No tier at all. */
  readonly off?: boolean;
  readonly host?: {
    readonly path: string;
    readonly bytes: number;
    readonly usedBytes: number;
    readonly blocks: number;
    readonly counts: Readonly<Record<string, number>>;
  };
  readonly disk?: {
    readonly folder: string;
    readonly bytes: number;
    readonly usedBytes: number;
    readonly blocks: number;
    readonly off: boolean;
    readonly direct: boolean;
    readonly counts: Readonly<Record<string, number>>;
    readonly queue: Readonly<Record<string, number>>;
    readonly read: { readonly bytes: number; readonly bytesPerSecond: number };
    readonly written: { readonly bytes: number; readonly bytesPerSecond: number };
  };
  readonly layouts?: readonly KvLayout[];
}

/** What the tiers hold, a line per layout. `names`: of models, by hash. */
export function lsLines(facts: KvFacts, names: ReadonlyMap<string, string>): string[] {
  if (facts.off) return ["no tiers: the host tier is off (--kv-host)"];
  const layouts = facts.layouts ?? [];
  if (layouts.length === 0) return ["no blocks"];
  const held = ({ blocks, bytes }: { blocks: number; bytes: number }) =>
    blocks === 0 ? "-" : `${blocks} (${bytesText(bytes)})`;
  return table([
    ["MODEL", "LAYOUT", "TOKENS A BLOCK", "BLOCK", "MEMORY", "DISK"],
    ...layouts.map((one) => [
      one.models.map((model) => names.get(model) ?? model).join(", ") || "(unknown)",
      one.fingerprint || one.layout,
      String(one.blockSize),
      bytesText(one.slotBytes),
      held(one.host),
      held(one.disk),
    ]),
  ]);
}

/** Sizes and counts of the tiers. */
export function statLines(facts: KvFacts): string[] {
  const { host, disk } = facts;
  if (facts.off || host === undefined) return ["no tiers: the host tier is off (--kv-host)"];
  const used = ({ bytes, usedBytes }: { bytes: number; usedBytes: number }) =>
    `${bytesText(usedBytes)} of ${bytesText(bytes)}`;
  const { hits, misses, evictions, damaged } = host.counts;
  const lines = [
    `memory: ${used(host)}, ${host.blocks} blocks, ${host.path}`,
    `  ${hits} hits, ${misses} misses, ${evictions} evicted, ${damaged} damaged`,
  ];
  if (disk === undefined) return [...lines, "disk: off (--kv-disk SIZE[:DIR])"];
  const { counts, queue, read, written } = disk;
  const speed = ({ bytes, bytesPerSecond }: { bytes: number; bytesPerSecond: number }) =>
    `${bytesText(bytes)}${bytesPerSecond === 0 ? "" : ` at ${bytesText(bytesPerSecond)}/s`}`;
  const errors = counts.readErrors + counts.writeErrors;
  return [
    ...lines,
    `disk: ${used(disk)}, ${disk.blocks} blocks, ${disk.folder}${
      disk.direct ? "" : " (through the page cache)"
    }`,
    ...(disk.off ? ["  OFF until the next start: the disk failed"] : []),
    `  ${counts.hits} hits, ${counts.evictions} evicted, ${counts.damaged} damaged, ${errors} errors`,
    `  read ${speed(read)}, written ${speed(written)}, ${queue.writes} blocks wait to be written`,
  ];
}

/** What a check of every block found. */
export function verifyLines(tiers: Readonly<Record<string, KvVerified>>): string[] {
  return Object.entries(tiers).map(([tier, { blocks, bytes, damaged, unreadable, ms }]) => {
    const name = tier === "host" ? "memory" : tier;
    const found = damaged + unreadable === 0
      ? "all whole"
      : `${damaged} damaged (dropped), ${unreadable} unreadable`;
    return `${name}: ${blocks} blocks, ${bytesText(bytes)} in ${Math.round(ms)} ms: ${found}`;
  });
}

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  return rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at])).join("  ").trimEnd());
}
