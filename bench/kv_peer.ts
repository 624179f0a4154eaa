import { recordingLog, splitAddress } from "@pixii/runtime";
import { PeerTrial } from "@pixii/kvbm/testing";
import { median } from "./figure.ts";
import type { Figure } from "./figure.ts";

/** What the rows of peers are measured on. */
export interface KvPeerOptions {
  /** Bytes of a block's slot: whole pages. */
  readonly slotBytes: number;
  readonly blocks: number;
  /** Rounds, interleaved. */
  readonly rounds: number;
}

/**
 * `kv.handover_vs_tcp`: what a kvbm pulls from another process on its own way (reserve, pull, both checksums, commit,
 * `landed`), as a share of what a bare TCP connection between the same two processes copies in reads and writes of a block.
 * `kv.peer_pull`: the same in GB/s (10^9) beside memcpy from pool to pool.
 */
export async function kvPeerFigures(options: KvPeerOptions): Promise<readonly Figure[]> {
  const { slotBytes, blocks, rounds } = options;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--quiet"],
      new URL("./kv_peer_giver.ts", import.meta.url).pathname,
      ...[`${slotBytes}`, `${blocks}`],
    ],
    ...{ stdin: "piped", stdout: "piped", stderr: "inherit" },
  }).spawn();
  try {
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const addresses = JSON.parse((await reader.read()).value!);
    const poolPath = `/dev/shm/pixii-trial-asker-${Deno.pid}`;
    const log = recordingLog();
    await using trial = await PeerTrial.open(
      { poolPath, slotBytes, blocks, log },
      addresses.blocks,
    );
    using bare = await Deno.connect({ transport: "tcp", ...splitAddress(addresses.bare)! });
    bare.setNoDelay(true);
    const ways = {
      pull: () => trial.pull(),
      bare: () => copyBare(bare, trial, options),
      memory: () => Promise.resolve(copyMemory(trial, options)),
    };
    const speeds: Record<keyof typeof ways, number[]> = { pull: [], bare: [], memory: [] };
    for (let round = -1; round < rounds; round++) {
      for (
        const [name, run] of Object.entries(ways) as [keyof typeof ways, () => Promise<void>][]
      ) {
        const startedMs = performance.now();
        await run();
        const gigabytes = trial.bytes / 1e6 / (performance.now() - startedMs);
        // The first round warms up: pages are touched, the link is made.
        if (round >= 0) speeds[name].push(gigabytes);
      }
    }
    return figuresOf(speeds);
  } finally {
    await child.stdin.close();
    await child.status;
  }
}

async function copyBare(
  connection: Deno.TcpConn,
  trial: PeerTrial,
  { slotBytes, blocks }: KvPeerOptions,
): Promise<void> {
  await connection.write(Uint8Array.of(1));
  for (let i = 0; i < blocks; i++) {
    const view = trial.view(i * slotBytes, slotBytes);
    for (let at = 0; at < slotBytes;) {
      const count = await connection.read(view.subarray(at));
      if (count === null) throw new Error("the other process ended");
      at += count;
    }
  }
}

function copyMemory(trial: PeerTrial, { slotBytes, blocks }: KvPeerOptions): void {
  const half = blocks * slotBytes;
  for (let i = 0; i < blocks; i++) {
    trial.view(i * slotBytes, slotBytes).set(trial.view(half + i * slotBytes, slotBytes));
  }
}

function figuresOf(
  speeds: Readonly<Record<"pull" | "bare" | "memory", readonly number[]>>,
): Figure[] {
  const { pull, bare, memory } = speeds;
  const shares = pull.map((speed, i) => speed / bare[i]);
  const [ours, theirs, copied] = [median(pull), median(bare), median(memory)];
  return [
    {
      ...{ figure: "kv.handover_vs_tcp", value: median(shares), unit: "ratio", better: "higher" },
      ...{ anchor: "bare TCP loopback, GB/s", anchorValue: theirs, ratio: ours / theirs },
      runs: shares,
    },
    {
      ...{ figure: "kv.peer_pull", value: ours, unit: "GB/s", better: "higher" },
      ...{ anchor: "memcpy, GB/s", anchorValue: copied, ratio: ours / copied, runs: pull },
    },
  ];
}
