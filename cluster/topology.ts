import type { Clock } from "@pixii/runtime";
import { fail, ok, type Result } from "@pixii/wire";
import { hostOf } from "./permissions.ts";

/** Longest wait for a server that was named. */
const reachMs = 3_000;

/** What the choice is made from. */
export interface TopologyFacts {
  readonly wanted: "auto" | "one" | "processes";
  /** Given by URL. */
  readonly natsUrl: string;
  readonly etcdUrl: string;
  /** Found on this machine. */
  readonly natsFound: boolean;
  readonly etcdFound: boolean;
}

/** The topology and one line why. */
export interface TopologyChoice {
  readonly topology: "one" | "processes";
  readonly why: string;
}

/** Chooses; fails with `not_found` (exit code 3) where processes are asked for and a server is missing. */
export function chooseTopology(facts: TopologyFacts): Result<TopologyChoice> {
  if (facts.wanted === "one") {
    return ok({
      topology: "one",
      why:
        "one program with its workers beside it, as asked; it has no permission limits of its own",
    });
  }
  const missing = [
    ...(facts.natsUrl !== "" || facts.natsFound ? [] : ["nats-server"]),
    ...(facts.etcdUrl !== "" || facts.etcdFound ? [] : ["etcd"]),
  ];
  const named = facts.natsUrl !== "" || facts.etcdUrl !== "";
  if (missing.length === 0) {
    const server = (url: string, name: string) =>
      url === "" ? `its own ${name}` : `${name} at ${hostOf(url)}`;
    return ok({
      topology: "processes",
      why: `five programs over ${server(facts.natsUrl, "nats-server")} and ${
        server(facts.etcdUrl, "etcd")
      }`,
    });
  }
  const list = missing.join(" and ");
  if (facts.wanted === "processes" || named) {
    return fail(
      "not_found",
      `Cannot start separate processes: ${list} must be on PATH; install ${
        missing.length > 1 ? "them" : "it"
      } (apt-get install nats-server etcd-server), give ${
        missing.map((name) => name === "etcd" ? "--etcd" : "--nats").join(" and ")
      }, or use --topology one`,
    );
  }
  return ok({
    topology: "one",
    why: `one program with its workers beside it, because ${list} ${
      missing.length > 1 ? "are" : "is"
    } not on PATH; it has no permission limits of its own`,
  });
}

/** Fails with `not_found` where nothing listens at a server's URL. */
export async function reachServer(url: string, what: string, clock: Clock): Promise<Result<void>> {
  const { hostname, port } = new URL(`http://${hostOf(url)}`);
  using deadline = clock.deadline(reachMs);
  try {
    const connection = await Deno.connect({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port || 80),
      signal: deadline.signal,
    } as Deno.ConnectOptions);
    connection.close();
    return ok(undefined);
  } catch (error) {
    const reason = deadline.signal.aborted
      ? `no answer in ${reachMs / 1000} s`
      : error instanceof Error
      ? error.message
      : String(error);
    return fail(
      "not_found",
      `Cannot reach ${what} at ${hostOf(url)}: ${reason}; start it or leave --${what} out`,
    );
  }
}
