import { fail } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Bus } from "./bus.ts";
import { connectNats } from "./bus_nats.ts";
import { connectSocketBus } from "./bus_socket.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Registry } from "./registry.ts";
import { connectEtcd } from "./registry_etcd.ts";
import { connectSocketRegistry } from "./registry_socket.ts";
import { parseServerAddress } from "./server_url.ts";

/** What a connection needs. */
export interface ConnectOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Gives up; rejects with its reason. */
  readonly signal: AbortSignal;
}

/** How long a server that does not answer yet is waited for: in a start of many programs it may come last. In ms. */
export const firstConnectMs = 5_000;
const retryEveryMs = 200;

/** The bus at `address`: `nats://`, `tls://`, `unix:/PATH` or `tcp://` (a socket hub on loopback). Waits up to `firstConnectMs`. */
export function connectBus(address: string, options: ConnectOptions): Promise<Result<Bus>> {
  const parsed = parseServerAddress(address);
  if (parsed?.kind === "unix" || (parsed?.kind === "url" && parsed.url.protocol === "tcp:")) {
    return patiently(options, () => connectSocketBus(parsed, options));
  }
  if (parsed?.kind === "url" && ["nats:", "tls:"].includes(parsed.url.protocol)) {
    const { url } = parsed;
    return patiently(options, () => connectNats(url, options));
  }
  return Promise.resolve(
    fail("bus_unavailable", "Cannot use --nats: it must be nats://HOST:PORT or unix:/PATH"),
  );
}

/** The registry at `address`: `http(s)://`, `unix:/PATH` or `tcp://` (a socket hub on loopback). Waits up to `firstConnectMs`. */
export function connectRegistry(
  address: string,
  options: ConnectOptions,
): Promise<Result<Registry>> {
  const parsed = parseServerAddress(address);
  if (parsed?.kind === "unix" || (parsed?.kind === "url" && parsed.url.protocol === "tcp:")) {
    return patiently(options, () => connectSocketRegistry(parsed, options));
  }
  if (parsed?.kind === "url" && ["http:", "https:"].includes(parsed.url.protocol)) {
    const { url } = parsed;
    return patiently(options, () => connectEtcd(url, options));
  }
  return Promise.resolve(
    fail("registry_unavailable", "Cannot use --etcd: it must be http://HOST:PORT or unix:/PATH"),
  );
}

async function patiently<T>(
  { clock, log, signal }: ConnectOptions,
  attempt: () => Promise<Result<T>>,
): Promise<Result<T>> {
  const endMs = clock.nowMs() + firstConnectMs;
  for (let tries = 1;; tries++) {
    signal.throwIfAborted();
    const connected = await attempt();
    if (connected.ok || clock.nowMs() >= endMs) return connected;
    if (tries === 1) log.warn("not there yet; trying again", { reason: connected.error.message });
    await clock.sleep(retryEveryMs, signal);
  }
}
