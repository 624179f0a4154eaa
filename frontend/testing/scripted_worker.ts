import {
  decode,
  decodeGenerateRequest,
  encode,
  encodeRecord,
  fail,
  keys,
  limits,
  modelHashOf,
  StepFrameWriter,
  streamKeyText,
  subjects as subjectsOf,
} from "@pixii/wire";
import type {
  EntryExtra,
  Failure,
  GenerateRequest,
  InstanceId,
  ModelCard,
  Subjects,
  TokenLogprob,
} from "@pixii/wire";
import type { Clock, MemoryBus, MemoryRegistry } from "@pixii/runtime";

/** The token every scripted worker makes at an output index: what streams can be checked against. */
export function scriptedToken(index: number): number {
  return 1_000 + index;
}

/** One stream at a scripted worker. */
export interface ScriptedStream {
  readonly request: GenerateRequest;
  /** Tokens made, former attempts' included. */
  made: number;
  end: EntryExtra["end"];
  renewedMs: number;
  acknowledged: number;
  renewedIndex: number;
}

/** How a scripted worker misbehaves; all may be changed while it runs. */
export interface WorkerScript {
  /** Refuses generate requests with this. */
  refuse: Failure | undefined;
  /** Does not answer generate requests. */
  isDeaf: boolean;
  /** Makes no tokens. */
  isStuck: boolean;
  /** Publishes no load reports. */
  isSilent: boolean;
  /** Frames to lose from now on. */
  loseFrames: number;
  /** Publishes every frame twice. */
  isStuttering: boolean;
  /** Goes on after a cancel. */
  ignoresCancel: boolean;
  /** Ends the next stream that steps with this. */
  failNext: Failure | undefined;
  stepAgeMs: number;
  draining: boolean;
  /** Bytes served as the artifact. */
  artifact: Uint8Array;
  /** Length of every prompt, where it is known; checked. */
  promptTokens: number | undefined;
  /** The token at an output index; nothing where the stream ends by itself. */
  speak: (request: GenerateRequest, index: number) => number | undefined;
  /** Tokens that each stream makes in one step. */
  tokensPerStep: number;
}

/** A worker without an engine: makes `scriptedToken`s under a clock, one per stream and step, and does what its script says. */
export class ScriptedWorker {
  readonly id: InstanceId;
  readonly card: ModelCard;
  readonly script: WorkerScript = {
    refuse: undefined,
    isDeaf: false,
    isStuck: false,
    isSilent: false,
    loseFrames: 0,
    isStuttering: false,
    ignoresCancel: false,
    failNext: undefined,
    stepAgeMs: 0,
    draining: false,
    artifact: new Uint8Array(),
    promptTokens: scriptedPromptTokens,
    speak: (_request, index) => scriptedToken(index),
    tokensPerStep: 1,
  };
  /** Every generate request that was read, in order. */
  readonly requests: GenerateRequest[] = [];
  readonly cancelled: string[] = [];
  /** Words of hand-overs it was told. */
  readonly words: string[] = [];
  /** Streams that take over wait until this is set, as if for blocks. */
  hasBlocks = false;
  readonly renewals: (readonly [number, number])[][] = [];
  resumes = 0;
  readonly streams = new Map<string, ScriptedStream>();
  readonly #clock: Clock;
  readonly #bus: MemoryBus;
  readonly #registry: MemoryRegistry;
  readonly #namespace: string;
  readonly #subjects: Subjects;
  readonly #writer = new StepFrameWriter();
  readonly #open: Disposable[] = [];
  #step = 0;

  constructor(options: {
    clock: Clock;
    bus: MemoryBus;
    registry: MemoryRegistry;
    namespace: string;
    card: Partial<ModelCard> & { readonly name: string; readonly instance: InstanceId };
    stepMs: number;
  }) {
    this.#clock = options.clock;
    this.#bus = options.bus;
    this.#registry = options.registry;
    this.#namespace = options.namespace;
    this.#subjects = subjectsOf(options.namespace);
    this.id = options.card.instance;
    this.card = scriptedCard(options.card);
    this.#open.push(
      options.bus.serve(this.#subjects.generate(this.id), (bytes) => this.#generate(bytes)),
      options.bus.serve(this.#subjects.control(this.id), (bytes) => this.#control(bytes)),
      options.clock.every(options.stepMs, () => this.step()),
      options.clock.every(limits.loadEveryMs, () => this.#load()),
    );
  }

  /** The connection, to cut it. */
  get bus(): MemoryBus {
    return this.#bus;
  }

  /** The lease, to end it. */
  get registry(): MemoryRegistry {
    return this.#registry;
  }

  /** Puts the card into the registry. */
  async announce(): Promise<void> {
    const key = keys(this.#namespace).model(this.card.hash, this.id);
    await this.#registry.register(key, encodeRecord("model", this.card));
    this.#load();
  }

  /** Dies as a process does: at once, without a word; its lease runs out later. */
  kill(): void {
    for (const one of this.#open.splice(0)) one[Symbol.dispose]();
    this.#bus.disconnect();
    this.#registry.disconnect();
  }

  /** One engine step: one token per live stream, one frame per frontend. */
  step(): void {
    if (this.script.isStuck) return;
    this.#step += 1;
    const byFrontend = new Map<InstanceId, (() => void)[]>();
    for (const stream of this.streams.values()) {
      const isTaking = stream.request.handover?.part === "take";
      if (stream.end !== undefined || (isTaking && !this.hasBlocks)) continue;
      const firstIndex = stream.made;
      const tokens = this.#advance(stream);
      const { tag, frontend, emitted } = stream.request;
      const cached = firstIndex === emitted ? { device: 1, host: 0, disk: 0 } : undefined;
      const { end } = stream;
      const logprobs = scriptedLogprobs(stream.request, tokens);
      const isPlain = cached === undefined && end === undefined && logprobs === undefined;
      const extra = isPlain ? undefined : { cached, end, logprobs };
      const add = () => void this.#writer.add({ tag, firstIndex, tokens, extra });
      byFrontend.set(frontend, [...byFrontend.get(frontend) ?? [], add]);
    }
    for (const [frontend, adds] of byFrontend) {
      this.#writer.begin(this.id, this.#step);
      for (const add of adds) add();
      this.#publish(frontend);
    }
  }

  #advance(stream: ScriptedStream): number[] {
    const { failNext, ignoresCancel } = this.script;
    const isLost = this.#clock.nowMs() - stream.renewedMs > limits.renewLostMs;
    const isCancelled = this.cancelled.includes(streamKeyText(stream.request));
    if (failNext !== undefined) {
      this.script.failNext = undefined;
      stream.end = { reason: "error", error: failNext, outputTokens: stream.made };
      return [];
    }
    if ((isCancelled || isLost) && !ignoresCancel) {
      stream.end = { reason: "cancelled", outputTokens: stream.made };
      return [];
    }
    const tokens: number[] = [];
    while (stream.end === undefined && tokens.length < this.script.tokensPerStep) {
      const token = this.script.speak(stream.request, stream.made);
      if (token === undefined) stream.end = { reason: "stop", outputTokens: stream.made };
      else {
        tokens.push(token);
        stream.made += 1;
        const isGiven = stream.request.handover?.part === "give";
        if (isGiven || stream.made >= stream.request.stop.maxTokens) {
          stream.end = { reason: "length", outputTokens: stream.made };
        }
      }
    }
    return tokens;
  }

  #publish(frontend: InstanceId): void {
    if (this.script.loseFrames > 0) {
      this.script.loseFrames -= 1;
      return;
    }
    const frame = this.#writer.finish();
    const subject = this.#subjects.inbox(frontend);
    this.#bus.publish(subject, frame);
    if (this.script.isStuttering) this.#bus.publish(subject, frame);
  }

  #generate(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const decoded = decodeGenerateRequest(bytes);
    if (!decoded.ok) return encode("refusal", { error: decoded.error });
    const request = decoded.value;
    this.requests.push(request);
    if (this.script.isDeaf) return new Promise(() => {});
    if (this.script.refuse !== undefined) return encode("refusal", { error: this.script.refuse });
    this.#checkEmitted(request);
    const key = streamKeyText(request);
    if (!this.streams.has(key)) {
      this.streams.set(key, {
        request,
        made: request.emitted,
        end: undefined,
        renewedMs: this.#clock.nowMs(),
        acknowledged: request.emitted,
        renewedIndex: -1,
      });
    }
    return this.#reply(request.tag, request.emitted, { tokens: [], isAccepted: true });
  }

  /** Throws where a migrated stream does not bring its prompt and all its output along. */
  #checkEmitted(request: GenerateRequest): void {
    const { tokens, emitted } = request;
    const all = new Uint32Array(tokens.slice().buffer);
    const { promptTokens, speak } = this.script;
    if (promptTokens !== undefined && all.length - emitted !== promptTokens) {
      throw new Error(`${all.length} tokens came with ${emitted} of output`);
    }
    for (let i = 0; i < emitted; i++) {
      const token = all[all.length - emitted + i];
      if (token !== speak(request, i)) throw new Error(`output ${i} came as ${token}`);
    }
  }

  #reply(
    tag: number,
    firstIndex: number,
    rest: { tokens: number[]; isAccepted: boolean; extra?: EntryExtra },
  ): Uint8Array {
    const { tokens, isAccepted, extra } = rest;
    this.#writer.begin(this.id, this.#step);
    this.#writer.add({ tag, firstIndex, tokens, accepted: isAccepted, extra });
    return this.#writer.finish().slice();
  }

  #control(bytes: Uint8Array): Uint8Array {
    const decoded = decode("control", bytes);
    if (!decoded.ok) return encode("refusal", { error: decoded.error });
    const message = decoded.value;
    switch (message.op) {
      case "cancel":
        this.cancelled.push(streamKeyText(message));
        return new Uint8Array();
      case "handover":
        this.words.push(message.word);
        this.hasBlocks = true;
        return new Uint8Array();
      case "renew":
        this.renewals.push(message.streams);
        for (const [tag, next] of message.streams) this.#renewed(tag, next);
        return new Uint8Array();
      case "resume": {
        this.resumes += 1;
        const stream = this.streams.get(streamKeyText(message));
        if (stream === undefined) return encode("refusal", unknownStream);
        return this.#missing(stream, message.fromIndex);
      }
      case "artifact": {
        const { offset } = message;
        const data = this.script.artifact.slice(offset, offset + limits.partBytes);
        return encode("part", { offset, totalBytes: this.script.artifact.length, data });
      }
      default:
        return encode("refusal", { error: fail("invalid_request", "not scripted").error });
    }
  }

  #missing(stream: ScriptedStream, from: number): Uint8Array {
    const tokens = [];
    for (let i = from; i < stream.made; i++) {
      tokens.push(this.script.speak(stream.request, i) ?? 0);
    }
    const extra = stream.end === undefined ? undefined : { end: stream.end };
    return this.#reply(stream.request.tag, from, { tokens, isAccepted: false, extra });
  }

  #renewed(tag: number, next: number): void {
    const stream = [...this.streams.values()].find((one) => one.request.tag === tag);
    if (stream === undefined) return;
    stream.renewedMs = this.#clock.nowMs();
    const isWaiting = stream.made > next || stream.end !== undefined;
    if (isWaiting && stream.renewedIndex === next) {
      this.#bus.publish(
        this.#subjects.inbox(stream.request.frontend),
        this.#missing(stream, next),
      );
    }
    stream.renewedIndex = next;
  }

  #load(): void {
    if (this.script.isSilent) return;
    const live = [...this.streams.values()].filter((one) => one.end === undefined).length;
    const report = {
      instance: this.id,
      dpRank: 0,
      model: this.card.hash,
      role: this.card.role,
      draining: this.script.draining,
      running: live,
      waiting: 0,
      maxSeqs: this.card.maxSeqs,
      prefillTokens: 0,
      activeBlocks: 0,
      cachedBlocks: 0,
      totalBlocks: this.card.totalBlocks,
      stepCount: this.#step,
      stepAgeMs: this.script.stepAgeMs,
      kvEventNumber: 0,
      activeStreams: live,
      activeDigestHi: 0,
      activeDigestLo: 0,
      prefillRate: 0,
      decodeRate: 0,
    };
    this.#bus.publish(this.#subjects.load(this.id), encode("loadReport", report));
  }
}

/** Tokens of every scripted prompt. */
export const scriptedPromptTokens = 40;

/** Log-probabilities that a scripted worker makes up: those of a token depend on its id alone. */
export function scriptedLogprobs(
  { sampling }: Pick<GenerateRequest, "sampling">,
  tokens: readonly number[],
): TokenLogprob[] | undefined {
  if (sampling.logprobs < 0 || tokens.length === 0) return undefined;
  return tokens.map((token) => ({
    logprob: -token / 1024,
    top: Array.from({ length: sampling.logprobs }, (_, i) => [token + i, -(token + i) / 1024]),
  }));
}

const unknownStream = { error: fail("stream_unknown", "Cannot resume: not here").error };

/** A card with every field set; what is given replaces it. */
export function scriptedCard(
  card: Partial<ModelCard> & { readonly name: string; readonly instance: InstanceId },
): ModelCard {
  return {
    hash: modelHashOf(card.name),
    engine: "sim",
    role: "both",
    modelDigest: "d".repeat(64),
    contextLength: 4096,
    blockSize: 16,
    totalBlocks: 256,
    kvBytesPerToken: 1,
    layoutFingerprint: "layout",
    reuse: "blocks",
    dpSize: 1,
    tpSize: 1,
    slidingWindow: 0,
    maxSeqs: 8,
    vocabSize: 32_000,
    artifactDigest: "a".repeat(64),
    artifactBytes: 0,
    eosTokenIds: [2],
    createdAt: 1_700_000_000,
    ...card,
  };
}
