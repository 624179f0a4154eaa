import type { InstanceId } from "@pixii/wire";
import {
  MemoryByteNetwork,
  recordingLog,
  seededChance,
  systemClock,
  TcpNetwork,
} from "@pixii/runtime";
import type { ByteNetwork } from "@pixii/runtime";
import { blockTransportContract } from "./block_transport_contract.ts";
import { StreamTransport } from "./stream_transport.ts";
import { transferLimits } from "./transfer_limits.ts";

const clock = systemClock();
const log = recordingLog();

function over(name: string, open: () => ByteNetwork): void {
  blockTransportContract(name, {
    ignore: false,
    open: () => {
      const network = open();
      let parties = 0;
      return {
        address: "127.0.0.1:0",
        party: ({ namespace = "default", secret = "" } = {}) => {
          const kvbm = `00000000000000a${++parties % 10}` as InstanceId;
          return new StreamTransport({
            ...{ network, kvbm, namespace, secret, clock, log, limits: transferLimits },
            chance: seededChance(parties),
          });
        },
      };
    },
  });
}

over("TCP", () => new TcpNetwork({ clock, log }));
over("memory", () => new MemoryByteNetwork());
