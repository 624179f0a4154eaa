import { type ServiceName, serviceNames } from "@pixii/wire";

/** Flags for one service each: `--router.kv-temperature 0.5` becomes `--kv-temperature 0.5` of the router. */
export type Passthrough = Readonly<Record<ServiceName, readonly string[]>>;

const pattern = new RegExp(`^--(${serviceNames.join("|")})\\.(.+)$`, "s");

/** Parts the launcher's own arguments from those of the services. */
export function splitPassthrough(
  args: readonly string[],
): { readonly own: readonly string[]; readonly passed: Passthrough } {
  const own: string[] = [];
  const passed = Object.fromEntries(
    serviceNames.map((service) => [service, [] as string[]]),
  ) as Record<ServiceName, string[]>;
  for (let i = 0; i < args.length; i++) {
    const match = pattern.exec(args[i]);
    if (match === null) {
      own.push(args[i]);
      continue;
    }
    const [, service, rest] = match;
    const equals = rest.indexOf("=");
    const flag = equals < 0 ? rest : rest.slice(0, equals);
    const list = passed[service as ServiceName];
    list.push(`--${flag.replaceAll(".", "-")}${equals < 0 ? "" : rest.slice(equals)}`);
    const next = args[i + 1];
    if (equals < 0 && next !== undefined && !next.startsWith("--")) {
      list.push(next);
      i++;
    }
  }
  return { own, passed };
}
