import { commonOptions, option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";
import { evictionNames } from "./core/eviction_order.ts";
import { diskPattern, diskRule } from "./disk/disk_place.ts";

/** The block manager's options. */
export const kvbmSchema = {
  ...commonOptions,
  "kv.host": option.bytes({
    fallback: 512 * 1024 * 1024,
    min: 0,
    max: 2 ** 44,
    help:
      "Size of the host tier in shared memory; 0 = off. Taken at the start, less where there is no room.",
  }),
  "kv.evict": option.choice(evictionNames, {
    fallback: "worth",
    help:
      "Which block leaves a full tier first: worth = the least likely to be asked for again, by what was learnt; lru = the least recently used.",
  }),
  "kv.pool": option.text({
    fallback: "",
    placeholder: "DIR",
    help:
      "Folder of the pool, which the workers of this host map; empty: /dev/shm on Linux, else the temporary folder.",
  }),
  "kv.socket": option.text({
    fallback: "",
    placeholder: "PATH",
    help: "Unix socket for the workers of this host; empty: one in the temporary folder.",
  }),
  "kv.segment": option.bytes({
    fallback: 16 * 1024 * 1024,
    min: 64 * 1024,
    max: 2 ** 32,
    help: "Unit that one size of blocks takes of the pool; no block may be longer.",
  }),
  "kv.disk": option.text({
    fallback: "",
    placeholder: "SIZE[:DIR]",
    help:
      "Size and folder of the disk tier below the host tier; it outlives restarts. Without DIR: kv in Pixii's cache; empty: off.",
    pattern: diskPattern,
    rule: diskRule,
  }),
  "kv.disk-rate": option.bytes({
    fallback: 512 * 1024 * 1024,
    min: 64 * 1024,
    max: 2 ** 40,
    help: "Most bytes a second that are written to the disk tier, behind the workers' back.",
  }),
  "kv.peer-listen": option.text({
    fallback: "127.0.0.1:0",
    placeholder: "HOST:PORT",
    help:
      "Where block managers of other hosts get blocks over TCP; port 0 takes any free one, off gives none. Bound to this machine unless told otherwise.",
    pattern: /^(off|\S+:\d{1,5})$/,
    rule: "must be HOST:PORT or off",
  }),
  "kv.peer-secret": option.text({
    fallback: "",
    placeholder: "TEXT",
    secret: true,
    help:
      "What block managers prove to know before one gives blocks to another; the same for all. Empty: no proof.",
  }),
} as const;

/** The block manager's config. */
export type KvbmConfig = ConfigOf<typeof kvbmSchema>;
