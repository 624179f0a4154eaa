import type { Figure } from "../figure.ts";
import { kvDiskFigures } from "../kv_disk.ts";
import { handoverFigures } from "../kv_handover.ts";
import { kvLlamaFigures } from "../kv_llama.ts";
import { kvLlamaServerFigures } from "../kv_llama_server.ts";
import { kvMemoryFigures } from "../kv_memory.ts";
import { kvNoReuseFigures } from "../kv_noreuse.ts";
import { kvOpsFigures } from "../kv_ops.ts";
import { kvPeerFigures } from "../kv_peer.ts";
import { kvSocketFigures } from "../kv_socket.ts";
import { kvTtftFigures } from "../kv_ttft.ts";
import { kvTtftPeerFigures } from "../kv_ttft_peer.ts";

/** What the rows are measured on. */
export interface KvBenchOptions {
  /** GGUF file; undefined where there is none: rows that compute are left out. */
  readonly model: string | undefined;
  /** Path of llama-server, where it is to run beside. */
  readonly peer: string | undefined;
  /** Folder on the disk that is measured. */
  readonly folder: string;
  /** Bytes of a block's slot: whole pages. */
  readonly slotBytes: number;
  /** Rounds of every row; 0 = each row's own. */
  readonly rounds: number;
  /** Longest prompt of a hand-over, in tokens. */
  readonly longest: number;
  readonly onFigure: (figure: Figure) => void;
}

/** Rows that are measured together, in turns with what they are compared with. */
export interface KvRows {
  readonly name: string;
  /** Figures, for people. */
  readonly about: string;
  /** What it cannot do without. */
  readonly needs: readonly ("model" | "peer")[];
  run(options: KvBenchOptions): Promise<void>;
}

/** Rows whose figures are all told at their end. */
function rows(
  name: string,
  about: string,
  { needs = [], of }: {
    readonly needs?: KvRows["needs"];
    readonly of: (
      options: KvBenchOptions & { readonly model: string; readonly peer: string },
      rounds: (own: number) => number,
    ) => readonly Figure[] | Promise<readonly Figure[]>;
  },
): KvRows {
  return {
    ...{ name, about, needs },
    async run(options) {
      const { model = "", peer = "", rounds, onFigure } = options;
      const own = (count: number) => rounds === 0 ? count : rounds;
      for (const figure of await of({ ...options, model, peer }, own)) onFigure(figure);
    },
  };
}

const llama = ["model"] as const;

/** All rows of `bench:kv`, the quick ones first. */
export const kvRows: readonly KvRows[] = [
  rows("ops", "kv.ops, kv.ops_short", {
    of: (_, rounds) => kvOpsFigures({ blocks: 1_000_000, rounds: rounds(5) }),
  }),
  rows("memory", "kv.pool_vs_memcpy, kv.pool_read_vs_memcpy", {
    of: ({ slotBytes }, rounds) => kvMemoryFigures({ slotBytes, blocks: 96, rounds: rounds(15) }),
  }),
  rows("socket", "kv.batched, kv.commit_p50, kv.commit_p99", {
    of: (_, rounds) => kvSocketFigures({ batch: 64, rounds: rounds(7) }),
  }),
  rows("peer", "kv.handover_vs_tcp, kv.peer_pull", {
    of: (_, rounds) => kvPeerFigures({ slotBytes: 790_528, blocks: 256, rounds: rounds(9) }),
  }),
  rows("disk", "kv.disk_write_vs_fio, kv.disk_read_vs_fio and both in GB/s", {
    of: ({ folder, slotBytes }, rounds) =>
      kvDiskFigures({ folder, slotBytes, blocks: 360, rounds: rounds(5) }),
  }),
  rows("llama", "kv.cut_vs_c, kv.cut, kv.cut_checked, kv.restore_verified", {
    needs: llama,
    of: ({ model }, rounds) => kvLlamaFigures({ model, tokens: 2048, rounds: rounds(9) }),
  }),
  rows("noreuse", "kv.noreuse_tax, kv.noreuse_per_block", {
    needs: llama,
    of: ({ model }, rounds) => kvNoReuseFigures({ model, prompts: 4 * rounds(5) }),
  }),
  {
    ...{ name: "ttft", about: "kv.ttft_over_model and kv.ttft, host and disk", needs: llama },
    run: ({ model = "", rounds, onFigure }) =>
      kvTtftFigures({ model, rounds: rounds || 5, restarts: Math.min(3, rounds || 3), onFigure }),
  },
  rows("ttft-peer", "kv.ttft_over_model and kv.ttft, peer", {
    needs: llama,
    of: ({ model }, rounds) => kvTtftPeerFigures({ model, rounds: rounds(5) }),
  }),
  rows("handover", "kv.handover_penalty, disagg.ttft_alone", {
    needs: llama,
    of: ({ model, longest }, rounds) =>
      handoverFigures({ model, longest, runs: rounds(5), seconds: 12, only: "alone" }),
  }),
  rows("beside", "disagg.itl_p50, itl_p99, ttft_p50, ttft_max", {
    needs: llama,
    of: ({ model, longest }) =>
      handoverFigures({ model, longest, runs: 1, seconds: 12, only: "beside" }),
  }),
  {
    ...{ name: "llama-server", about: "kv.ttft_vs_llama_server: cold, host, disk" },
    needs: ["model", "peer"],
    run: ({ model = "", peer = "", rounds, onFigure }) => {
      const restarts = Math.min(3, rounds || 3);
      return kvLlamaServerFigures({ model, peer, rounds: rounds || 5, restarts, onFigure });
    },
  },
];
