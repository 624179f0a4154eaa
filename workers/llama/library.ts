import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { differences, layouts } from "./layout.ts";
import type { LibraryLayout } from "./layout.ts";
import { ggmlSymbols, libcNames, llamaSymbols } from "./symbols.ts";
import type { Llama } from "./symbols.ts";

/** The opened and checked library. */
export interface Library {
  readonly llama: Llama;
  readonly layout: LibraryLayout;
  /** libc's `strlen`: as abort callback it says 0 while the byte it is given is 0. */
  readonly strlen: Deno.PointerObject;
  /** A function that ignores its arguments: as log callback it says nothing. */
  readonly silence: Deno.PointerObject;
}

/** Text as a NUL-terminated C string. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  const terminated = new Uint8Array(bytes.length + 1);
  terminated.set(bytes);
  return terminated;
}

/** Name of the package with the libraries of this platform. */
function packageName(): string | undefined {
  const { os, arch } = Deno.build;
  const names: Readonly<Record<string, string>> = {
    "linux-x86_64": "linux-x64",
    "linux-aarch64": "linux-arm64",
    "darwin-aarch64": "mac-arm64-metal",
    "darwin-x86_64": "mac-x64",
    "windows-x86_64": "win-x64",
  };
  return names[`${os}-${arch}`];
}

/** Folder of the platform package's libraries; only that package is fetched. */
export async function librariesFolder(): Promise<Result<string>> {
  const name = packageName();
  if (name === undefined) {
    const { os, arch } = Deno.build;
    return fail(
      "invalid_request",
      `Cannot start llama.cpp: there is no package for ${os} on ${arch}`,
    );
  }
  // Not a literal, so that checking or bundling does not fetch the packages of every platform.
  const specifier = `@node-llama-cpp/${name}`;
  const { getBinsDir } = await import(specifier) as { getBinsDir(): { binsDir: string } };
  const { binsDir } = getBinsDir();
  for (const entry of Deno.readDirSync(binsDir)) {
    if (entry.isDirectory) return ok(`${binsDir}/${entry.name}`);
  }
  return fail(
    "internal",
    `Cannot start llama.cpp: ${binsDir} holds no folder of libraries; clear Deno's cache and start again`,
  );
}

function fileIn(folder: string, pattern: RegExp): string | undefined {
  for (const entry of Deno.readDirSync(folder)) {
    if (pattern.test(entry.name)) return `${folder}/${entry.name}`;
  }
  return undefined;
}

/** What a C string pointer says. */
function textAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : new Deno.UnsafePointerView(pointer).getCString();
}

/** What the library says of itself, before anything else is done with it. */
export interface LibraryClaims {
  /** `llama_version()`. */
  readonly version: string;
  /** `llama_model_default_params()` and `llama_context_default_params()`, zeros behind the struct. */
  readonly model: Uint8Array;
  readonly context: Uint8Array;
}

/** The layout of a library, or one sentence why it is not used: unknown version, or structs that differ from the table. */
export function layoutOf(claims: LibraryClaims): Result<LibraryLayout> {
  const version = claims.version.split("-")[0];
  if (!Object.hasOwn(layouts, version)) {
    const known = Object.keys(layouts).join(", ");
    return fail(
      "internal",
      `Cannot use llama.cpp ${version}: its struct layout is unknown (known: ${known}); use the pinned package`,
    );
  }
  const layout = layouts[version];
  const wrong = [
    ...differences(claims.model, layout.model),
    ...differences(claims.context, layout.context),
  ];
  if (wrong.length > 0) {
    return fail(
      "internal",
      `Cannot use llama.cpp ${version}: its structs differ from the table (${
        wrong.slice(0, 3).join("; ")
      }); use the pinned package`,
    );
  }
  return ok(layout);
}

function checkLayout(llama: Llama): Result<LibraryLayout> {
  return layoutOf({
    version: textAt(llama.llama_version()),
    model: llama.llama_model_default_params() as Uint8Array,
    context: llama.llama_context_default_params() as Uint8Array,
  });
}

/** The functions of the C library that llama.cpp is given, after it was told not to start a debugger when it aborts. */
function openLibc(): { strlen: Deno.PointerObject; silence: Deno.PointerObject } {
  const names = libcNames[Deno.build.os] ?? libcNames.linux;
  const { symbols } = Deno.dlopen(names.file, {
    strlen: { name: names.strlen, type: "pointer" },
    silence: { name: names.silence, type: "pointer" },
    setVariable: {
      name: names.setVariable,
      parameters: ["buffer", "buffer", "i32"],
      result: "i32",
    },
  });
  symbols.setVariable(cString("GGML_NO_BACKTRACE"), cString("1"), 1);
  const { strlen, silence } = symbols;
  return { strlen: strlen as Deno.PointerObject, silence: silence as Deno.PointerObject };
}

/** Opens llama.cpp of the pinned package and checks its layout. Opened once per thread; never closed. */
export async function openLibrary(): Promise<Result<Library>> {
  try {
    const folder = await librariesFolder();
    return folder.ok ? openFolder(folder.value) : folder;
  } catch (error) {
    return fail(
      "internal",
      `Cannot start llama.cpp: ${
        (error as Error).message
      }; its package must be in Deno's cache, and full --allow-ffi is needed`,
    );
  }
}

function openFolder(folder: string): Result<Library> {
  const ggmlFile = fileIn(folder, /^(lib)?ggml(\.[a-z]+)?(\.v[\d.]+)?\.(so|dylib|dll)$/);
  const llamaFile = fileIn(folder, /^(lib)?llama(\.[a-z]+)?(\.v[\d.]+)?\.(so|dylib|dll)$/);
  if (ggmlFile === undefined || llamaFile === undefined) {
    return fail(
      "internal",
      `Cannot start llama.cpp: ${folder} lacks its libraries; clear Deno's cache and start again`,
    );
  }
  const { strlen, silence } = openLibc();
  const ggml = Deno.dlopen(ggmlFile, ggmlSymbols);
  const llama = Deno.dlopen(llamaFile, llamaSymbols).symbols;
  llama.llama_log_set(silence, null);
  ggml.symbols.ggml_backend_load_all_from_path(cString(folder));
  llama.llama_backend_init();
  const layout = checkLayout(llama);
  return layout.ok ? ok({ llama, layout: layout.value, strlen, silence }) : layout;
}
