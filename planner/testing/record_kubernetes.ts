import { parseArgs } from "node:util";
import type { RecordedCall } from "./recorded_api.ts";
import { playScenario, scenarioNamespace, scenarioPods } from "./kube_scenario.ts";

const usage = `Records what a real API server of Kubernetes answers the planner, for its tests.

deno run -A planner/testing/record_kubernetes.ts --url https://HOST:PORT --ca FILE --admin-token-file FILE

It makes the namespace ${scenarioNamespace} with objects of its own, gives the planner the rights of
deploy/kubernetes/planner-role.yaml, plays the scenario and writes planner/actuators/testdata/kubernetes.json.
Only an empty cluster, or an API server alone, answers the same again: controllers change what it makes.`;

const roleFile = new URL("../../deploy/kubernetes/planner-role.yaml", import.meta.url);
const recording = new URL("../actuators/testdata/kubernetes.json", import.meta.url);

/** Calls as the administrator; fails loudly. */
class Admin implements Disposable {
  readonly #url: string;
  readonly #token: string;
  readonly #client: Deno.HttpClient;

  constructor(options: { readonly url: string; readonly token: string; readonly ca: string }) {
    this.#url = options.url;
    this.#token = options.token;
    this.#client = Deno.createHttpClient({ caCerts: [options.ca] });
  }

  async call(method: string, path: string, body: string, type = "application/json") {
    const headers = { authorization: `Bearer ${this.#token}`, "content-type": type };
    const answer = await fetch(this.#url + path, { method, headers, body, client: this.#client });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as Record<string, Record<string, unknown>>;
  }

  /** Makes an object of JSON or YAML what the file says. */
  async apply(path: string, body: string) {
    const query = "?fieldManager=test&force=true";
    return await this.call("PATCH", path + query, body, "application/apply-patch+yaml");
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

const template = {
  metadata: { labels: { app: "worker" } },
  spec: { containers: [{ name: "worker", image: "pixii" }] },
};

async function prepare(admin: Admin): Promise<void> {
  const space = `/namespaces/${scenarioNamespace}`;
  await admin.apply(
    `/api/v1${space}`,
    JSON.stringify({
      ...{ apiVersion: "v1", kind: "Namespace", metadata: { name: scenarioNamespace } },
    }),
  );
  const make = (path: string, value: unknown) => admin.apply(path, JSON.stringify(value));
  const workload = { selector: { matchLabels: { app: "worker" } }, template };
  await make(`/apis/apps/v1${space}/deployments/worker`, {
    ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "worker" } },
    spec: { replicas: 2, ...workload },
  });
  for (const [name, replicas] of [["prefill", 1], ["decode", 2]] as const) {
    await make(`/apis/apps/v1${space}/statefulsets/${name}`, {
      ...{ apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name } },
      spec: { replicas, serviceName: name, ...workload },
    });
  }
  await make(
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/dynamographdeployments.nvidia.com",
    graphs,
  );
  await settled(() =>
    make(`/apis/nvidia.com/v1alpha1${space}/dynamographdeployments/graph`, {
      ...{ apiVersion: "nvidia.com/v1alpha1", kind: "DynamoGraphDeployment" },
      metadata: { name: "graph" },
      spec: { services: { Frontend: { replicas: 1 }, VllmDecodeWorker: { replicas: 1 } } },
    })
  );
  const rights = (await Deno.readTextFile(roleFile)).split(/^---$/m);
  for (const text of rights) await admin.apply(pathOf(text), text);
  for (const pod of [...scenarioPods.values()].slice(0, -1)) {
    await make(`/api/v1${space}/pods/${pod}`, {
      ...{ apiVersion: "v1", kind: "Pod", metadata: { name: pod }, spec: template.spec },
    });
  }
}

/** A definition whose inner fields nobody checks; a real one of NVIDIA's has hundreds. */
const graphs = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "dynamographdeployments.nvidia.com" },
  spec: {
    group: "nvidia.com",
    scope: "Namespaced",
    names: { plural: "dynamographdeployments", kind: "DynamoGraphDeployment" },
    versions: [{
      ...{ name: "v1alpha1", served: true, storage: true },
      schema: {
        openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
    }],
  },
};

/** Where an object of the role file lives. */
function pathOf(text: string): string {
  const kind = /^kind: (\w+)$/m.exec(text)?.[1] ?? "";
  const name = /^ {2}name: (\S+)$/m.exec(text)?.[1] ?? "";
  const space = `/namespaces/${scenarioNamespace}`;
  return kind === "ServiceAccount"
    ? `/api/v1${space}/serviceaccounts/${name}`
    : `/apis/rbac.authorization.k8s.io/v1${space}/${kind.toLowerCase()}s/${name}`;
}

/** A new kind of object is served a moment after it was defined. */
async function settled(make: () => Promise<unknown>): Promise<void> {
  for (let left = 50;; left--) {
    try {
      await make();
      return;
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Passes calls on to the API server and keeps them. */
function proxy(url: string, client: Deno.HttpClient, calls: RecordedCall[]) {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname: path } = new URL(request.url);
    const text = await request.text();
    const answer = await fetch(url + path, {
      ...{ method: request.method, headers: request.headers, client },
      ...(text === "" ? {} : { body: text }),
    });
    const said = await answer.json();
    calls.push({
      ...{ method: request.method, path, contentType: request.headers.get("content-type") },
      ...{ body: text === "" ? null : JSON.parse(text), status: answer.status, answer: said },
    });
    return Response.json(said, { status: answer.status });
  });
}

async function accountWith(token: string, ca: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/token`, token);
  await Deno.writeTextFile(`${folder}/ca.crt`, ca);
  await Deno.writeTextFile(`${folder}/namespace`, scenarioNamespace);
  return folder;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      ...{ url: { type: "string" }, ca: { type: "string" }, help: { type: "boolean" } },
      "admin-token-file": { type: "string" },
    },
  });
  const { url, ca: caFile, "admin-token-file": tokenFile } = values;
  if (values.help || url === undefined || caFile === undefined || tokenFile === undefined) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const ca = await Deno.readTextFile(caFile);
  using admin = new Admin({ url, ca, token: (await Deno.readTextFile(tokenFile)).trim() });
  await prepare(admin);
  const path = `/api/v1/namespaces/${scenarioNamespace}/serviceaccounts/pixii-planner/token`;
  const { status } = await admin.call("POST", path, "{}");
  const account = await accountWith(String(status.token), ca);
  const strangerAccount = await accountWith("nobody", ca);
  const calls: RecordedCall[] = [];
  const client = Deno.createHttpClient({ caCerts: [ca] });
  const server = proxy(url, client, calls);
  const steps = await playScenario({
    ...{ url: `http://127.0.0.1:${server.addr.port}`, account, strangerAccount },
  });
  await server.shutdown();
  for (const folder of [account, strangerAccount]) await Deno.remove(folder, { recursive: true });
  const version = await fetch(`${url}/version`, { client });
  const { gitVersion } = await version.json();
  client.close();
  await Deno.writeTextFile(
    recording,
    `${JSON.stringify({ version: gitVersion, calls }, null, 1)}\n`,
  );
  for (const { name, result } of steps) {
    console.log(
      `${result.ok ? "done   " : "refused"} ${name}${result.ok ? "" : `: ${result.error.message}`}`,
    );
  }
  console.log(`${calls.length} calls recorded of Kubernetes ${gitVersion}`);
  return 0;
}

if (import.meta.main) Deno.exit(await main());
