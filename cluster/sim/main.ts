import { simCommand } from "./command.ts";

if (import.meta.main) {
  const output = {
    out: (line: string) => console.log(line),
    err: (line: string) => console.error(line),
  };
  Deno.exit(await simCommand(Deno.args, output));
}
