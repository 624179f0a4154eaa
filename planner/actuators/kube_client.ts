import { fail, ok } from "@pixii/wire";
import type { ErrorCode, Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";

/** Longest wait for an answer. */
const answerMs = 10_000;
/** Longest part of an answer that is shown. */
const shownChars = 300;

/** What a refusal is here, and what to do about it. */
const refusals: ReadonlyMap<number, { readonly code: ErrorCode; readonly hint: string }> = new Map([
  [401, { code: "unauthorized", hint: "; is the token in --kube-account of this cluster?" }],
  [403, {
    code: "unauthorized",
    hint: "; deploy/kubernetes/planner-role.yaml is what the planner needs",
  }],
  [404, { code: "not_found", hint: "; --kube-target and --kube-namespace say what is looked for" }],
]);

/** Where the API server is and who asks. */
export interface KubeAccess {
  /** `https://kubernetes.default.svc`. */
  readonly url: string;
  /** Folder of the service account: `token`, `ca.crt`, `namespace`. */
  readonly account: string;
  /** Empty = the account's. */
  readonly namespace: string;
  readonly clock: Clock;
}

/**
 * The API server of Kubernetes, as a service account sees it. The token is read anew for every call, since it is changed
 * while the pod runs; it stands in no message.
 */
export class KubeClient implements Disposable {
  readonly #access: KubeAccess;
  #http: { readonly ca: string; readonly client: Deno.HttpClient } | undefined;

  constructor(access: KubeAccess) {
    this.#access = access;
  }

  /** Reads an object. */
  get(path: string): Promise<Result<unknown>> {
    return this.#call("GET", path);
  }

  /** Changes an object by a merge patch. */
  patch(path: string, body: unknown): Promise<Result<unknown>> {
    return this.#call("PATCH", path, body);
  }

  /** The namespace that objects are in. */
  async namespace(): Promise<Result<string>> {
    if (this.#access.namespace !== "") return ok(this.#access.namespace);
    const read = await this.#file("namespace");
    return read.ok ? ok(read.value.trim()) : read;
  }

  [Symbol.dispose](): void {
    this.#http?.client.close();
    this.#http = undefined;
  }

  async #call(method: "GET" | "PATCH", path: string, body?: unknown): Promise<Result<unknown>> {
    const { url, clock } = this.#access;
    const what = `${method} ${path}`;
    const token = await this.#file("token");
    if (!token.ok) return token;
    const client = await this.#client();
    if (!client.ok) return client;
    using deadline = clock.deadline(answerMs);
    const secret = token.value.trim();
    const clean = (text: string) => text.replaceAll(secret, "***").slice(0, shownChars);
    try {
      const answer = await fetch(`${url.replace(/\/+$/, "")}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${secret}`,
          accept: "application/json",
          ...(body === undefined ? {} : { "content-type": "application/merge-patch+json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: deadline.signal,
        ...(client.value === undefined ? {} : { client: client.value }),
      });
      const text = await answer.text();
      if (answer.ok) return ok(JSON.parse(text));
      const { code, hint } = refusals.get(answer.status) ?? { code: "internal", hint: "" };
      return fail(
        code,
        `Cannot ${what}: Kubernetes says ${answer.status} ${clean(said(text))}${hint}`,
      );
    } catch (error) {
      const isLate = deadline.signal.aborted;
      const why = isLate ? `no answer in ${answerMs} ms` : whyOf(error as Error);
      return fail(
        isLate ? "timeout" : "internal",
        `Cannot ${what}: ${clean(why)}; is --kube-url ${url} right?`,
      );
    }
  }

  async #file(name: string): Promise<Result<string>> {
    const path = `${this.#access.account}/${name}`;
    let why = "it is empty";
    try {
      const text = await Deno.readTextFile(path);
      if (text.trim() !== "") return ok(text);
    } catch (error) {
      why = error instanceof Deno.errors.NotFound ? "it is not there" : (error as Error).name;
    }
    return fail(
      "not_found",
      `Cannot read ${path}: ${why}; the planner needs a service account (--kube-account)`,
    );
  }

  /** A client that trusts the cluster's own authority; none is needed where the server speaks plain HTTP. */
  async #client(): Promise<Result<Deno.HttpClient | undefined>> {
    if (!this.#access.url.startsWith("https:")) return ok(undefined);
    const ca = await this.#file("ca.crt");
    if (!ca.ok) return ca;
    if (this.#http?.ca !== ca.value) {
      this.#http?.client.close();
      this.#http = { ca: ca.value, client: Deno.createHttpClient({ caCerts: [ca.value] }) };
    }
    return ok(this.#http.client);
  }
}

/** The sentence of a Kubernetes `Status`, or the text itself. */
function said(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? message : text;
  } catch {
    // Something in between answered, not Kubernetes.
    return text;
  }
}

/** What went wrong below: a failed connection is told by the cause. */
function whyOf({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
