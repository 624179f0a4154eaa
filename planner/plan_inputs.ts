import { InputWriter } from "./core/plan_input.ts";
import type { InputLine, StepInput } from "./core/plan_input.ts";

/** What this planner's decisions were made from. */
export interface PlanInputsParts {
  /** This planner. */
  readonly by: string;
  /** When it began, ISO 8601. */
  readonly at: string;
  /** Of this program. */
  readonly version: string;
  /** Over this nothing of it is kept in memory any more. */
  readonly mostBytes: number;
  /** Takes every line too. */
  readonly listener?: (line: InputLine) => void;
}

/**
 * Everything that the core was given since it began, as JSON lines in bounded memory. A step can be made again only behind
 * all those before it, so where there is no room for one more, none is kept: the file goes on.
 */
export class PlanInputs {
  readonly #parts: PlanInputsParts;
  readonly #writer: InputWriter;
  #lines: string[] | undefined = [];
  #bytes = 0;

  constructor(parts: PlanInputsParts) {
    this.#parts = parts;
    const { by, at, version } = parts;
    this.#writer = new InputWriter(by);
    this.#add({ kind: "begin", by, at, version });
  }

  /** All lines since the beginning; `undefined` where they were more than may be kept. */
  get lines(): readonly string[] | undefined {
    return this.#lines;
  }

  /** Takes a step before it is made. */
  step(input: StepInput): void {
    for (const line of this.#writer.lines(input)) this.#add(line);
  }

  #add(line: InputLine): void {
    this.#parts.listener?.(line);
    if (this.#lines === undefined) return;
    const text = JSON.stringify(line);
    this.#bytes += text.length;
    if (this.#bytes > this.#parts.mostBytes) this.#lines = undefined;
    else this.#lines.push(text);
  }
}
