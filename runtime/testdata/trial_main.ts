import { commonOptions } from "../service_options.ts";
import { option } from "../option.ts";
import { runService } from "../program.ts";
import type { Service, ServiceSpec } from "../service.ts";
import { exitCodes, StartError } from "../start_error.ts";

const schema = {
  ...commonOptions,
  trial: option.choice(
    ["none", "refuse", "throw", "slow-start", "fail", "uncaught", "stuck-drain", "slow-drain"],
    { fallback: "none", help: "What goes wrong." },
  ),
  "api-key": option.text({ fallback: "sk-", secret: true, pattern: /^sk-/, help: "A secret." }),
} as const;

/** A service that goes wrong on demand, for tests of `runService`. */
const trialSpec: ServiceSpec<typeof schema> = {
  name: "kvbm",
  summary: "goes wrong on demand",
  schema,
  async start({ trial }, { clock, log }): Promise<Service> {
    if (trial === "refuse") throw new StartError("Cannot start: no model", exitCodes.missing);
    if (trial === "throw") throw new Error("a bug in start");
    if (trial === "slow-start") {
      log.info("loading");
      await clock.sleep(3_600_000);
    }
    const failed = Promise.withResolvers<Error>();
    if (trial === "fail") clock.timer(1, () => failed.resolve(new Error("the engine died")));
    if (trial === "uncaught") {
      clock.timer(1, () => {
        throw new Error("nobody caught this");
      });
    }
    return {
      health: () => ({ status: "ready", details: { trial } }),
      facts: { trial },
      failed: failed.promise,
      async drain(signal) {
        log.info("draining", { trial });
        if (trial === "stuck-drain") await new Promise(() => {});
        if (trial === "slow-drain") {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        }
      },
      [Symbol.asyncDispose]: () => {
        log.info("disposed");
        return Promise.resolve();
      },
    };
  },
};

await runService(trialSpec);
