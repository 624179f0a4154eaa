import { fail, limits, ok, type Result } from "@pixii/wire";

/** What a model text of the command line names. */
export type ModelSource =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "hub"; readonly repo: string; readonly file: string | undefined }
  | { readonly kind: "catalog"; readonly name: string };

const hubPattern = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;

/**
 * Reads a model text: a path starts with `/`, `./`, `../`, `~/` or ends in `.gguf`; else with a `/` it is ORG/REPO[:FILE];
 * else a catalog name. Fails with `invalid_request`.
 */
export function parseModelSource(text: string, home?: string): Result<ModelSource> {
  if (text === "") return fail("invalid_request", "Cannot use model: a name is needed, got none");
  const path = asPath(text, home);
  if (path !== undefined) return ok({ kind: "path", path });
  if (!text.includes("/")) {
    if (/^[\w.-]+$/.test(text)) return ok({ kind: "catalog", name: text });
    return fail(
      "invalid_request",
      `Cannot use model: a catalog name has letters, digits, ".", "_" and "-" only, got ${
        JSON.stringify(text)
      }; "deno task models ls" lists them`,
    );
  }
  const colon = text.indexOf(":");
  const repo = colon < 0 ? text : text.slice(0, colon);
  const file = colon < 0 ? undefined : text.slice(colon + 1);
  const safeFile = file === undefined ||
    (file !== "" && !file.startsWith("/") && !file.includes("\\") &&
      !file.split("/").some((part) => part === "" || part === "." || part === ".."));
  if (!hubPattern.test(repo) || !safeFile) {
    return fail(
      "invalid_request",
      `Cannot use model: a Hugging Face name is ORG/REPO or ORG/REPO:FILE, got ${
        JSON.stringify(text)
      }; a file path starts with "/", "./" or "~/"`,
    );
  }
  return ok({ kind: "hub", repo, file });
}

/** The name a source is served under unless `--served-name` says otherwise; at most `limits.modelNameBytes`. */
export function servedNameOf(source: ModelSource): string {
  switch (source.kind) {
    case "path":
      return stemOf(source.path).slice(0, limits.modelNameBytes);
    case "hub":
      return source.repo;
    case "catalog":
      return source.name;
  }
}

/** A path's last part without `.gguf`; a folder may end in `/`. */
export function stemOf(path: string): string {
  const whole = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  const last = whole.slice(whole.lastIndexOf("/") + 1);
  return last.endsWith(".gguf") && last.length > 5 ? last.slice(0, -5) : last;
}

function asPath(text: string, home: string | undefined): string | undefined {
  if (text.startsWith("~/") || text === "~") return (home ?? "~") + text.slice(1);
  if (text.startsWith("/") || text.startsWith("./") || text.startsWith("../")) return text;
  // ORG/REPO:FILE.gguf ends in .gguf too; a colon after ORG/REPO makes it a hub name.
  if (text.endsWith(".gguf") && !/^[^/:]+\/[^/:]+:/.test(text)) return text;
  return undefined;
}
