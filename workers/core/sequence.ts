import { routeHashes } from "@pixii/wire";
import type { HashList } from "@pixii/wire";
import type { EngineRequest } from "../engine.ts";
import type { HostRun } from "../kv_store/kv_store.ts";
import type { Candidates } from "./candidates.ts";
import type { KvSalt } from "./kv_salt.ts";
import { TokenSampler } from "./sampler.ts";

/** One stream inside the batcher. */
export interface Sequence {
  readonly request: EngineRequest;
  readonly salt: KvSalt;
  readonly sampler: TokenSampler;
  /** Prompt and everything generated. */
  readonly tokens: number[];
  readonly arrival: number;
  /** Slot of the cache; `undefined` while it waits. */
  slot: number | undefined;
  /** Tokens it found in the cache when it was first admitted. */
  cachedTokens: number | undefined;
  /** Room for its prompt was made. */
  hasRoom: boolean;
  /** Tokens it took from the host tier; and those that the host tier had to fetch from below for it. */
  hostTokens: number;
  fetchedTokens: number;
  /** What the host tier has of it, pinned, until it was used or is of no use. */
  host: HostRun | undefined;
  /** Whole blocks that were given to another worker, of a sequence that gives its own. */
  given: number;
  /** Whole blocks that the host tier has of it already, as far as was looked. */
  kept: number;
  /** Slots of its blocks in the host tier as they were when it came: what is there need not be given. */
  readonly held: Uint32Array | undefined;
  /** The first token, once it is drawn, of a sequence that has nothing left to do but give. */
  firstToken: number | undefined;
  /** The cached count was sent. */
  introduced: boolean;
  /** RouteHashes of the blocks it may reuse, as far as they were asked for. */
  hashes: HashList;
}

/** A stream that waits. `candidates` is shared by all sequences of a thread; `host` is what the host tier has of it. */
export function sequenceOf(
  request: EngineRequest,
  { arrival, candidates, host }: {
    readonly arrival: number;
    readonly candidates: Candidates;
    readonly host: HostRun | undefined;
  },
): Sequence {
  const prompt = request.tokens.length - request.emitted;
  return {
    request,
    salt: { adapterDigest: request.adapter, tenantSalt: request.tenantSalt },
    sampler: new TokenSampler(request.sampling, request.choice, {
      prompt: request.tokens.subarray(0, prompt),
      output: request.tokens.subarray(prompt),
      candidates,
    }),
    tokens: Array.from(request.tokens),
    arrival,
    slot: undefined,
    cachedTokens: undefined,
    hasRoom: false,
    hostTokens: 0,
    fetchedTokens: 0,
    host,
    given: 0,
    kept: 0,
    held: host?.slots.slice(),
    firstToken: undefined,
    introduced: false,
    hashes: { hi: new Uint32Array(), lo: new Uint32Array() },
  };
}

/** Hashes of the blocks a sequence may reuse: at most floor((n-1)/blockSize), since its last token has to be computed. */
export function reusableHashes(sequence: Sequence, blockSize: number): HashList {
  const maxBlocks = Math.floor((sequence.tokens.length - 1) / blockSize);
  if (sequence.hashes.hi.length !== maxBlocks) {
    sequence.hashes = routeHashes(sequence.tokens, { blockSize, maxBlocks, ...sequence.salt });
  }
  return sequence.hashes;
}

/** Output index of a sequence's next token: where its sampler stands. */
export function outputIndex({ request, tokens }: Sequence): number {
  return request.emitted + tokens.length - request.tokens.length;
}

/** Order of service: higher priority first, then by arrival. Negative where `a` goes first. */
export function byRank(a: Sequence, b: Sequence): number {
  return b.request.priority - a.request.priority || a.arrival - b.arrival;
}
