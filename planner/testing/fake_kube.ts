/** An API server that knows Deployments by their scale and marks of pods, as far as an actuator looks. */
export class FakeKube implements AsyncDisposable {
  /** Folder of a service account. */
  readonly account: string;
  /** Replicas by name, and annotations by pod. */
  readonly wanted: Record<string, unknown>;
  /** True: everything is answered with 500. */
  refuses = false;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(account: string, replicas: Readonly<Record<string, number>>) {
    this.account = account;
    this.wanted = { ...replicas };
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  /** `replicas`: Deployments that there are. */
  static async open(replicas: Readonly<Record<string, number>>): Promise<FakeKube> {
    const account = await Deno.makeTempDir();
    await Deno.writeTextFile(`${account}/token`, "t");
    await Deno.writeTextFile(`${account}/namespace`, "here");
    return new FakeKube(account, replicas);
  }

  /** `http://127.0.0.1:PORT`. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await Deno.remove(this.account, { recursive: true });
  }

  async #answer(request: Request): Promise<Response> {
    const text = await request.text();
    if (this.refuses) return Response.json({ message: "etcd is away" }, { status: 500 });
    const path = new URL(request.url).pathname.split("/");
    const isScale = path.at(-1) === "scale";
    const name = isScale ? path.at(-2)! : path.at(-1)!;
    if (isScale && !(name in this.wanted)) {
      return Response.json({ message: `${name} not found` }, { status: 404 });
    }
    if (request.method === "PATCH") {
      const { spec, metadata } = JSON.parse(text);
      this.wanted[name] = isScale ? spec.replicas : metadata.annotations;
    }
    return Response.json({ spec: { replicas: this.wanted[name] } });
  }
}
