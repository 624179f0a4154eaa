import { encodeRecord, keys, subjects as subjectsOf } from "@pixii/wire";
import { commonOptions, hostName } from "@pixii/runtime";
import type { FrameSocket, Service, ServiceContext, ServiceSpec } from "@pixii/runtime";
import { BlockPool } from "@pixii/kvbm/core";
import { answerControl, FetchDesk, KvStreams, SnapshotShelf, StoreServer } from "@pixii/kvbm/parts";
import type { LocalHost } from "./local_host.ts";
import type { ProgramClock } from "./program_clock.ts";

/** Pages of a slot and their bytes, and slots of a segment: a small pool still has several segments. */
const slotPages = 2;
const pageBytes = 4096;
const slotsPerSegment = 8;

/** Bytes of a block of the simulated workers: they fill a slot. */
export const simBlockBytes: number = slotPages * pageBytes;

/** The host tier, in one life of the program that keeps it. */
export interface TierBooks {
  readonly instance: string;
  readonly pool: BlockPool;
  readonly desk: FetchDesk;
  readonly server: StoreServer;
  readonly streams: KvStreams;
}

/** What a simulated block manager is made with. */
export interface KvbmProgramParts {
  readonly blocks: number;
  readonly host: LocalHost;
  readonly clock: () => ProgramClock;
  /** Is told of each start. */
  readonly onOpen: (books: TierBooks) => void;
}

/**
 * The block manager's parts as the real program puts them together: books, conversation with workers, events to routers,
 * control, card. Without what leaves the event loop: shared memory, disk, peers.
 */
export function kvbmProgram(parts: KvbmProgramParts): ServiceSpec<typeof commonOptions> {
  return {
    name: "kvbm",
    summary: "A host tier without memory",
    schema: commonOptions,
    start: (_, context) => startKvbm(parts, context),
  };
}

async function startKvbm(
  { blocks, host, clock: clockOf, onOpen }: KvbmProgramParts,
  { instance, namespace, clock, bus, registry, log }: ServiceContext,
): Promise<Service> {
  await using stack = new AsyncDisposableStack();
  const segments = Math.ceil(blocks / slotsPerSegment);
  const pool = new BlockPool({ segments, segmentPages: slotPages * slotsPerSegment });
  const poolBytes = segments * slotsPerSegment * simBlockBytes;
  const subjects = subjectsOf(namespace);
  const shelf = new SnapshotShelf(clock);
  const streams: KvStreams = stack.use(
    new KvStreams({
      ...{ owner: instance, tier: "host", pool, bus, clock, subjects, shelf },
      onGone: (layout, slots) => server.gone(layout, slots),
      onBatch: () => {},
    }),
  );
  const onChange = (layout: number) => streams.changed(layout);
  const desk: FetchDesk = stack.use(
    new FetchDesk({
      ...{ pool, clock, onChange, view: (_, length) => new Uint8Array(length) },
      tell: (client, op, words) => server.tell(client, op, words),
    }),
  );
  const path = `/sim/${instance}`;
  const server: StoreServer = stack.use(
    new StoreServer({
      ...{ kvbm: instance, pool, desk, path, poolBytes, clock, log, onChange },
      startOf: (pid) => host.startOf(pid),
      onModel: ({ model }, layout) => streams.open(model, layout),
    }),
  );
  const sockets = new Set<FrameSocket>();
  stack.defer(() => sockets.forEach((socket) => socket.close()));
  const serve = async (socket: FrameSocket) => {
    sockets.add(socket);
    try {
      await server.serve(socket);
    } catch (error) {
      log.error("a connection ended by an error", { error });
    } finally {
      socket.close();
      sockets.delete(socket);
    }
  };
  stack.use(host.listen(path, { clock: clockOf(), log, serve: (socket) => void serve(socket) }));
  const control = {
    host: streams,
    disk: undefined,
    desk,
    shelf,
    peers: { chosen: () => undefined },
  };
  stack.use(bus.serve(subjects.control(instance), (payload) => answerControl(payload, control)));
  const card = { instance, host: hostName(), pid: 1, socket: path, poolBytes };
  const made = await registry.register(keys(namespace).kvbm(instance), encodeRecord("kvbm", card));
  if (!made.ok) throw new Error(made.error.message);
  stack.use(made.value);
  onOpen({ instance, pool, desk, server, streams });
  const open = stack.move();
  return {
    health: () => ({ status: "ready", details: { blocks: pool.keys.count } }),
    drain: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** What is still held in the books, in words. */
export function heldProblems(
  { pool, desk, server }: TierBooks,
  workers: readonly string[],
): readonly string[] {
  const problems: string[] = [];
  const members = server.members();
  for (const { instance, connected } of members) {
    if (!workers.includes(instance)) problems.push(`the host tier still knows ${instance}`);
    else if (!connected) problems.push(`the host tier is not connected to ${instance}`);
  }
  for (const one of workers) {
    if (!members.some(({ instance }) => instance === one)) {
      problems.push(`${one} is not known to the host tier`);
    }
  }
  for (const { number, reserved, leases } of pool.clients.values()) {
    if (reserved.size + leases.size === 0) continue;
    problems.push(`client ${number} holds ${reserved.size} slots and ${leases.size} leases`);
  }
  const { highest, pins } = pool.table;
  const pinned = pins.subarray(0, highest + 1).filter((count) => count > 0).length;
  if (pinned > 0) problems.push(`${pinned} slots of the host tier are pinned`);
  if (desk.depth > 0) problems.push(`${desk.depth} blocks of the host tier are waited for`);
  return problems;
}
