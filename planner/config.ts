import { commonOptions, option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";

/** Text of `--kube-target`: a model, or one role of it, and what of Kubernetes runs it. */
export const kubeTargetText =
  /^[^=]+=(deployments|statefulsets)\/[a-z0-9.-]+$|^[^=]+=dynamographdeployments\/[a-z0-9.-]+\/[A-Za-z0-9.-]+$/;

/** The planner's options. */
export const plannerSchema = {
  ...commonOptions,
  "mode": option.choice(["watch", "act"], {
    fallback: "watch",
    help: "watch = plans and says what it would do, moves nothing; act = moves workers",
  }),
  "reactive": option.duration({
    fallback: 5_000,
    min: 250,
    max: 600_000,
    help: "how often the plan is corrected by what is seen",
  }),
  "predictive": option.duration({
    fallback: 60_000,
    min: 1_000,
    max: 86_400_000,
    help: "how often demand is foretold, which sets the floor of the plan",
  }),
  "window": option.duration({
    fallback: 60_000,
    min: 1_000,
    max: 3_600_000,
    help: "how far back lengths of prompts and answers are looked at",
  }),
  "gpus": option.integer({
    fallback: undefined,
    min: 0,
    max: 65_536,
    help: "most workers of all models together; without it as many as there were at most",
  }),
  "goal.ttft": option.duration({
    fallback: 500,
    min: 0,
    max: 3_600_000,
    help: "95 of 100 requests are to have their first token within this, queues included",
  }),
  "goal.itl": option.duration({
    fallback: 50,
    min: 0,
    max: 600_000,
    help: "and every further token within this of the one before",
  }),
  "layout": option.choice(["auto", "split", "both"], {
    fallback: "auto",
    help:
      "split = prefill and decode have workers of their own; auto = split where any worker has such a role",
  }),
  "least.prefill": option.integer({
    fallback: 1,
    min: 0,
    max: 4096,
    help: "prefill workers of a split model that are always kept",
  }),
  "least.decode": option.integer({
    fallback: 1,
    min: 1,
    max: 4096,
    help: "decode workers of a split model that are always kept",
  }),
  "least.both": option.integer({
    fallback: 1,
    min: 1,
    max: 4096,
    help: "workers of a model that is not split that are always kept",
  }),
  "sleep-after": option.list({
    fallback: [] as readonly string[],
    placeholder: "[MODEL=]TIME",
    help:
      "a model that nobody asked for this long has no workers until somebody asks for it again (needs --scale); one time for all models, or MODEL=TIME, MODEL=never for one; never without it",
    item: option.text({
      fallback: "",
      placeholder: "[MODEL=]TIME",
      help: "",
      pattern: /^(.+=)?([1-9]\d*(s|m|h|d)|never)$/,
      rule: "must be a time of whole s, m, h or d, MODEL=TIME or MODEL=never",
    }),
  }),
  "priority": option.list({
    fallback: [] as readonly string[],
    placeholder: "MODEL=N",
    help:
      "of two models that want the same GPU the one with the larger number gets it; 0 without it",
    item: option.text({
      fallback: "",
      placeholder: "MODEL=N",
      help: "",
      pattern: /^.+=-?\d{1,6}$/,
      rule: "must be MODEL=N",
    }),
  }),
  "scale": option.choice(["off", "virtual", "launcher", "kubernetes"], {
    fallback: "off",
    help:
      "who starts and stops workers: nobody (only roles change), nobody but it is recorded (virtual), deno task dev, or Kubernetes (see --kube-target)",
  }),
  "start-time": option.duration({
    fallback: 60_000,
    min: 0,
    max: 3_600_000,
    help: "from asking for a worker until it takes work",
  }),
  "start-timeout": option.duration({
    fallback: 600_000,
    min: 1_000,
    max: 86_400_000,
    help: "a worker that was asked for and is not there by then is no longer counted on",
  }),
  "flip-time": option.duration({
    fallback: 5_000,
    min: 0,
    max: 3_600_000,
    help: "from asking for another role until the worker has it",
  }),
  "flip-timeout": option.duration({
    fallback: 60_000,
    min: 100,
    max: 3_600_000,
    help: "a worker whose old work has not drained by then keeps its role",
  }),
  "cool-down": option.duration({
    fallback: 60_000,
    min: 0,
    max: 86_400_000,
    help: "after a move of a model nothing of it moves for so long, unless requests wait",
  }),
  "hold": option.duration({
    fallback: 120_000,
    min: 0,
    max: 86_400_000,
    help: "workers are stopped only where fewer were enough for so long",
  }),
  "headroom": option.number({
    fallback: 0,
    min: 0,
    max: 10,
    help: "room above the demand that is foretold, as a share of it",
  }),
  "hysteresis": option.number({
    fallback: 0.08,
    min: 0,
    max: 10,
    help: "roles change only where that serves more by this share, or requests wait",
  }),
  "profiles": option.list({
    fallback: [] as readonly string[],
    placeholder: "PATH",
    help: "what deno task profile measured, for workers whose card brings none; once per model",
  }),
  "history.keep": option.integer({
    fallback: 1_024,
    min: 16,
    max: 65_536,
    help: "decisions kept for /plan/history",
  }),
  "history.file": option.text({
    fallback: "",
    placeholder: "PATH",
    help:
      "decisions, and what they were made from, are appended here too, as JSON lines for deno task plan --file",
  }),
  "history.file-bytes": option.bytes({
    fallback: 64 * 2 ** 20,
    min: 2 ** 16,
    max: 2 ** 40,
    help: "over this the file becomes PATH.1, in the place of the last one",
  }),
  "history.replay": option.bytes({
    fallback: 16 * 2 ** 20,
    min: 0,
    max: 2 ** 32,
    help:
      "memory for what decisions are made from, for deno task plan --replay and --dry-run; where it is full none is kept any more",
  }),
  "kube.url": option.text({
    fallback: "https://kubernetes.default.svc",
    placeholder: "URL",
    help: "the API server of Kubernetes",
  }),
  "kube.namespace": option.text({
    fallback: "",
    placeholder: "NAME",
    help: "Kubernetes' namespace; empty = that of the service account",
  }),
  "kube.account": option.text({
    fallback: "/var/run/secrets/kubernetes.io/serviceaccount",
    placeholder: "FOLDER",
    help: "folder of the service account: token, ca.crt and namespace",
  }),
  "kube.target": option.list({
    fallback: [] as readonly string[],
    placeholder: "MODEL[:ROLE]=KIND/NAME",
    help:
      "what runs a model's workers (of one role): deployments/NAME, statefulsets/NAME or dynamographdeployments/NAME/SERVICE",
    item: option.text({
      fallback: "",
      placeholder: "MODEL[:ROLE]=KIND/NAME",
      help: "",
      pattern: kubeTargetText,
      rule:
        "must be MODEL[:ROLE]=deployments/NAME, =statefulsets/NAME or =dynamographdeployments/NAME/SERVICE",
    }),
  }),
} as const;

/** The planner's config. */
export type PlannerConfig = ConfigOf<typeof plannerSchema>;
