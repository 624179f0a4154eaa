import type { Dev } from "./child.ts";

/** Sum of a metric over all processes of a service and all label sets that hold each of `labels`. */
export async function metricOf(
  { processes }: Pick<Dev, "processes">,
  service: string,
  { name, labels = [] }: { readonly name: string; readonly labels?: readonly string[] },
): Promise<number> {
  let sum = 0;
  for (const { admin } of processes.filter((one) => one.service === service)) {
    const text = await (await fetch(`${admin}/metrics`)).text();
    for (const line of text.split("\n")) {
      const isIt = line.startsWith(`${name}{`) || line.startsWith(`${name} `);
      if (isIt && labels.every((label) => line.includes(label))) {
        sum += Number(line.slice(line.lastIndexOf(" ") + 1));
      }
    }
  }
  return sum;
}

/** Waits until every worker uses a kvbm, at most a minute. */
export async function untilKvbm({ processes }: Pick<Dev, "processes">): Promise<void> {
  for (const { admin } of processes.filter(({ service }) => service === "worker")) {
    await until(`${admin} uses a host tier`, async () => {
      const health = await (await fetch(`${admin}/health`)).json();
      return (health.details?.kvbm ?? "none") !== "none";
    });
  }
}

/** Longest wait for a state. */
const stateMs = 60_000;

/** Waits until `check` holds, at most a minute. */
export async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + stateMs;
  while (!await check()) {
    if (performance.now() > endMs) throw new Error(`not within ${stateMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
