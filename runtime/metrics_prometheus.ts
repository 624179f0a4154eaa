import process from "node:process";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Clock } from "./clock.ts";
import type {
  Counter as CounterPort,
  Gauge as GaugePort,
  Histogram as HistogramPort,
  Metrics,
} from "./metrics.ts";

/** Seconds, for delays of the event loop. */
const loopDelayBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
/** How often the event loop's delay is sampled. */
const loopSampleMs = 250;

/**
 * Metrics of one service in a registry of their own, so that several services live in one program. A name without
 * `pixii_` before it gets `pixii_<service>_`. Asking twice for one name gives the same metric. `labels` stand on every
 * sample (`pixii_namespace`, `pixii_component`, `pixii_instance`).
 */
export function createMetrics(
  service: string,
  labels: Readonly<Record<string, string>> = {},
): Metrics {
  return new PrometheusMetrics(`pixii_${service}_`, labels);
}

class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #prefix: string;
  readonly #collects: (() => void)[] = [];

  constructor(prefix: string, labels: Readonly<Record<string, string>>) {
    this.#prefix = prefix;
    this.#registry.setDefaultLabels({ ...labels });
  }

  counter(name: string, help: string, labels: readonly string[] = []): CounterPort {
    const counter = this.#once(
      name,
      (full) =>
        new Counter({ name: full, help, labelNames: [...labels], registers: [this.#registry] }),
    );
    return {
      add: (value = 1, of) => of === undefined ? counter.inc(value) : counter.inc({ ...of }, value),
    };
  }

  gauge(name: string, help: string, labels: readonly string[] = []): GaugePort {
    const gauge = this.#once(
      name,
      (full) =>
        new Gauge({ name: full, help, labelNames: [...labels], registers: [this.#registry] }),
    );
    return {
      set: (value, of) => of === undefined ? gauge.set(value) : gauge.set({ ...of }, value),
      add: (value, of) => of === undefined ? gauge.inc(value) : gauge.inc({ ...of }, value),
      remove: (of) => gauge.remove({ ...of }),
    };
  }

  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels: readonly string[] = [],
  ): HistogramPort {
    const histogram = this.#once(
      name,
      (full) =>
        new Histogram({
          name: full,
          help,
          buckets: [...buckets],
          labelNames: [...labels],
          registers: [this.#registry],
        }),
    );
    return {
      observe: (value, of) =>
        of === undefined ? histogram.observe(value) : histogram.observe({ ...of }, value),
    };
  }

  onCollect(collect: () => void): void {
    this.#collects.push(collect);
  }

  text(): Promise<string> {
    for (const collect of this.#collects) collect();
    return this.#registry.metrics();
  }

  #once<Metric>(name: string, make: (full: string) => Metric): Metric {
    const full = name.startsWith("pixii_") ? name : this.#prefix + name;
    return (this.#registry.getSingleMetric(full) as Metric | undefined) ?? make(full);
  }
}

/** Memory, processor time and start of this process, read at each exposition. */
export function watchProcess(metrics: Metrics, clock: Clock): void {
  const resident = metrics.gauge("process_resident_memory_bytes", "Resident memory.");
  const heap = metrics.gauge("process_heap_bytes", "JavaScript heap in use.");
  const cpu = metrics.gauge("process_cpu_seconds", "Processor time used since start.");
  const uptime = metrics.gauge("uptime_seconds", "Time since the service started.");
  const startMs = clock.nowMs();
  metrics.onCollect(() => {
    const memory = Deno.memoryUsage();
    const { user, system } = process.cpuUsage();
    resident.set(memory.rss);
    heap.set(memory.heapUsed);
    cpu.set((user + system) / 1e6);
    uptime.set((clock.nowMs() - startMs) / 1000);
  });
}

/** Samples how late the event loop runs its timers, four times a second. */
export function watchEventLoop(metrics: Metrics, clock: Clock): Disposable {
  const delay = metrics.histogram(
    "event_loop_delay_seconds",
    "How late the event loop ran a timer.",
    loopDelayBuckets,
  );
  let dueMs = clock.nowMs() + loopSampleMs;
  return clock.every(loopSampleMs, () => {
    const nowMs = clock.nowMs();
    delay.observe(Math.max(0, nowMs - dueMs) / 1000);
    dueMs = nowMs + loopSampleMs;
  });
}

/** One exposition out of several: each family's help and type once, its samples together, in order of first sight. */
export function mergeExpositions(texts: readonly string[]): string {
  const families = new Map<
    string,
    { readonly heads: Set<string>; readonly samples: Set<string> }
  >();
  for (const text of texts) {
    let family: { readonly heads: Set<string>; readonly samples: Set<string> } | undefined;
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const head = /^# (?:HELP|TYPE) (\S+)/.exec(line);
      if (head !== null) {
        family = families.get(head[1]) ?? { heads: new Set(), samples: new Set() };
        families.set(head[1], family);
        family.heads.add(line);
      } else family?.samples.add(line);
    }
  }
  return [...families.values()]
    .map(({ heads, samples }) => [...heads, ...samples].join("\n") + "\n").join("\n");
}
