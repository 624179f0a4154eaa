import type { Metrics } from "@pixii/runtime";

/** Tells a counter what a total, which only grows, has come to. */
export type TotalCounter = (total: number, labels?: Readonly<Record<string, string>>) => void;

/** A counter over totals that are kept elsewhere and read at each exposition, by the values of its labels. */
export function totalCounter(
  metrics: Metrics,
  name: string,
  { help, labels }: { readonly help: string; readonly labels?: readonly string[] },
): TotalCounter {
  const counter = metrics.counter(name, help, labels);
  const told = new Map<string, number>();
  return (total, by = {}) => {
    const key = Object.values(by).join();
    counter.add(total - (told.get(key) ?? 0), by);
    told.set(key, total);
  };
}
