/** A count that only grows. `labels` must name every label of the definition. */
export interface Counter {
  add(value?: number, labels?: Readonly<Record<string, string>>): void;
}
/** A value that moves. */
export interface Gauge {
  set(value: number, labels?: Readonly<Record<string, string>>): void;
  add(value: number, labels?: Readonly<Record<string, string>>): void;
  /** Forgets one label combination (a worker that left). */
  remove(labels: Readonly<Record<string, string>>): void;
}
/** A distribution over fixed buckets. */
export interface Histogram {
  observe(value: number, labels?: Readonly<Record<string, string>>): void;
}

/** Prometheus metrics of one program (prom-client behind it). Names begin `pixii_<service>_`. */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly string[],
  ): Histogram;
  /** Runs before each exposition, to set gauges from live state. */
  onCollect(collect: () => void): void;
  /** Prometheus text exposition. */
  text(): Promise<string>;
}
