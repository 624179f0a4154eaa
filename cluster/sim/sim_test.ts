import assert from "node:assert/strict";
import { replayCommand, simCommand } from "./command.ts";
import { simVocabulary } from "./sim_setup.ts";
import { sweep } from "./sweep.ts";

async function run(...args: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await simCommand(args, {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  return { code, out, err };
}

const stormy = [
  ...["--faults", "all", "--fault-every", "4s", "--minutes", "1.5", "--output", "100"],
  ...["--worker", "sim.speed=0.1", "--frontends", "2", "--routers", "2", "--rate", "0.6"],
];

Deno.test("sim: one seed gives one log, byte for byte, with every fault there is; another seed another", async () => {
  const folder = await Deno.makeTempDir({ prefix: "pixii-sim-" });
  try {
    const logs: string[] = [];
    for (const seed of ["5", "5", "6"]) {
      const path = `${folder}/${logs.length}.log`;
      const { code, out } = await run("--seed", seed, ...stormy, "--log", path);
      assert.equal(code, 0, out.join("\n"));
      logs.push(await Deno.readTextFile(path));
    }
    assert.ok(logs[0].split("\n").length > 3_000, "the log has every message");
    assert.ok(logs[0] === logs[1], "the same seed gave another log");
    assert.notEqual(logs[2], logs[0]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("sim: every promise is kept in 100 small clusters with faults", async () => {
  const vocabulary = await simVocabulary();
  const sums = await sweep({
    ...{ from: 1, seeds: 100, stride: 1, minutes: 0.75, stopAfter: 3, vocabulary },
  });
  assert.deepEqual(sums.failures, []);
  assert.equal(sums.seeds, 100);
  assert.ok(sums.faults > 300 && sums.requests > 500, JSON.stringify(sums));
  assert.ok(sums.flips > 30, `only ${sums.flips} changes of role`);
  assert.ok(sums.migrated > 10, "hardly a request met a fault");
  assert.ok(sums.tierHits > 50, `only ${sums.tierHits} blocks came back from host tiers`);
});

Deno.test("sim: planners change roles under faults as operators ask, and the same seed does it the same way", async () => {
  const args = [
    ...["--seed", "3", "--faults", "all", "--fault-every", "15s", "--minutes", "1.5"],
    ...["--workers", "0", "--prefill", "1", "--decode", "2", "--planners", "2"],
    ...["--orders-every", "10s", "--planner", "reactive=2s", "--planner", "flip-timeout=10s"],
    ...["--router", "split.mode=always", "--worker", "sim.speed=0.1", "--json"],
  ];
  const runs = [await run(...args), await run(...args)];
  assert.deepEqual(runs.map(({ code }) => code), [0, 0], runs[0].out.join("\n"));
  const [summary, again] = runs.map(({ out }) => JSON.parse(out[0]));
  assert.equal(summary.broken, null);
  assert.ok(summary.flips > 3, `${summary.flips} changes of role`);
  assert.equal(again.digest, summary.digest);
});

Deno.test("sim: workers come and go with blocks of the host tier in their hands, and nothing stays held", async () => {
  const args = ["--seed", "3", "--faults", "kill,restart", "--fault-every", "5s"];
  const small = [
    ...["--minutes", "1", "--blocks", "12", "--host-blocks", "200", "--rate", "3", "--json"],
  ];
  const { code, out } = await run(...args, ...small);
  assert.equal(code, 0, out.join("\n"));
  const { tierHits, faults } = JSON.parse(out[0]);
  assert.ok(tierHits > 100 && faults > 3, `${tierHits} blocks came back under ${faults} faults`);
});

Deno.test("sim: a router that missed the host tier's last events before everybody rests hears of them", async () => {
  const tier = ["--blocks", "40", "--host-blocks", "16", "--rate", "0.8", "--output", "64"];
  const slow = ["--workers", "1", "--max-seqs", "2", "--worker", "sim.speed=0.3"];
  const away = ["--schedule", "57600 partition router-0 5000 1"];
  for (const seed of ["1", "2"]) {
    const { code, out } = await run("--seed", seed, "--minutes", "1", ...tier, ...slow, ...away);
    assert.equal(code, 0, out.join("\n"));
  }
});

Deno.test("sim without faults: no request fails, and a log digest is on stdout", async () => {
  const { code, out } = await run("--seed", "9", "--minutes", "1", "--json");
  assert.equal(code, 0);
  const summary = JSON.parse(out[0]);
  assert.equal(summary.broken, null);
  assert.match(summary.digest, /^[0-9a-f]{16}$/);
  assert.deepEqual(
    Object.keys(summary.ends).filter((end) => !/length|stop|cancelled/.test(end)),
    [],
  );
  assert.equal(JSON.parse(out[1]).figure, "sim.reqs");
});

Deno.test("sim reads traces and refuses what it cannot use with exit code 2", async () => {
  const folder = await Deno.makeTempDir({ prefix: "pixii-sim-" });
  try {
    const line = (at: number) =>
      JSON.stringify({ timestamp: at, input_length: 600, output_length: 5, hash_ids: [at, 1] });
    await Deno.writeTextFile(`${folder}/t.jsonl`, `${line(0)}\n${line(900)}\n`);
    const traced = await run("--trace", `${folder}/t.jsonl`, "--minutes", "0.1");
    assert.equal(traced.code, 0, traced.err.join("\n"));
    assert.match(traced.out[1], /^2 requests: length 2;/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const wrong = [
    [["--trace", "/nowhere.jsonl"], /Cannot read \/nowhere.jsonl/],
    [["--faults", "kill,explode"], /'explode' is none of kill/],
    [["--schedule", "5 kill worker-7 10"], /no worker-7/],
    [["--router", "policy=best"], /policy/],
    [["--workers", "many"], /workers/],
    [["--workers", "0", "--prefill", "2"], /Nobody answers/],
    [["--planner", "mode=perhaps"], /mode/],
  ] as const;
  for (const [args, said] of wrong) {
    const { code, err } = await run(...args);
    assert.equal(code, 2, args.join(" "));
    assert.match(err.join("\n"), said);
  }
  assert.equal((await run("--help")).code, 0);
});

Deno.test("replayCommand() keeps the options and gives exactly these faults", () => {
  const args = ["--seed", "4", "--faults=all", "--json", "--log", "x", "--trace", "a b.csv"];
  const fault = { atMs: 5, kind: "kill", target: "worker-0", forMs: 9, amount: 1 } as const;
  assert.equal(
    replayCommand(args, [fault, { ...fault, atMs: 7 }]),
    "deno task sim --seed 4 --trace 'a b.csv' --schedule '5 kill worker-0 9 1; 7 kill worker-0 9 1'",
  );
});
