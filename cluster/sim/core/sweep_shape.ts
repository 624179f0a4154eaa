/** Part of the clusters whose roles are split and change. */
const splitShare = 0.4;

/** Flags of one run of a sweep. */
export type SweepFlags = readonly string[];

/**
 * The cluster of one seed of a sweep: small, and another for every seed, so that a sweep meets one and several of
 * everything, caches that are roomy and caches that are not. `draw`: uniform in [0, 1).
 */
export function sweepFlags(
  options: { readonly seed: number; readonly minutes: number; readonly draw: () => number },
): SweepFlags {
  const { seed, minutes, draw } = options;
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(draw() * choices.length)];
  // Where there is a tier the device is small, so that blocks leave it and come back.
  const tier = pick([0, 0, 16, 64, 256]);
  const values = {
    workers: pick([1, 2, 2, 3]),
    frontends: pick([1, 1, 2]),
    routers: pick([1, 1, 1, 2]),
    ranks: pick([1, 1, 1, 2]),
    blocks: pick(tier > 0 ? [16, 24, 40, 64] : [40, 64, 192, 1024]),
    "max-seqs": pick([2, 4, 8]),
    rate: pick([0.1, 0.3, 0.8]),
    output: pick([16, 64, 160]),
    "fault-every": pick(["3s", "8s", "20s", "5m"]),
  };
  const policy = pick(["kv", "kv", "ttft", "round-robin", "least-loaded"]);
  // Slow engines have streams that live through faults, at few steps.
  const speed = pick([0.05, 0.1, 0.3]);
  const acting = draw() < splitShare ? actingFlags(pick) : [];
  return [
    ...["--seed", `${seed}`, "--minutes", `${minutes}`, "--faults", "all"],
    ...Object.entries(values).flatMap(([name, value]) => [`--${name}`, `${value}`]),
    ...["--router", `policy=${policy}`],
    ...["--worker", `sim.speed=${speed}`, "--host-blocks", `${tier}`],
    ...acting,
  ];
}

/** Prefill and decode workers whose roles planners change, since operators ask for that. */
function actingFlags(pick: <T>(choices: readonly T[]) => T): SweepFlags {
  const values = {
    ...{ workers: pick([0, 0, 1]), prefill: pick([1, 1, 2]), decode: pick([1, 2]) },
    ...{ planners: pick([1, 2, 2]), "orders-every": pick(["10s", "25s"]) },
  };
  const planner = [
    ...["reactive=2s", `flip-timeout=${pick(["4s", "15s"])}`],
    ...pick([[], ["scale=virtual"], ["scale=virtual", "gpus=4"]]),
  ];
  return [
    ...Object.entries(values).flatMap(([name, value]) => [`--${name}`, `${value}`]),
    ...["--router", `split.mode=${pick(["always", "auto"])}`],
    ...planner.flatMap((one) => ["--planner", one]),
  ];
}
