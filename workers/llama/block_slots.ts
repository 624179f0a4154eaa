import { crc32 } from "node:zlib";
import { payloadOffset, readStoredBlock, writeStoredBlock } from "@pixii/wire";
import type { StoredBlock } from "@pixii/wire";
import { SharedMemory } from "@pixii/runtime";
import type { GivePlan } from "../core/give_plan.ts";
import type { Restored, RestorePlan } from "../core/host_restore.ts";
import type { KvSalt } from "../core/kv_salt.ts";
import type { LeavingBlock } from "../core/leaving_block.ts";
import type { MappedPool } from "../kv_store/kv_store.ts";
import { scopeDigest } from "../kv_store/scope_digest.ts";
import type { LlamaContext } from "./context.ts";
import { endStateBytes } from "./host_block_kind.ts";
import type { HostBlockKind } from "./host_block_kind.ts";
import { stateBytes, stateProblem } from "./state_blob.ts";

/** Scopes remembered with their digests. */
const mostScopes = 1_024;

/** A block to write: where it is in the cache, the slot's page, and what goes with it. */
export interface BlockToCut {
  /** Slot of the cache. */
  readonly slot: number;
  readonly page: number;
  readonly block: LeavingBlock;
  readonly handover?: GivePlan["handover"];
  /** It is a prompt's end: the row of logits behind its last token. */
  readonly row?: Float32Array;
}

/** A block in the host tier that is of no use. */
export interface Unread {
  readonly problem: "damaged" | "unusable";
  /** Slot of the host tier. */
  readonly host: number;
}

/** Blocks as they lie in the slots of a mapped pool: written from the engine's cache, checked and taken back. */
export class BlockSlots {
  readonly pool: MappedPool;
  readonly kind: HostBlockKind;
  /** Bytes of a whole block's state. */
  readonly payloadBytes: number;
  readonly #memory: SharedMemory;
  readonly #row: Uint8Array<ArrayBuffer>;
  readonly #scopes = new Map<string, Uint8Array>();

  constructor(pool: MappedPool, kind: HostBlockKind) {
    this.pool = pool;
    this.kind = kind;
    this.payloadBytes = stateBytes(kind.blockSize, kind.shape);
    this.#memory = SharedMemory.at(pool);
    this.#row = new Uint8Array(kind.rowBytes);
  }

  /** True where the end of a prompt with so many tokens behind its last reusable block fits a slot. */
  canKeepEnd(tail: number): boolean {
    return endStateBytes(this.kind, tail) !== undefined;
  }

  /** Cuts a block into a slot, with header and checksums; false where the engine does not give it. */
  write(context: LlamaContext, { slot, page, block, handover, row }: BlockToCut): boolean {
    const { kind, pool } = this;
    const tokens = block.tokens.length;
    // A tail fragment may be shorter than a block, and is in its place.
    const cutBytes = row === undefined
      ? stateBytes(tokens, kind.shape)
      : endStateBytes(kind, tokens) ?? 0;
    const payloadBytes = cutBytes + (row?.byteLength ?? 0);
    const payloadAt = payloadOffset(tokens);
    const offset = page * pool.pageBytes;
    const start = block.index * kind.blockSize;
    const isCut = cutBytes === 0 || context.cut(
      { slot, start, end: start + tokens },
      { pointer: this.#memory.pointer(offset + payloadAt, cutBytes), bytes: cutBytes },
    );
    if (!isCut) return false;
    const bytes = this.#memory.view(offset, pool.slotBytes);
    if (row !== undefined) bytes.set(bytesOf(row), payloadAt + cutBytes);
    const header: StoredBlock = {
      key: { route: { hi: block.hi, lo: block.lo }, layout: kind.layout },
      parent: block.index === 0 ? undefined : { hi: block.parentHi, lo: block.parentLo },
      index: block.index,
      tokens: block.tokens,
      scope: this.#scope(block.salt),
      decoded: block.decoded,
      payloadBytes,
      payloadCrc: crc32(bytes.subarray(payloadAt, payloadAt + payloadBytes)),
      ...(handover === undefined ? undefined : { handover }),
      ...(row === undefined ? undefined : { end: true }),
    };
    writeStoredBlock(bytes, header, crc32);
    return true;
  }

  /** Takes a block back to the end of a slot of the cache after everything about it was compared. */
  read(context: LlamaContext, plan: RestorePlan): Restored | Unread {
    if (plan.end !== undefined) return this.#readEnd(context, plan);
    const cutBytes = stateBytes(plan.tokens.length, this.kind.shape);
    const found = this.#checked(plan, cutBytes);
    if (typeof found === "string") return { problem: found, host: plan.host };
    const { handover } = found.block;
    // The first token that comes with a tail is for the place where this stream stands.
    if (plan.isTail && handover?.index !== plan.sequence.request.emitted) {
      return { problem: "damaged", host: plan.host };
    }
    const problem = this.#place(context, plan, { ...found, cutBytes });
    if (problem !== undefined) return { problem, host: plan.host };
    return { decoded: found.block.decoded, token: handover?.token };
  }

  /** The row first: only with it the block that a prompt ends with is of use. */
  #readEnd(context: LlamaContext, plan: RestorePlan): Restored | Unread {
    const { kind } = this;
    const { host } = plan;
    const cutBytes = endStateBytes(kind, plan.tokens.length);
    if (cutBytes === undefined) return { problem: "unusable", host };
    const found = this.#checked(plan, cutBytes + kind.rowBytes);
    if (typeof found === "string") return { problem: found, host };
    if (found.block.end !== true) return { problem: "damaged", host };
    const rowAt = found.at + cutBytes;
    this.#row.set(this.#memory.view(rowAt, kind.rowBytes));
    const row = new Float32Array(this.#row.buffer);
    const body = plan.end?.body;
    if (body !== undefined) {
      const how = this.read(context, { ...plan, ...body, end: undefined });
      return "problem" in how ? how : { ...how, row };
    }
    const problem = this.#place(context, plan, { ...found, cutBytes });
    return problem === undefined ? { decoded: found.block.decoded, row } : { problem, host };
  }

  /** Header and place of the payload of a block that is whole and the one that is wanted. */
  #checked(
    plan: RestorePlan,
    payloadBytes: number,
  ): { readonly block: StoredBlock; readonly at: number } | Unread["problem"] {
    const { kind, pool } = this;
    const payloadAt = payloadOffset(plan.tokens.length);
    const offset = plan.page * pool.pageBytes;
    const bytes = this.#memory.view(offset, pool.slotBytes);
    const header = readStoredBlock(bytes, crc32);
    if (!header.ok) return "damaged";
    const block = header.value;
    const isNamed = same(block.key.layout, kind.layout) && same(block.key.route, plan);
    if (!isNamed || block.payloadBytes !== payloadBytes) return "damaged";
    if (!this.#isWanted(block, plan)) return "unusable";
    if (kind.prefilledOnly && block.decoded) return "unusable";
    const payload = bytes.subarray(payloadAt, payloadAt + payloadBytes);
    if (crc32(payload) !== block.payloadCrc) return "damaged";
    return { block, at: offset + payloadAt };
  }

  /** Gives the engine `cutBytes` of state; says why not. */
  #place(
    context: LlamaContext,
    plan: RestorePlan,
    { at, cutBytes }: { readonly at: number; readonly cutBytes: number },
  ): Unread["problem"] | undefined {
    const { shape, blockSize } = this.kind;
    const tokens = plan.tokens.length;
    const start = plan.index * blockSize;
    const state = this.#memory.view(at, cutBytes);
    if (stateProblem(state, { shape, start, tokens }) !== undefined) return "damaged";
    const pointer = this.#memory.pointer(at, cutBytes);
    return context.place(plan.slot, { pointer, bytes: cutBytes }) ? undefined : "unusable";
  }

  /** A 64-bit hash alone decides nothing: place, parent, owner and tokens have to be those of the prompt. */
  #isWanted(block: StoredBlock, { index, parentHi, parentLo, tokens, sequence }: RestorePlan) {
    const parent = index === 0 ? undefined : { hi: parentHi, lo: parentLo };
    const isNext = parent === undefined
      ? block.parent === undefined
      : block.parent !== undefined && same(block.parent, parent);
    const scope = this.#scope(sequence.salt);
    return isNext && block.index === index && block.tokens.length === tokens.length &&
      scope.every((byte, i) => byte === block.scope[i]) &&
      tokens.every((token, i) => token === block.tokens[i]);
  }

  #scope(salt: KvSalt): Uint8Array {
    const key = `${salt.adapterDigest}\n${salt.tenantSalt}`;
    let digest = this.#scopes.get(key);
    if (digest === undefined) {
      if (this.#scopes.size >= mostScopes) this.#scopes.clear();
      this.#scopes.set(key, digest = scopeDigest(salt));
    }
    return digest;
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function same(
  a: { readonly hi: number; readonly lo: number },
  b: { readonly hi: number; readonly lo: number },
): boolean {
  return a.hi === b.hi && a.lo === b.lo;
}
