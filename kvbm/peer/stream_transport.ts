import { ok } from "@pixii/wire";
import type { InstanceId, Result } from "@pixii/wire";
import type { ByteNetwork, Chance, Clock, Log } from "@pixii/runtime";
import type {
  BlockDoor,
  BlockGiver,
  BlockKind,
  BlockLink,
  BlockTransport,
} from "./block_transport.ts";
import { greet } from "./stream_greeting.ts";
import { StreamGiver } from "./stream_giver.ts";
import { StreamLink } from "./stream_link.ts";
import { TransferChannel } from "./transfer_channel.ts";
import type { TransferLimits } from "./transfer_limits.ts";

/** What the transport is made of. */
export interface StreamTransportParts {
  readonly network: ByteNetwork;
  /** Who speaks. */
  readonly kvbm: InstanceId;
  readonly namespace: string;
  /** What both sides must know; empty: nothing. Never logged. */
  readonly secret: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly limits: TransferLimits;
}

/** Blocks over byte streams, one per link. */
export class StreamTransport implements BlockTransport {
  readonly #parts: StreamTransportParts;

  constructor(parts: StreamTransportParts) {
    this.#parts = parts;
  }

  async listen(address: string, giver: BlockGiver): Promise<Result<BlockDoor>> {
    const parts = this.#parts;
    return await parts.network.listen(address, async (stream) => {
      using channel = new TransferChannel(stream, parts.clock);
      const asker = await StreamGiver.admit(channel, giver, parts);
      await asker?.run();
    });
  }

  async dial(address: string, kind: BlockKind): Promise<Result<BlockLink>> {
    const { network, clock, limits } = this.#parts;
    const connected = await network.connect(address, limits.dialMs);
    if (!connected.ok) return connected;
    const channel = new TransferChannel(connected.value, clock);
    const greeted = await greet(channel, kind, this.#parts);
    if (!greeted.ok) {
      channel.close();
      return greeted;
    }
    return ok(new StreamLink(channel, { ...greeted.value, ...{ kind, clock, limits } }));
  }
}
