import type { Library } from "./library.ts";

/** Keeps llama.cpp's warnings and errors while something is loaded: they say why a load gave nothing. */
export class LogCapture implements Disposable {
  readonly #library: Library;
  readonly #callback: Deno.UnsafeCallback<
    { parameters: ["i32", "pointer", "pointer"]; result: "void" }
  >;
  readonly #lines: string[] = [];

  constructor(library: Library) {
    this.#library = library;
    this.#callback = new Deno.UnsafeCallback(
      { parameters: ["i32", "pointer", "pointer"], result: "void" } as const,
      (level, text) => {
        // Levels: 2 info, 3 warning, 4 error, 5 continues the line before.
        if (level < 3 || level > 4 || text === null || this.#lines.length >= 20) return;
        this.#lines.push(new Deno.UnsafePointerView(text).getCString().trim());
      },
    );
    library.llama.llama_log_set(this.#callback.pointer, null);
  }

  /** The errors so far, in one line, without the names of C functions. */
  get text(): string {
    return this.#lines.map((line) => line.replace(/^[a-z_:]+: /, "")).join("; ").slice(0, 400);
  }

  /** Silences the library again before the callback goes. */
  [Symbol.dispose](): void {
    this.#library.llama.llama_log_set(this.#library.silence, null);
    this.#callback.close();
  }
}
