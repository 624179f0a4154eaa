import { bar, bytes, el, facts, number, table } from "./dom.js";

/** Workers shown one by one; more are counted. */
const mostWorkers = 60;

/** Programs, workers with their blocks and queues, and the tiers of every host. */
export function showCluster(section, view) {
  section.replaceChildren(
    el("h2", {}, "Workers"),
    view.workers.length === 0
      ? el("p", { class: "quiet" }, "No router knows a worker yet.")
      : el("div", { class: "grid" }, view.workers.slice(0, mostWorkers).map(workerCard)),
    view.workers.length > mostWorkers
      ? el("p", { class: "quiet" }, `and ${view.workers.length - mostWorkers} more`)
      : "",
    el("h2", {}, "KV below the GPU"),
    el("div", { class: "grid" }, view.pools.map(poolCard)),
    ...queueTable(view.queues),
    el("h2", {}, "Programs"),
    table(
      [["program"], ["instance"], ["host"], ["pid", true], ["status"], ["admin"]],
      view.services.map(
        (one) =>
          el(
            "tr",
            {},
            el("td", {}, one.service),
            el("td", { class: "mono" }, one.instance),
            el("td", {}, one.host),
            el("td", { class: "number" }, String(one.pid)),
            el("td", {}, one.status),
            el("td", { class: "mono" }, el("a", { href: `${one.admin}/health` }, one.admin)),
          ),
      ),
    ),
  );
}

function workerCard({ model, worker, state, report, ledger, trust }) {
  const name = worker.dpRank > 0 ? `${worker.instance}/${worker.dpRank}` : worker.instance;
  const total = report?.totalBlocks || 1;
  const believed = Object.values(trust?.sources ?? {}).map((one) => one.trust);
  const isBelieved = believed.every((one) => one === "exact" || one === "EXACT");
  return el(
    "article",
    { class: "card" },
    el("strong", {}, model),
    el("div", { class: "mono quiet" }, name),
    report === undefined ? el("p", { class: "quiet" }, "no load report yet") : el(
      "div",
      {},
      bar(
        [["active", report.activeBlocks / total], ["cached", report.cachedBlocks / total]],
        `${report.activeBlocks} blocks active, ${report.cachedBlocks} cached of ${report.totalBlocks}`,
      ),
      facts([
        ["role", report.role],
        ["state", state],
        ["running", `${report.running} of ${report.maxSeqs}`],
        ["waiting", number(report.waiting)],
        ["tokens ahead", number(report.prefillTokens)],
        [
          "active / cached / all",
          `${report.activeBlocks} / ${report.cachedBlocks} / ${report.totalBlocks}`,
        ],
        ["booked by routers", number(ledger.bookings)],
        ["KV events", isBelieved ? "believed" : believed.join(", ")],
      ]),
    ),
  );
}

function poolCard({ instance, host, pool }) {
  const head = [el("strong", {}, host), el("div", { class: "mono quiet" }, instance)];
  if (pool === null || pool.off === true) {
    return el("article", { class: "card" }, head, el("p", { class: "quiet" }, "no host tier"));
  }
  const { blocks, counts } = pool;
  const all = blocks.pinned + blocks.unused + blocks.reserved || 1;
  const used = pool.usedBytes / pool.bytes;
  return el(
    "article",
    { class: "card" },
    head,
    bar(
      [["pinned", used * blocks.pinned / all], ["active", used * blocks.unused / all]],
      `${bytes(pool.usedBytes)} of ${bytes(pool.bytes)} in use`,
    ),
    facts([
      ["host tier", `${bytes(pool.usedBytes)} of ${bytes(pool.bytes)}`],
      ["blocks", number(blocks.pinned + blocks.unused)],
      ["pinned", number(blocks.pinned)],
      ["hits / misses", `${number(counts.hits)} / ${number(counts.misses)}`],
      ["evictions", number(counts.evictions)],
      ["damaged", number(counts.damaged)],
      ["workers", pool.workers.length],
    ]),
  );
}

function queueTable(queues) {
  if (queues.every(({ requests }) => requests === 0)) return [];
  const rows = queues.map((one) =>
    el(
      "tr",
      {},
      el("td", {}, one.model),
      el("td", { class: "number" }, number(one.requests)),
      el("td", { class: "number" }, number(one.tokens)),
      el("td", { class: "number" }, number(one.drainRate)),
    )
  );
  const head = [["model"], ["waiting", true], ["tokens", true], ["leave per second", true]];
  return [el("h2", {}, "Queues"), table(head, rows)];
}
