import { recordingLog } from "@pixii/runtime";
import { DiskTrial } from "@pixii/kvbm/testing";
import { median } from "./figure.ts";
import type { Figure } from "./figure.ts";

/** What the rows of the disk tier are measured on. */
export interface KvDiskOptions {
  /** Folder on the disk that is measured. */
  readonly folder: string;
  /** Bytes of a block's slot: whole pages. */
  readonly slotBytes: number;
  readonly blocks: number;
  /** Rounds, interleaved. */
  readonly rounds: number;
}

/** What both sides may have under way at a time: so many reads or writes of one block. */
const depth = 16;

/**
 * `kv.disk_write_vs_fio`, `kv.disk_read_vs_fio`: blocks written to and brought back from the disk tier on its own way
 * (places, index, checksums, leases), as a share of what fio moves past the page cache with requests of a block's size.
 * The same sizes once more in GB/s (10^9).
 */
export async function kvDiskFigures(options: KvDiskOptions): Promise<readonly Figure[]> {
  const { folder, slotBytes, blocks, rounds } = options;
  const own = await Deno.makeTempDir({ dir: folder, prefix: "pixii-bench-kv-" });
  try {
    await using trial = await DiskTrial.open({
      ...{ folder: `${own}/tier`, poolPath: `/dev/shm/pixii-trial-${Deno.pid}` },
      ...{ slotBytes, blocks, log: recordingLog() },
    });
    if (!trial.isDirect) {
      console.error("kv.disk: no direct I/O in this folder: the page cache is measured");
    }
    const gigabytes = trial.bytes / 1e9;
    const timed = async (work: () => Promise<void>) => {
      const startedMs = performance.now();
      await work();
      return gigabytes / ((performance.now() - startedMs) / 1000);
    };
    const speeds = { write: [] as number[], read: [] as number[] };
    const fio = { write: [] as number[], read: [] as number[] };
    for (let round = -1; round < rounds; round++) {
      for (const way of ["write", "read"] as const) {
        const theirs = await fioSpeed(way, { path: `${own}/fio`, slotBytes, bytes: trial.bytes });
        const ours = await timed(() => trial[way]());
        // The first round warms up: files get their places.
        if (round < 0) continue;
        speeds[way].push(ours);
        if (theirs !== undefined) fio[way].push(theirs);
      }
    }
    return figuresOf(speeds, fio);
  } finally {
    await Deno.remove(own, { recursive: true });
  }
}

type Speeds = Readonly<Record<"write" | "read", readonly number[]>>;

function figuresOf(speeds: Speeds, fio: Speeds): Figure[] {
  const figures: Figure[] = [];
  for (const way of ["write", "read"] as const) {
    if (fio[way].length > 0) {
      const ratios = speeds[way].map((value, i) => value / fio[way][i]);
      figures.push({
        ...{ figure: `kv.disk_${way}_vs_fio`, value: median(ratios), unit: "ratio" },
        ...{ better: "higher", anchor: "fio, GB/s", anchorValue: median(fio[way]) },
        ...{ ratio: median(ratios), runs: ratios },
      });
    } else console.error(`kv.disk_${way}_vs_fio: no fio on PATH (apt-get install fio)`);
    const runs = speeds[way];
    figures.push({
      ...{ figure: `kv.disk_${way}`, value: median(runs), unit: "GB/s", better: "higher", runs },
    });
  }
  return figures;
}

/** What fio moves, in GB/s; nothing where there is no fio. */
async function fioSpeed(
  way: "write" | "read",
  { path, slotBytes, bytes }: { path: string; slotBytes: number; bytes: number },
): Promise<number | undefined> {
  try {
    const { code, stdout, stderr } = await new Deno.Command("fio", {
      args: [
        ...["--name=kv", `--filename=${path}`, `--size=${bytes}`, `--bs=${slotBytes}`],
        ...[`--rw=${way}`, `--iodepth=${depth}`, "--direct=1", "--ioengine=libaio"],
        ...["--overwrite=1", "--output-format=json"],
      ],
      ...{ stdout: "piped", stderr: "piped" },
    }).output();
    if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
    const said = JSON.parse(new TextDecoder().decode(stdout));
    return said.jobs[0][way].bw_bytes / 1e9;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
