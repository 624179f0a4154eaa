/**
 * `deno task compile [SERVICE…] [--out FOLDER] [--target TRIPLE]`: one binary per service with the permissions of
 * `cluster/permissions.ts`. `--check` only bundles each service's module graph, which needs no runtime download.
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { type ServiceName, serviceNames } from "@pixii/wire";
import { compileArgs, memberOf } from "./compile_args.ts";

const usage = `deno task compile: one binary per service

Usage:
  deno task compile [SERVICE…] [--out FOLDER] [--target TRIPLE]   binaries FOLDER/pixii-SERVICE (default: dist)
  deno task compile --check [SERVICE…]                            bundles each module graph and throws it away

SERVICE is one of ${
  serviceNames.join(", ")
}; all of them without it. TRIPLE as in deno compile --help.
The worker's binary looks for its llama.cpp libraries in Deno's cache: run it where "deno task worker --help" ran once.
Exit codes: 0 done, 1 a service failed, 2 bad usage.`;

const root = fileURLToPath(new URL("..", import.meta.url));

async function run(args: readonly string[]): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), { args: [...args], cwd: root });
  return (await child.spawn().status).success;
}

async function compileOne(
  service: ServiceName,
  options: { readonly out: string; readonly target: string | undefined },
): Promise<boolean> {
  const { out, target } = options;
  console.log(`compiling ${service} to ${out}/pixii-${service}`);
  return await run(compileArgs(service, { out, target }));
}

async function checkOne(service: ServiceName): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "pixii-bundle-" });
  try {
    const file = `${folder}/${service}.js`;
    const done = await run(["bundle", "--quiet", "-o", file, `${memberOf(service)}/main.ts`]);
    if (done) console.log(`${service}: ${(await Deno.stat(file)).size} bytes bundled`);
    return done;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function readArgs() {
  return parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h", default: false },
      check: { type: "boolean", default: false },
      out: { type: "string", default: "dist" },
      target: { type: "string" },
    },
  });
}

async function main(): Promise<number> {
  let parsed: ReturnType<typeof readArgs>;
  try {
    parsed = readArgs();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const unknown = positionals.find((name) => !serviceNames.includes(name as ServiceName));
  if (unknown !== undefined) {
    console.error(`Cannot compile ${unknown}: services are ${serviceNames.join(", ")}`);
    return 2;
  }
  const services = positionals.length > 0 ? positionals as ServiceName[] : serviceNames;
  let failed = 0;
  for (const service of services) {
    const done = values.check ? await checkOne(service) : await compileOne(service, {
      out: values.out,
      target: values.target,
    });
    if (done) continue;
    failed += 1;
    console.error(`${service} failed`);
  }
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
