/** Protocol bounds, units last. Their relations are asserted in `limits_test.ts`. */
export const limits = {
  /** Largest message on the bus; larger things go in parts. */
  messageBytes: 512 * 1024,
  /** Payload of one part, leaving room for its header inside a message. */
  partBytes: 512 * 1024 - 64,
  /** Largest thing that travels in parts (vocabulary artifacts, snapshots). */
  assembledBytes: 256 * 1024 * 1024,
  /** Deepest nesting of a MessagePack message. */
  nestingDepth: 24,
  /** Most streams of one step frame. */
  frameStreams: 4096,
  /** Most ledger entries of one message. */
  ledgerEntries: 256,
  /** Longest wait before a ledger batch is published. */
  ledgerBatchMs: 1,
  /** A generate request is accepted within this or re-routed. */
  acceptMs: 1_000,
  /** A frontend renews its live streams this often. */
  renewEveryMs: 500,
  /** A stream not renewed for this long is cancelled. */
  renewLostMs: 2_000,
  /** A worker keeps emitted tokens this long unless acknowledged. */
  resumeKeepMs: 30_000,
  /** Frontends tell planners of demand this often. */
  demandEveryMs: 1_000,
  /** Load reports are published this often. */
  loadEveryMs: 250,
  /** Block managers tell the numbers of their KV events this often. */
  kvBeatEveryMs: 1_000,
  /** Silent for this long: no new work. */
  suspectMs: 750,
  /** Silent for this long: migrate. */
  deadMs: 3_000,
  /** A router tells of the requests that wait in its queue this often. */
  queueBeatMs: 500,
  /** A router that told nothing of a waiting request for this long is down. */
  queueSilentMs: 1_750,
  /** Streams in flight wait this long for the bus before they end with an error. */
  reconnectWaitMs: 5_000,
  /** Longest model name, in UTF-8 bytes. */
  modelNameBytes: 256,
} as const;
