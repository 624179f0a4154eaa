import { seededChance, VirtualClock } from "@pixii/runtime";
import type { Chance } from "@pixii/runtime";
import { TokenSource } from "@pixii/workers/sim";
import type { SimVocabulary } from "@pixii/workers/sim";
import { greedySampling } from "@pixii/wire";
import { promptOf } from "./core/sim_trace.ts";
import type { SimRequest, SimTrace } from "./core/sim_trace.ts";
import type { Fault } from "./core/fault.ts";
import { mixSeed } from "./core/mix_seed.ts";
import { ActingChecks } from "./acting_checks.ts";
import { FaultDesk } from "./fault_desk.ts";
import { inlineDigest } from "./inline_digest.ts";
import { Operators } from "./operators.ts";
import { RequestWatch } from "./request_watch.ts";
import type { RequestStory } from "./request_watch.ts";
import { exactProblems, restProblems } from "./rest_checks.ts";
import { SimCluster } from "./sim_cluster.ts";
import { SimLog } from "./sim_log.ts";
import { simModel } from "./sim_shape.ts";
import type { SimShape } from "./sim_shape.ts";
import { StandingChecks } from "./standing_checks.ts";
import { TierWatch } from "./tier_watch.ts";
import { SimViolation } from "./violation.ts";

/** A run: what there is, what is asked, what goes wrong. */
export interface SimPlan {
  readonly shape: SimShape;
  readonly trace: SimTrace;
  readonly faults: readonly Fault[];
  readonly vocabulary: SimVocabulary;
  /** Gets every line of the log. */
  readonly write?: (line: string) => void;
}

/** What came of a run. */
export interface SimResult {
  /** The first promise that was broken, where one was. */
  readonly violation: SimViolation | undefined;
  readonly stories: readonly RequestStory[];
  /** Requests that found no frontend. */
  readonly refused: number;
  readonly messages: number;
  readonly steps: number;
  /** Changes of workers' roles that were made. */
  readonly flips: number;
  /** Blocks that came back from the host tier. */
  readonly tierHits: number;
  readonly virtualMs: number;
  readonly digest: string;
  /** The last lines of the log. */
  readonly recent: readonly string[];
}

/** Before the first request and the first fault, everything starts. */
export const startMs = 2_000;
/** After the end the books must be empty within this. */
const restMs = 75_000;
/** Looks at the books at rest. */
const restLookMs = 2_500;
/** A request may be over this late: its frontend may stand still at its deadline. */
const overdueMs = 10_000;
/** How long every frontend is given to serve when all is well again. */
const probeMs = 30_000;
const probeLookMs = 500;
/** Roles that an operator asked for stay so for so long at least: longer than two plans. */
const keptMs = 8_000;
/** What has ended is released everywhere within this, where nothing is wrong: a slow engine's step is the longest of it. */
const releaseMs = 1_600;
/** A fault that is over excuses leaks for so long: lost messages are made good by later reports. */
const calmMs = 30_000;
/** And for so long after the last stream that met it. */
const settleMs = 6_000;
/** How often indexes are held against what workers hold. */
const exactLookMs = 2_000;
/** A fault that is over excuses errors for so long: leases end, breakers close, programs find each other. */
const recoveryMs = 15_000;

/** Runs a plan to its end, or to the first promise broken. The same plan gives the same log, byte for byte. */
export async function runSim(plan: SimPlan): Promise<SimResult> {
  using _inline = inlineDigest();
  return await new SimRun(plan).run();
}

class SimRun {
  readonly #plan: SimPlan;
  readonly #clock: VirtualClock;
  readonly #log: SimLog;
  readonly #cluster: SimCluster;
  readonly #faults: FaultDesk;
  readonly #checks: StandingChecks;
  readonly #tierWatch: TierWatch;
  readonly #chance: Chance;
  readonly #operators: Operators;
  #acting: ActingChecks | undefined;
  readonly #live = new Map<string, Set<RequestWatch>>();
  readonly #stories: RequestStory[] = [];
  #violation: SimViolation | undefined;
  /** When streams ended, the last of them. */
  readonly #endedMs: number[] = [];
  /** When a fault, or a stream that met one, was last there. */
  #stirredMs = 0;
  #refused = 0;
  #asked = 0;

  constructor(plan: SimPlan) {
    this.#plan = plan;
    const { shape, vocabulary, write } = plan;
    this.#clock = new VirtualClock({ afterStep: () => this.#afterStep(), isClosed: true });
    this.#log = new SimLog(this.#clock, write);
    this.#chance = seededChance(mixSeed(shape.seed, "clients"));
    const broken = (message: string) => this.#broken(message);
    this.#cluster = new SimCluster({
      ...{ shape, clock: this.#clock, log: this.#log, vocabulary, broken },
      onFrontendGone: (name) => this.#frontendGone(name),
    });
    this.#faults = new FaultDesk({
      ...{ cluster: this.#cluster, clock: this.#clock, log: this.#log, startMs },
      faults: plan.faults,
    });
    this.#operators = new Operators({
      ...{ registry: this.#cluster.registry, clock: this.#clock, log: this.#log },
      chance: seededChance(mixSeed(shape.seed, "operators")),
      ...{
        workers: shape.roles.length,
        ranks: shape.ranks,
        everyMs: shape.acting?.orderEveryMs ?? Infinity,
      },
    });
    this.#checks = new StandingChecks({
      ...{ cluster: this.#cluster, liveAt: (name) => this.#liveAt(name).size, broken },
      ...{ mostQueued: shape.mostQueued, mostAtRank: shape.mostAtRank },
      mostStreams: () => this.#isCalm() ? this.#mostStreams() : undefined,
      legs: shape.roles.some((role) => role !== "both") ? 2 : 1,
      lookNow: () => this.#acting?.look(),
    });
    this.#tierWatch = new TierWatch({
      ...{ cluster: this.#cluster, clock: this.#clock, broken },
      isHit: (names, withinMs) =>
        this.#faults.isHit(this.#clock.nowMs() - withinMs, { excusedMs: 0, names }),
    });
  }

  async run(): Promise<SimResult> {
    try {
      await this.#play();
    } catch (error) {
      if (!(error instanceof SimViolation)) throw error;
      this.#violation ??= error;
    }
    return {
      ...{ violation: this.#violation, stories: this.#stories, refused: this.#refused },
      ...{ messages: this.#log.messages, steps: this.#checks.steps },
      ...{ flips: this.#acting?.flips ?? 0, tierHits: this.#cluster.tierHits },
      ...{ virtualMs: this.#clock.nowMs(), digest: this.#log.digest, recent: this.#log.recent },
    };
  }

  async #play(): Promise<void> {
    const { shape: { minutes, deadlineMs, acting }, faults } = this.#plan;
    if (acting !== undefined) {
      const byClock = faults.map((one) => ({ ...one, atMs: startMs + one.atMs }));
      this.#acting = await ActingChecks.open({
        ...{ cluster: this.#cluster, clock: this.#clock, acting, faults: byClock },
        broken: (message) => this.#broken(message),
      });
      this.#clock.timer(startMs, () => this.#operators.begin());
    }
    for (const program of this.#cluster.programs) program.start();
    this.#arrive(0);
    this.#faults.arm();
    await this.#advance(startMs + minutes * 60_000);
    await this.#clock.advance(Math.max(0, this.#faults.endMs - this.#clock.nowMs()));
    const untilMs = this.#clock.nowMs() + deadlineMs + overdueMs;
    while (this.#liveCount() > 0 && this.#clock.nowMs() < untilMs) await this.#clock.advance(500);
    if (this.#liveCount() > 0) this.#broken(`${this.#liveCount()} requests never end`);
    await this.#operators.end();
    await this.#rest();
    await this.#probe();
    await this.#probeRoles();
    this.#checks.integrity();
    if (this.#violation !== undefined) throw this.#violation;
  }

  /** Moves on; now and then every index that claims to be exact is held against what the workers hold. */
  async #advance(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= exactLookMs) {
      await this.#clock.advance(Math.min(leftMs, exactLookMs));
      for (const problem of await exactProblems(this.#cluster)) this.#broken(problem);
      this.#tierWatch.look();
      this.#acting?.lookAtPlans();
    }
  }

  /** Waits until nothing is left, and says what is where that takes too long. */
  async #rest(): Promise<void> {
    let problems: readonly string[] = [];
    for (let waitedMs = 0; waitedMs < restMs; waitedMs += restLookMs) {
      await this.#clock.advance(restLookMs);
      problems = [...await restProblems(this.#cluster), ...this.#acting?.restProblems() ?? []];
      if (problems.length === 0) return;
    }
    this.#broken(`at rest for ${restMs / 1000} s, and ${problems.join("; ")}`);
    throw this.#violation!;
  }

  /** Every frontend serves again. */
  async #probe(): Promise<void> {
    const prompt = { atMs: 0, inputTokens: 65, outputTokens: 3, blocks: [1] };
    const watches = this.#cluster.frontends().map(({ name }) => this.#ask(name, prompt, true));
    const waiting = () => watches.filter((one) => one?.isLive ?? true).length;
    await this.#advanceUntil(() => waiting() === 0);
    if (waiting() > 0) {
      this.#broken(`${waiting()} frontends do not serve although all is well again`);
    }
    // And lets go of what it held for that.
    await this.#rest();
  }

  /** Planners that act bring workers to the roles that an operator asks for. */
  async #probeRoles(): Promise<void> {
    const { planners, roles, ranks, acting } = this.#plan.shape;
    if (this.#acting === undefined || planners === 0 || roles.length < 2) return;
    // Who wants more than the budget does not get it.
    if (acting!.budgetGpus < ranks * roles.length) return;
    await this.#operators.pinPlainly();
    const wanted = `prefill 1, decode ${roles.length - 1}, both 0`;
    const there = () => this.#acting!.rolesText();
    await this.#advanceUntil(() => there() === wanted);
    await this.#clock.advance(keptMs);
    if (there() !== wanted) this.#broken(`an operator wants ${wanted}, there is ${there()}`);
  }

  /** Moves on until it is so, for as long as a probe may take. */
  async #advanceUntil(isSo: () => boolean): Promise<void> {
    for (let waitedMs = 0; waitedMs < probeMs && !isSo(); waitedMs += probeLookMs) {
      await this.#clock.advance(probeLookMs);
    }
  }

  #arrive(index: number): void {
    const { requests } = this.#plan.trace;
    if (index >= requests.length) return;
    const request = requests[index];
    if (request.atMs >= this.#plan.shape.minutes * 60_000) return;
    this.#clock.timer(startMs + request.atMs - this.#clock.nowMs(), () => {
      const frontends = this.#cluster.frontends();
      if (frontends.length === 0) this.#refused += 1;
      else this.#ask(frontends[this.#chance.u32() % frontends.length].name, request, false);
      this.#arrive(index + 1);
    });
  }

  /** Sends a request; nothing where the frontend knows no model yet. */
  #ask(frontend: string, request: SimRequest, isProbe: boolean): RequestWatch | undefined {
    const { shape, vocabulary, trace } = this.#plan;
    const { directory, generator } = this.#cluster.frontend(frontend)!;
    const chance = this.#chance;
    const [id, temperature] = [chance.requestId(), chance.u32() % 2];
    const model = directory.find(simModel);
    if (model === undefined) {
      this.#refused += 1;
      return undefined;
    }
    const tokens = promptOf(request, {
      ...{ blockTokens: trace.blockTokens, vocabSize: vocabulary.vocabSize },
      salt: ++this.#asked,
    }).subarray(0, model.contextLength - 1);
    const maxTokens = Math.min(request.outputTokens, model.contextLength - tokens.length);
    const sampling = { ...greedySampling, seedHi: chance.u32(), seedLo: chance.u32(), temperature };
    const { plain } = vocabulary;
    const hasStop = !isProbe && chance.float() < shape.stops;
    const stopTokenIds = hasStop ? [plain.rest[chance.u32() % plain.rest.length]] : [];
    const stop = { maxTokens, minTokens: 0, stopTokenIds, ignoreEos: true };
    const nowMs = this.#clock.nowMs();
    const deadlineMs = nowMs + shape.deadlineMs;
    const source = new TokenSource({
      ...{ prompt: tokens, choice: 0, sampling, stop, plain, eosTokenIds: [] },
    });
    const watch = new RequestWatch({
      ...{ id, promptTokens: tokens.length, maxTokens, stopTokens: stopTokenIds, source },
      ...{
        startMs: nowMs,
        deadlineMs,
        mayFail: () => !isProbe && (this.#isHit(nowMs) || this.#isForbidden()),
      },
    }, {
      nowMs: () => this.#clock.nowMs(),
      broken: (message) => this.#broken(message),
      ended: (ended, story) => {
        this.#liveAt(frontend).delete(ended);
        this.#endedMs.push(this.#clock.nowMs());
        if (!isProbe) this.#ended(frontend, story);
      },
    });
    this.#liveAt(frontend).add(watch);
    this.#log.line(`ask ${frontend} ${id} ${tokens.length} tokens, ${maxTokens} wanted`);
    const handle = generator.start({
      ...{ requestId: id, model, tokens, choice: 0, sampling, stop, tenantSalt: "", hints: {} },
      deadlineMs,
    }, watch);
    if (!isProbe && chance.float() < shape.cancels) {
      const { clock } = this.#cluster.program(frontend).life!;
      clock.timer(chance.float() ** 3 * 5_000, () => {
        if (!watch.isLive) return;
        watch.isCancelled = true;
        handle.cancel();
      });
    }
    return watch;
  }

  /** True some time after the last fault and the last stream that met it: until then one wrong may hide another. */
  #isCalm(): boolean {
    const nowMs = this.#clock.nowMs();
    if (this.#isHit(nowMs, calmMs)) this.#stirredMs = nowMs;
    else {
      for (const live of this.#live.values()) {
        for (const { request } of live) {
          if (request.startMs < nowMs - calmMs) this.#stirredMs = nowMs;
        }
      }
    }
    return nowMs - this.#stirredMs > settleMs;
  }

  /** Streams that are live, or were a moment ago. */
  #mostStreams(): number {
    const sinceMs = this.#clock.nowMs() - releaseMs;
    const kept = this.#endedMs.findIndex((atMs) => atMs >= sinceMs);
    this.#endedMs.splice(0, kept < 0 ? this.#endedMs.length : kept);
    return this.#liveCount() + this.#endedMs.length;
  }

  /** True where nobody answers since operators forbade to change that, of late. */
  #isForbidden(): boolean {
    return this.#acting?.nobodyAnswers() === true && this.#operators.boundWithin(recoveryMs);
  }

  /** True where a fault may excuse what goes wrong with something that began at `fromMs`. */
  #isHit(fromMs: number, excusedMs = recoveryMs): boolean {
    return this.#faults.isHit(fromMs, { excusedMs });
  }

  #ended(frontend: string, story: RequestStory): void {
    this.#stories.push(story);
    const { id, end, tokens, attempts } = story;
    this.#log.line(`end ${frontend} ${id} ${end} ${tokens} tokens, ${attempts} attempts`);
  }

  #frontendGone(name: string): void {
    for (const watch of [...this.#liveAt(name)]) watch.lose();
  }

  #afterStep(): void {
    this.#faults.step();
    this.#checks.step();
    if (this.#violation !== undefined) throw this.#violation;
  }

  #broken(message: string): void {
    if (this.#violation !== undefined) return;
    this.#violation = new SimViolation(message, this.#clock.nowMs());
    this.#log.line(`broken: ${message}`);
  }

  #liveAt(frontend: string): Set<RequestWatch> {
    let live = this.#live.get(frontend);
    if (live === undefined) this.#live.set(frontend, live = new Set());
    return live;
  }

  #liveCount(): number {
    let count = 0;
    for (const live of this.#live.values()) count += live.size;
    return count;
  }
}
