/** A row of `bench:agents`: a policy, and how the router and its workers are told of it. */
export interface AgentRow {
  readonly name: string;
  readonly policy: string;
  /** More flags of `dev`. */
  readonly flags: readonly string[];
  /** It foretells with the workers' profile. */
  readonly needsProfile: boolean;
}

/** What every row is held against. */
export const roundRobin: AgentRow = {
  ...{ name: "round-robin", policy: "round-robin", flags: [], needsProfile: false },
};

/** Rows that can be asked for, by name. `prefillScale` is `kv.prefill-scale` of row `kv`. */
export function agentRows(prefillScale: number): ReadonlyMap<string, AgentRow> {
  const waits = ["--router.queue-wait-for-best", "--router.queue-busy-prefill", "250ms"];
  const rows: readonly AgentRow[] = [
    {
      ...{ name: "kv", policy: "kv", needsProfile: false },
      flags: ["--router.kv-prefill-scale", `${prefillScale}`],
    },
    { name: "ttft", policy: "ttft", needsProfile: true, flags: [] },
    { name: "best", policy: "ttft", needsProfile: true, flags: waits },
    {
      ...{ name: "shortest", policy: "ttft", needsProfile: true },
      flags: [...waits, "--router.queue-work-weight", "3"],
    },
  ];
  return new Map(rows.map((row) => [row.name, row]));
}

/** The rows of a list with commas between, each once, in its order; or the first name that is none. */
export function rowsOf(list: string, known: ReadonlyMap<string, AgentRow>): AgentRow[] | string {
  const rows: AgentRow[] = [];
  for (const name of new Set(list.split(","))) {
    const row = known.get(name);
    if (row === undefined) return name;
    rows.push(row);
  }
  return rows;
}
