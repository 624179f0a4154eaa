import type { Role, RoleFlip, RoleState } from "@pixii/wire";

/** Streams that run now, by kind: prompts computed for others, and answers. */
export interface LiveKinds {
  readonly prompts: number;
  readonly answers: number;
}

/** A role that is wished for. */
export interface RoleWish {
  /** The same id is followed once. */
  readonly id: string;
  readonly role: Role;
  /** The change is given up after this. */
  readonly boundMs: number;
}

/** Streams of the kind that drains are still taken this long: their routers had not heard of it. */
const lateMs = 1_000;

/**
 * The role of one worker and its change: streams of the kind that the new role does not take run to their end, then the
 * role is the new one. A change that has not ended within its bound is given up and the old role stays. Pure: time and
 * counts are arguments. Every change ends, whatever becomes of who wished it.
 */
export class RoleTurn {
  #role: Role;
  #flip: RoleFlip | undefined;
  #startMs = 0;
  #endMs = 0;
  /** Why nothing changes any more, where that is so. */
  #over: string | undefined;

  constructor(role: Role) {
    this.#role = role;
  }

  /** What load reports say. */
  get state(): RoleState {
    return this.#flip === undefined ? { role: this.#role } : { role: this.#role, flip: this.#flip };
  }

  /** True while work drains. */
  get isFlipping(): boolean {
    return this.#flip?.state === "flipping";
  }

  /** Takes a wish and answers how it stands; a new one takes the place of one that is under way. */
  wish(wish: RoleWish, live: LiveKinds, nowMs: number): RoleFlip {
    const { id, role: to, boundMs } = wish;
    if (this.#flip?.id === id) return this.#flip;
    if (this.#over !== undefined) {
      return this.#flip = { id, to, state: "gave-up", reason: this.#over };
    }
    if (this.#flip?.state !== "flipping" || this.#flip.to !== to) this.#startMs = nowMs;
    this.#endMs = nowMs + boundMs;
    this.#flip = { id, to, state: "flipping" };
    this.look(live, nowMs);
    return this.#flip;
  }

  /** Nothing changes any more: what is under way is given up, and every later wish at once. False where none was. */
  end(reason: string): boolean {
    this.#over = reason;
    return this.giveUp(reason);
  }

  /** Gives up a change that is under way; false where none is. */
  giveUp(reason: string): boolean {
    if (this.#flip?.state !== "flipping") return false;
    this.#flip = { ...this.#flip, state: "gave-up", reason };
    return true;
  }

  /** Ends a change whose work has drained, or whose time is over. True where it ended. */
  look(live: LiveKinds, nowMs: number): boolean {
    if (this.#flip?.state !== "flipping") return false;
    const { to } = this.#flip;
    const left = drains(this.#role, to, "answers") ? live.answers : 0;
    const legs = drains(this.#role, to, "prompts") ? live.prompts : 0;
    if (left + legs === 0) {
      this.#role = to;
      this.#flip = { ...this.#flip, state: "done" };
      return true;
    }
    if (nowMs < this.#endMs) return false;
    const seconds = Math.round((this.#endMs - this.#startMs) / 100) / 10;
    return this.giveUp(
      `${left + legs} streams still ran after ${seconds} s; it stays ${this.#role}`,
    );
  }

  /** True where a stream of this kind comes too late: its kind drains. */
  refuses(kind: keyof LiveKinds, nowMs: number): boolean {
    if (this.#flip?.state !== "flipping" || nowMs - this.#startMs < lateMs) return false;
    return drains(this.#role, this.#flip.to, kind);
  }
}

/** True where `from` takes work of a kind that `to` does not. */
function drains(from: Role, to: Role, kind: keyof LiveKinds): boolean {
  return takes(from, kind) && !takes(to, kind);
}

function takes(role: Role, kind: keyof LiveKinds): boolean {
  return role !== (kind === "answers" ? "prefill" : "decode");
}
