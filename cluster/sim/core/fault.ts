import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";

/**
 * What can go wrong. `kill`: a program dies without a word and comes back as another instance; `midway`: so too, but in the
 * first moment within 5 s in which it is in the middle of something, like moving blocks; `restart`: it is told to
 * stop, drains, and comes back; `slow`: it stands still, as in a long collection of garbage; `partition`: nothing
 * passes between it and all others; `lag`: its messages take longer; `drop` and `duplicate`: some of them get lost, or
 * arrive twice.
 */
export const faultKinds = [
  "kill",
  "midway",
  "partition",
  "lag",
  "drop",
  "duplicate",
  "restart",
  "slow",
] as const;

/** What can go wrong. */
export type FaultKind = typeof faultKinds[number];

/** One thing that goes wrong, at a virtual time. */
export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Name of a program, like `worker-0`. */
  readonly target: string;
  /** How long: of `kill`, `midway` and `restart`, how long the program is away. */
  readonly forMs: number;
  /**
   * `lag`: milliseconds more on every message; `drop`, `duplicate`: probability of each; `kill`, `midway`, `partition`: 1 = nobody
   * notices by himself (a host that vanished, a cable that was cut), 0 = connections end as those of a process do.
   */
  readonly amount: number;
}

/** Longest fault that is taken, in ms. */
const longestMs = 3_600_000;

/** A fault as one line: `AT_MS KIND TARGET FOR_MS AMOUNT`. */
export function faultText({ atMs, kind, target, forMs, amount }: Fault): string {
  return `${atMs} ${kind} ${target} ${forMs} ${amount}`;
}

/** A schedule as one text, its faults parted by `;`. */
export function scheduleText(faults: readonly Fault[]): string {
  return faults.map(faultText).join("; ");
}

/** Reads a schedule: faults on lines of their own or parted by `;`. `invalid_request` names the first that is wrong. */
export function parseSchedule(text: string, targets: readonly string[]): Result<readonly Fault[]> {
  const faults: Fault[] = [];
  for (const line of text.split(/[;\n]/).map((one) => one.trim()).filter((one) => one !== "")) {
    const [at, kind, target, length, amount = "0", ...rest] = line.split(/\s+/);
    const bad = (what: string) =>
      fail("invalid_request", `Cannot use the fault '${line}': ${what}`);
    const known = faultKinds.find((one) => one === kind);
    if (known === undefined) return bad(`its kind must be one of ${faultKinds.join(", ")}`);
    if (!targets.includes(target)) return bad(`there is no ${target}, only ${targets.join(", ")}`);
    const [atMs, forMs, how] = [Number(at), Number(length), Number(amount)];
    if (!(atMs >= 0) || !(forMs >= 0 && forMs <= longestMs) || !(how >= 0) || rest.length > 0) {
      return bad("it must be AT_MS KIND TARGET FOR_MS AMOUNT, with numbers from 0 on");
    }
    faults.push({ atMs, kind: known, target, forMs, amount: how });
  }
  return ok(faults.toSorted((a, b) => a.atMs - b.atMs));
}
