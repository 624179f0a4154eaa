import { shareBudget } from "./budget_share.ts";
import type { Wisher } from "./budget_share.ts";
import { rateOf, sameCounts, sizeOf } from "./capacity/need.ts";
import type { Counts } from "./capacity/need.ts";
import { ModelPlanner } from "./model_planner.ts";
import type { ModelWish } from "./model_planner.ts";
import { answered, countsOf, movesTo } from "./moves.ts";
import { Nap } from "./nap.ts";
import type { NapWish, Rest } from "./nap.ts";
import type { Observation, SeenModel } from "./observation.ts";
import type { PlanCandidate, PlanMove, PlanRecord } from "./plan_record.ts";
import { countsText } from "./plan_words.ts";
import type { ModelRules, Override, PlannerRules } from "./rules.ts";
import { noRoom, startRooms, withinRoom } from "./start_room.ts";
import { Vetoes } from "./vetoes.ts";
import { boundOf, candidatesOf, roomOf } from "./weighed_wish.ts";

/** While requests wait this part of the hysteresis is enough. */
const pressedPart = 0.3;
/** Records whose outcome is still waited for, at most. */
export const mostOpen = 256;

interface ModelState {
  readonly planner: ModelPlanner;
  readonly nap: Nap;
  /** Of the last step that was not an early one. */
  wish: ModelWish | undefined;
  movedMs: number;
  /** Workers in the last step. */
  had: Counts | undefined;
  /** The last decision by which roles changed: +1 = more workers compute prompts, -1 = fewer; `count` of them. */
  turn: Turn | undefined;
}

interface Turn {
  readonly way: number;
  readonly count: number;
  readonly atMs: number;
}

/**
 * The planner: what is seen goes in every few seconds, decisions come out, each with everything it was made from. It holds
 * all it knows in itself and takes time as an argument, so the same observations give the same records. It only wishes:
 * whoever acts tells it by what is seen next.
 */
export class PlannerCore {
  readonly #rules: PlannerRules;
  readonly #models = new Map<string, ModelState>();
  #nextId = 1;
  #lastMs = -Infinity;
  #open: PlanRecord[] = [];

  /** `rules` without problems (`rulesProblems`). */
  constructor(rules: PlannerRules) {
    this.#rules = rules;
  }

  /** Observations that were passed over because their clock ran backwards. */
  passedOver = 0;

  /**
   * One step of the reactive loop, every `reactiveMs`; once in `predictiveMs` it is the predictive one too. Answers a record
   * per model in the rules; those of models without rules are left out.
   */
  step(seen: Observation, overrides: readonly Override[] = []): readonly PlanRecord[] {
    if (!(seen.nowMs > this.#lastMs)) {
      this.passedOver += 1;
      return [];
    }
    this.#lastMs = seen.nowMs;
    const wishers = this.#rules.models.flatMap((rules) => {
      const model = seen.models.find((one) => one.model === rules.model);
      if (model === undefined) return [];
      const wish = this.#wishOf(rules, { seen, model });
      return [{ rules, model, ...pinned(wish, rules, overrides) }];
    });
    const shares = shareBudget(wishers as readonly Wisher[], this.#rules.budgetGpus);
    const starters = wishers.map(({ model, rest }, i) => ({
      ...{ have: countsOf(model.workers), want: shares[i], wakes: rest?.wakes ?? false },
    }));
    const taken = seen.models.reduce((sum, { workers }) => sum + workers.length, 0);
    const rooms = startRooms(starters, this.#rules.budgetGpus - taken);
    const waking = wishers.filter((_, i) => starters[i].wakes && sizeOf(shares[i]) > 0)
      .map(({ rules }) => rules.model);
    return wishers.map(({ rules, model, wish, why, rest }, i) => {
      const at = { rules, model, wish, why, rest, want: shares[i], room: rooms[i], waking };
      const { nowMs, watchesOnly = false } = seen;
      return this.#decide({ ...at, nowMs, watchesOnly, overrides });
    });
  }

  /** Records whose moves have had their time, with what came of them; each once. */
  outcomes(seen: Observation): readonly PlanRecord[] {
    const afterMs = 2 * Math.max(this.#rules.startMs, this.#rules.flipMs) + this.#rules.reactiveMs;
    const ripe = this.#open.filter(({ atMs }) => seen.nowMs - atMs >= afterMs);
    this.#open = this.#open.filter((record) => !ripe.includes(record));
    return ripe.map((record) => {
      const demand = seen.models.find(({ model }) => model === record.model)?.demand;
      const { ttftP95Ms, itlP95Ms } = demand ?? {};
      return { ...record, outcome: { atMs: seen.nowMs, ttftP95Ms, itlP95Ms } };
    });
  }

  /** Throws where its books do not add up. */
  checkIntegrity(): void {
    if (this.#open.length > mostOpen) throw new Error("more records are open than may be");
    for (const model of this.#models.keys()) {
      if (!this.#rules.models.some((one) => one.model === model)) {
        throw new Error(`${model} is planned without rules`);
      }
    }
  }

  /** What a model wants; in a look between two steps it keeps what it has, unless it wakes or goes to sleep. */
  #wishOf(
    rules: ModelRules,
    { seen, model }: { readonly seen: Observation; readonly model: SeenModel },
  ): NapWish {
    const state = this.#stateOf(rules);
    const { isEarly = false, nowMs } = seen;
    const want = countsOf(model.workers);
    const base: ModelWish = isEarly && state.wish !== undefined
      ? { ...state.wish, want, loop: "reactive", isPressed: false }
      : state.wish = state.planner.step(model, nowMs);
    return state.nap.wish(base, model, nowMs);
  }

  #stateOf(rules: ModelRules): ModelState {
    const known = this.#models.get(rules.model);
    if (known !== undefined) return known;
    const planner = new ModelPlanner(rules, this.#rules);
    const nap = new Nap(rules, this.#rules);
    const made: ModelState = {
      ...{ planner, nap, wish: undefined, movedMs: -Infinity, had: undefined, turn: undefined },
    };
    this.#models.set(rules.model, made);
    return made;
  }

  #decide(asked: Deciding): PlanRecord {
    const have = countsOf(asked.model.workers);
    const at = { ...asked, want: answered(asked.want, asked.model.workers) };
    const { rules, model, wish, want, nowMs } = at;
    const state = this.#models.get(rules.model)!;
    if (at.watchesOnly) noteMoves(state, have, nowMs);
    state.had = have;
    const candidates = candidatesOf(wish, have, want);
    const vetoes = new Vetoes(at.overrides, rules.model);
    const halted = this.#halted(at, { state, have, candidates, vetoes });
    const reason = (want === asked.want ? undefined : "nobody answers") ?? this.#givesWay(at) ??
      at.why ??
      `${wish.loop}: ${countsText(have)} -> ${countsText(want)} for ${
        wish.planned === undefined ? "?" : wish.planned.rate.toFixed(2)
      } requests/s`;
    const vetoed = (move: PlanMove["kind"]) => vetoes.ofKind(move) !== undefined;
    const all = halted !== undefined ? [] : movesTo(want, model.workers, {
      model: rules.model,
      reason,
      limits: {
        mayFlip: !vetoed("flip"),
        mayStart: this.#rules.elastic && !vetoed("start"),
        mayStop: this.#rules.elastic && !vetoed("stop"),
        mayTake: (kind, instance) => vetoes.ofWorker(kind, instance) === undefined,
      },
    });
    const moves = this.#rules.elastic ? withinRoom(all, at.room) : all;
    if (moves.length > 0 && !at.watchesOnly) state.movedMs = nowMs;
    if (moves.some(({ kind }) => kind === "flip") && !at.watchesOnly) {
      state.turn = turnOf(have, want, nowMs);
    }
    const isStill = moves.length === 0 && !sameCounts(have, want);
    const bound = halted ?? (moves.length < all.length ? noRoom : undefined) ??
      (isStill ? vetoes.why : undefined) ?? boundOf(wish, want, moves);
    const record: PlanRecord = {
      ...{ id: this.#nextId++, atMs: nowMs, model: rules.model, loop: wish.loop, now: wish.now },
      ...{ planned: wish.planned, forecast: wish.forecast, have, want, candidates, bound, moves },
      expectedRate: wish.capacity === undefined || wish.planned === undefined
        ? 0
        : rateOf(wish.capacity, want, wish.planned),
    };
    if (moves.length > 0) {
      this.#open.push(record);
      if (this.#open.length > mostOpen) this.#open.shift();
    }
    return record;
  }

  /** That a model that may sleep gives GPUs to others, in words; `undefined` where it does not. */
  #givesWay({ wish, want, waking, rest }: Deciding): string | undefined {
    if (sizeOf(want) >= sizeOf(wish.want)) return undefined;
    if (waking.length > 0) return `gives way: requests wait for ${waking.join(", ")}`;
    return rest === undefined || sizeOf(want) > 0 ? undefined : "gives way: others come first";
  }

  /** Why nothing may be moved now; `undefined` where it may. */
  #halted(
    at: Deciding,
    { state, have, candidates, vetoes }: {
      readonly state: ModelState;
      readonly have: Counts;
      readonly candidates: readonly PlanCandidate[];
      readonly vetoes: Vetoes;
    },
  ): string | undefined {
    const { rules, model, wish, want, nowMs, overrides } = at;
    const paused = overrides.find((one) =>
      one.kind === "pause" && (one.model ?? rules.model) === rules.model
    );
    if (paused !== undefined) return `paused by an operator: ${paused.reason}`;
    if (sameCounts(have, want)) return wish.bound || "what is there is what is wanted";
    const vetoed = vetoes.ofCounts(want);
    if (vetoed !== undefined) return `vetoed by an operator: ${vetoed.reason}`;
    if (overrides.some((one) => one.kind === "pin" && one.model === rules.model)) return undefined;
    const stale = model.workers.filter(({ state }) => state === "stale").length;
    if (2 * stale > model.workers.length) return "most workers were not heard of lately: no move";
    // No gain and no rest count where nobody answers.
    if (have.decode + have.both === 0) return undefined;
    const [keeps, gains] = roomOf(wish, have, want);
    // A change of the mix is seen bit by bit: what goes on the same way needs no rest in between.
    const isOnward = !this.#rules.elastic && state.turn !== undefined &&
      nowMs - state.turn.atMs < this.#rules.coolDownMs && wayOf(have, want) === state.turn.way;
    // Of a mix that turns only a part is seen yet: the rest is waited for neither.
    const { isTurning = false } = wish;
    const isShort = wish.isPressed || (!this.#rules.elastic && (keeps < 1 || isTurning)) ||
      isOnward;
    if (!isShort && model.workers.some(({ state }) => state === "flipping")) {
      return "a worker is changing its role: the next move waits for it";
    }
    const isGrowing = sizeOf(want) > sizeOf(have);
    const { coolDownMs, hysteresis, flipMs, reactiveMs } = this.#rules;
    const { turn } = state;
    // A backlog of one phase right after the other one's was worked off is no evidence yet: it would be undone again.
    // What asks for more than twice as many back is another mix, not the end of a bout; and where the goal is being missed
    // once the change has had its time, it was made for a bout that is over.
    const isBack = turn !== undefined && sizeOf(want) === sizeOf(have) &&
      wayOf(have, want) === -turn.way && Math.abs(want.prefill - have.prefill) <= 2 * turn.count;
    if (isBack && nowMs - turn.atMs < coolDownMs) {
      const hasShown = nowMs - turn.atMs > flipMs + 2 * reactiveMs;
      const isUrgent = wish.urgentWays?.some((way) => way === wayOf(have, want)) ?? false;
      if (!hasShown || !isUrgent) return "roles were changed the other way a short while ago";
    }
    const isCooling = nowMs - state.movedMs < coolDownMs;
    if (at.waking.length > 0 && this.#givesWay(at) !== undefined) return undefined;
    if (isCooling && !isGrowing && !isShort) return "cooling down after the last move";
    if (this.#rules.elastic || sizeOf(want) !== sizeOf(have)) return undefined;
    // Only roles change: that has to be worth a drain.
    if (gains < (isShort ? pressedPart * hysteresis : hysteresis)) {
      const gain = candidates[candidates.length - 1].goodput - candidates[0].goodput;
      return `another split would serve ${(100 * gain).toFixed(0)} % more: too little for a move`;
    }
    return undefined;
  }
}

interface Deciding {
  readonly rules: ModelRules;
  readonly model: SeenModel;
  readonly wish: ModelWish;
  readonly want: Counts;
  readonly why: string | undefined;
  readonly rest: Rest | undefined;
  /** Workers that it may start now. */
  readonly room: number;
  /** Models that wake in this step. */
  readonly waking: readonly string[];
  readonly nowMs: number;
  readonly watchesOnly: boolean;
  readonly overrides: readonly Override[];
}

/** What somebody else has moved since the last step shows in what is there: who only watches rests behind that, not its own wishes. */
function noteMoves(state: ModelState, have: Counts, nowMs: number): void {
  const { had } = state;
  if (had === undefined || sameCounts(had, have)) return;
  state.movedMs = nowMs;
  if (sizeOf(had) === sizeOf(have)) state.turn = turnOf(had, have, nowMs);
}

function turnOf(have: Counts, want: Counts, atMs: number): Turn {
  return { way: wayOf(have, want), count: Math.abs(want.prefill - have.prefill), atMs };
}

function pinned(
  nap: NapWish,
  rules: ModelRules,
  overrides: readonly Override[],
): NapWish & { readonly isPinned?: boolean } {
  const pin = overrides.find((one) => one.kind === "pin" && one.model === rules.model);
  if (pin?.kind !== "pin") return nap;
  const bound = `pinned by an operator: ${pin.reason}`;
  return { wish: { ...nap.wish, want: pin.counts, bound }, why: bound, isPinned: true };
}

/** Which way a decision turns the roles: +1 = more workers compute prompts, -1 = fewer, 0 = as many. */
function wayOf(have: Counts, want: Counts): number {
  return Math.sign(want.prefill - have.prefill);
}
