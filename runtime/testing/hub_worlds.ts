import { MemoryHub } from "../bus_memory.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { MemoryRegistryHub } from "../registry_memory.ts";
import { SocketHub } from "../socket_hub.ts";

/** A bus or registry to test: clients of it, and its going away and coming back. */
export interface HubWorld<View> extends AsyncDisposable {
  connect(): Promise<View>;
  down(): Promise<void>;
  up(): Promise<void>;
}

/** A hub in memory, whose views are cut off and come back. */
export function memoryWorld<View extends { disconnect(): void; reconnect(): void }>(
  hub: { connect(): View },
): HubWorld<View> {
  const views: View[] = [];
  return {
    connect: () => {
      const view = hub.connect();
      views.push(view);
      return Promise.resolve(view);
    },
    down: () => Promise.resolve(views.forEach((view) => view.disconnect())),
    up: () => Promise.resolve(views.forEach((view) => view.reconnect())),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A hub behind a Unix socket, which ends and is opened again, empty. */
export async function socketWorld<View>(
  parts: { readonly clock: Clock; readonly log: Log },
  connect: (url: string) => Promise<View>,
): Promise<HubWorld<View>> {
  const folder = await Deno.makeTempDir({ prefix: "pixii-hub-" });
  const open = () =>
    SocketHub.open({
      ...{ ...parts, path: `${folder}/bus.sock` },
      bus: new MemoryHub(parts),
      registry: new MemoryRegistryHub(parts),
    });
  let hub = open();
  return {
    connect: () => connect(hub.url),
    down: () => hub[Symbol.asyncDispose](),
    up: () => Promise.resolve(void (hub = open())),
    async [Symbol.asyncDispose]() {
      await hub[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
