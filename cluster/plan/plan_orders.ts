import type { HistoryLine } from "@pixii/planner";
import { countsText } from "@pixii/planner/core";
import type { Chance, Clock, Registry } from "@pixii/runtime";
import { decodeRecord, encodeRecord, fail, keys, ok } from "@pixii/wire";
import type { InstanceId, PlanOrder, Result } from "@pixii/wire";
import type { PlanAsk, PlanConfig } from "./plan_config.ts";

/** What giving orders touches. */
export interface OrderDesk {
  readonly registry: Registry;
  readonly namespace: string;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Who gives them where the options do not say. */
  readonly user: string;
  /** Decisions that planners keep; asked only where one is vetoed. */
  readonly history: () => Promise<Result<readonly HistoryLine[]>>;
}

type Order = Extract<PlanAsk, { readonly kind: "pause" | "pin" | "veto" }>;

/** Gives an order: its key lives as long as it holds. Fails with `not_found` where it is about something that is not there. */
export async function giveOrder(
  { kind, config }: Order,
  desk: OrderDesk,
): Promise<Result<PlanOrder>> {
  const { registry, namespace, clock, chance, user } = desk;
  const known = await knownThings(registry, namespace);
  if (!known.ok) return known;
  const { models, workers } = known.value;
  const { model, reason, by } = config;
  if (model !== "" && !models.includes(model)) {
    const served = models.length === 0 ? "no model is served" : `there is ${models.join(", ")}`;
    return fail(
      "not_found",
      `Cannot ${kind} ${model}: no worker serves it in ${namespace}; ${served}`,
    );
  }
  const details = await detailsOf(kind, config, { desk, workers });
  if (!details.ok) return details;
  const id = `o${chance.u32().toString(16).padStart(8, "0")}`;
  const order: PlanOrder = {
    ...{ id, kind, reason, by: by === "" ? user : by, forMs: config.for },
    givenAt: new Date(clock.wallMs()).toISOString(),
    ...(model === "" ? {} : { model }),
    ...details.value,
  };
  const text = encodeRecord("planOrder", order);
  const put = await registry.put(keys(namespace).order(id), text, { ttlMs: config.for });
  return put.ok ? ok(order) : put;
}

/** Takes orders back, and answers them: one by its id, those of a model, or all. Fails with `not_found` where there is none. */
export async function takeBack(
  { id, config }: Extract<PlanAsk, { readonly kind: "resume" }>,
  { registry, namespace }: Pick<OrderDesk, "registry" | "namespace">,
): Promise<Result<readonly PlanOrder[]>> {
  const listed = await registry.list(keys(namespace).orders);
  if (!listed.ok) return listed;
  const orders = listed.value.flatMap(({ key, value }) => {
    const order = decodeRecord("planOrder", value);
    return order.ok ? [{ key, order: order.value }] : [];
  });
  const { model, all } = config;
  const meant = orders.filter(({ order }) =>
    all || (id === undefined ? order.model === model : order.id === id)
  );
  if (meant.length === 0) {
    const what = id === undefined ? (all ? "an order" : `an order for ${model}`) : `order ${id}`;
    const left = orders.map(({ order }) =>
      `${order.id} (${order.kind} of ${order.model ?? "all models"})`
    );
    const force = left.length === 0 ? "none is in force" : `in force: ${left.join(", ")}`;
    return fail("not_found", `Cannot find ${what}: it may have run out; ${force}`);
  }
  for (const { key } of meant) {
    const removed = await registry.remove(key);
    if (!removed.ok) return removed;
  }
  return ok(meant.map(({ order }) => order));
}

type Details = Partial<Pick<PlanOrder, "counts" | "move" | "instance" | "decision" | "model">>;

async function detailsOf(
  kind: Order["kind"],
  config: PlanConfig,
  { desk, workers }: { readonly desk: OrderDesk; readonly workers: readonly InstanceId[] },
): Promise<Result<Details>> {
  const { prefill = 0, decode = 0, both = 0, move, worker, decision } = config;
  if (kind === "pin") return ok({ counts: { prefill, decode, both } });
  if (kind === "pause") return ok({});
  if (decision !== "") return await decisionOf(decision, config.model, desk);
  const moved = move === "any" ? {} : { move };
  if (worker === "") return ok(moved);
  const meant = [...new Set(workers.filter((one) => one.startsWith(worker)))];
  if (meant.length === 1) return ok({ ...moved, instance: meant[0] });
  const why = meant.length === 0
    ? `there is ${workers.join(", ") || "none"}`
    : `it may be ${meant.join(" or ")}`;
  return fail("not_found", `Cannot tell which worker ${worker} is: ${why}`);
}

/** What a decision leads to: that is what is forbidden, whoever would decide it again. */
async function decisionOf(text: string, model: string, desk: OrderDesk): Promise<Result<Details>> {
  const history = await desk.history();
  if (!history.ok) return history;
  const meant = history.value.flatMap((line) => {
    if (line.kind !== "plan" || (model !== "" && line.record.model !== model)) return [];
    const name = `${line.by}.${line.record.id}`;
    return name === text || name.endsWith(`.${text}`) ? [{ name, record: line.record }] : [];
  });
  if (meant.length !== 1) {
    const why = meant.length === 0
      ? "no planner keeps it (deno task plan --history lists those that are kept)"
      : `it may be ${meant.map(({ name }) => name).join(" or ")}`;
    return fail("not_found", `Cannot tell which decision ${text} is: ${why}`);
  }
  const [{ name, record }] = meant;
  if (countsText(record.have) === countsText(record.want)) {
    return fail(
      "invalid_request",
      `Cannot veto decision ${name}: it leads nowhere, what is there is what it wants; to keep things as they are, pin or pause`,
    );
  }
  return ok({ model: record.model, counts: record.want, decision: name });
}

/** Served names, of models without a worker too, and workers. */
async function knownThings(registry: Registry, namespace: string): Promise<
  Result<{ readonly models: readonly string[]; readonly workers: readonly InstanceId[] }>
> {
  const { models, scales } = keys(namespace);
  const [cards, scaled] = [await registry.list(models), await registry.list(scales)];
  if (!cards.ok) return cards;
  if (!scaled.ok) return scaled;
  const found = cards.value.flatMap(({ value }) => {
    const card = decodeRecord("model", value);
    return card.ok ? [card.value] : [];
  });
  const asleep = scaled.value.flatMap(({ value }) => {
    const scale = decodeRecord("scale", value);
    return scale.ok ? [scale.value.model] : [];
  });
  return ok({
    models: [...new Set([...found.map(({ name }) => name), ...asleep])].sort(),
    workers: found.map(({ instance }) => instance),
  });
}
