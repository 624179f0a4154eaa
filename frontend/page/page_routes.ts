import { fail } from "@pixii/wire";
import { errorAnswer, jsonAnswer } from "../http/answer.ts";
import type { Call } from "../http/call.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { PageFile } from "./page_files.ts";

/** Path of the cluster's view, and the path below which a decision is told in words. */
const clusterPath = "/v1/pixii/cluster";
const explainPath = "/v1/pixii/explain/";

/** The page loads nothing from elsewhere, runs no inline script, and is shown in nobody's frame. */
const contentPolicy =
  "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** The built-in page: its files, and what it shows. Only where `--page` is on. */
export class PageRoutes {
  readonly #files: ReadonlyMap<string, PageFile>;
  readonly #view: ClusterView;

  constructor(files: ReadonlyMap<string, PageFile>, view: ClusterView) {
    this.#files = files;
    this.#view = view;
  }

  /** Whether a GET of this path is the page's. */
  has(path: string): boolean {
    return this.#files.has(path) || path === clusterPath || path.startsWith(explainPath);
  }

  /** The answer to a GET of such a path. */
  async answer(call: Call): Promise<Response> {
    const { path, headers } = call;
    const file = this.#files.get(path);
    if (file !== undefined) {
      headers.set("content-type", file.type);
      headers.set("content-security-policy", contentPolicy);
      headers.set("x-content-type-options", "nosniff");
      headers.set("cache-control", "no-cache");
      return new Response(file.body, { headers });
    }
    headers.set("cache-control", "no-store");
    if (path === clusterPath) return jsonAnswer(200, await this.#view.read(), headers);
    const id = path.slice(explainPath.length);
    const words = await this.#view.explain(decoded(id));
    if (words !== undefined) return jsonAnswer(200, JSON.stringify(words), headers);
    const message =
      `No router has a decision of request ${id.slice(0, 128)}: it may be older than ` +
      "what they keep (--decisions-keep N keeps more)";
    return errorAnswer(fail("not_found", message).error, headers);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A broken escape names no request.
    return text;
  }
}
