import { decode, encode, fail, ok, u32sOf } from "@pixii/wire";
import type { Control, Failure, Result } from "@pixii/wire";
import type { FetchDesk } from "./fetch_desk.ts";
import type { KvStreams } from "./kv_stream.ts";
import type { PeerSide } from "./peer/peer_side.ts";
import type { SnapshotShelf } from "./snapshot_shelf.ts";

/** Who answers what is sent to `ctl.<kvbm>`. */
export interface TierControlParts {
  readonly host: KvStreams;
  /** Where there is a disk tier. */
  readonly disk: KvStreams | undefined;
  readonly desk: FetchDesk;
  readonly shelf: SnapshotShelf;
  readonly peers: Pick<PeerSide, "chosen">;
}

/** The answer to a control message: bytes of a reply or of a refusal; what was published is answered too, to nobody. */
export function answerControl(payload: Uint8Array, parts: TierControlParts): Uint8Array {
  const decoded = decode("control", payload);
  const answered = decoded.ok ? answerTo(decoded.value, parts) : decoded;
  return answered.ok ? answered.value : encode("refusal", { error: answered.error as Failure });
}

function answerTo(message: Control, parts: TierControlParts): Result<Uint8Array> {
  const { host, disk, shelf } = parts;
  switch (message.op) {
    case "snapshot":
      return (message.tier === "disk" && disk !== undefined ? disk : host).freeze(message);
    case "audit":
      return (message.tier === "disk" && disk !== undefined ? disk : host).audit(message);
    case "snapshot-part":
      return shelf.part(message.id, message.offset);
    case "prefetch":
      return prefetch(message, parts);
    default:
      return fail(
        "not_found",
        `Cannot do ${message.op}: this program gives snapshots, answers audits and prefetches`,
      );
  }
}

function prefetch(
  { model, hi, lo, from, computeMs }: Extract<Control, { op: "prefetch" }>,
  { host, desk, peers }: TierControlParts,
): Result<Uint8Array> {
  if (hi.byteLength !== lo.byteLength) {
    return fail("invalid_request", "Cannot prefetch: hi and lo must have equal lengths");
  }
  const [his, los] = [u32sOf(hi), u32sOf(lo)];
  const routes = new Uint32Array(2 * his.length);
  his.forEach((word, i) => {
    routes[2 * i] = los[i];
    routes[2 * i + 1] = word;
  });
  for (const layout of host.layoutsOf(model)) {
    const peer = from && peers.chosen(from, layout, { routes, computeMs });
    desk.prefetch(layout, { routes, from: peer });
  }
  return ok(new Uint8Array());
}
