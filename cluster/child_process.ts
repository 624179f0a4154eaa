import { parentVariable } from "@pixii/runtime";
import { signalProcess } from "./process_identity.ts";
import type { Child } from "./supervisor.ts";

/** Longest line of a child that is passed on whole. */
const lineChars = 16_384;

/** How to start one program. */
export interface ChildSpec {
  /** Before every line of its output: `router`. */
  readonly label: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Takes a line of the child's stdout or stderr, with its label. */
  readonly line: (text: string) => void;
}

/**
 * Starts a program in a process group of its own (a Ctrl-C in the terminal is the launcher's business) with a stdin pipe that
 * ends when this launcher dies. Throws where the program cannot be started.
 */
export function spawnChild(spec: ChildSpec): Child {
  const child = new Deno.Command(spec.command, {
    args: [...spec.args],
    // A config file, an id or a port of the launcher's environment would be every child's.
    env: {
      PIXII_CONFIG: "",
      PIXII_INSTANCE: "",
      PIXII_ADMIN_PORT: "",
      ...spec.env,
      [parentVariable]: "stdin",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const lines = [child.stdout, child.stderr].map((stream) =>
    passLines(stream, (text) => spec.line(`${spec.label} | ${text}`))
  );
  const ended = async () => {
    const [status] = await Promise.all([child.status, ...lines]);
    await closeQuietly(child.stdin);
    return { code: status.code, signal: status.signal };
  };
  return {
    pid: child.pid,
    ended: ended(),
    signal: (name) => signalProcess(child.pid, name),
  };
}

async function passLines(
  stream: ReadableStream<Uint8Array>,
  line: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    rest += decoder.decode(bytes, { stream: true });
    const parts = rest.split("\n");
    rest = parts.pop()!;
    for (const part of parts) line(part.slice(0, lineChars));
    if (rest.length > lineChars) {
      line(rest);
      rest = "";
    }
  }
  if (rest !== "") line(rest);
}

async function closeQuietly(stdin: WritableStream<Uint8Array>): Promise<void> {
  try {
    await stdin.close();
  } catch (error) {
    // The reader is gone: that is what a dead child's pipe says.
    if (!(error instanceof TypeError || error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
