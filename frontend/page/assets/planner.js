import { choosable, el, facts, number, table } from "./dom.js";
import { countsText, legend, timeline } from "./timeline.js";

/** Decisions listed per model. */
const mostListed = 12;
/** The line that was asked for, and what is drawn: lists are made anew only where they changed. */
let asked;
let listed = "";

/** What the planner sees, decided and was told: a timeline per model. */
export function showPlanner(section, view) {
  const { plan } = view;
  if (plan === null) {
    section.replaceChildren(el("p", { class: "quiet" }, "No planner answers."));
    listed = "";
    return;
  }
  if (section.querySelector("#plan-words") === null) {
    section.replaceChildren(
      el("div", { id: "plan-state" }),
      el("div", { id: "plan-words", class: "card", role: "status", hidden: true }),
      el("div", { id: "plan-models" }),
    );
    listed = "";
  }
  section.querySelector("#plan-state").replaceChildren(...state(plan));
  const models = modelsOf(view);
  const part = section.querySelector("#plan-models");
  // The parts of a model stay, so that the keyboard's place does.
  const names = JSON.stringify(models.map(({ hash }) => hash));
  if (part.dataset.names !== names) {
    part.dataset.names = names;
    listed = "";
    part.replaceChildren(...(models.length === 0 ? [] : [legend()]), ...models.map(modelPart));
  }
  const news = JSON.stringify(models.map(({ lines }) => [lines.length, lines.at(-1)?.at]));
  for (const [i, model] of models.entries()) {
    const article = part.querySelectorAll("article")[i];
    article.querySelector(".facts").replaceChildren(modelFacts(model));
    article.querySelector(".drawing").replaceChildren(drawing(section, model, view.wallMs));
    if (news !== listed) article.querySelector(".list").replaceChildren(list(section, model));
  }
  listed = news;
}

/** Who it is, what it may, what is wrong, and what operators told it. */
function state({ by, acts, leads, budgetGpus, problems = [], orders = [] }) {
  const does = !acts
    ? "watches and moves nothing"
    : leads === false
    ? "stands by: another planner acts"
    : "acts";
  const budget = budgetGpus === undefined ? "" : `; ${budgetGpus} GPUs for all models`;
  return [
    el("p", {}, `The planner ${does}${budget}. `, el("span", { class: "mono quiet" }, by ?? "")),
    problems.length === 0
      ? ""
      : el("ul", { class: "bad" }, problems.map((one) => el("li", {}, one))),
    ...(orders.length === 0 ? [] : [
      el("h2", {}, "Orders in force"),
      table([["order"], ["model"], ["what"], ["reason"], ["by"], ["until"]], orders.map(orderRow)),
    ]),
  ];
}

function orderRow(
  { id, kind, model, counts, move, instance, decision, reason, by, givenAt, forMs },
) {
  const until = Date.parse(givenAt) + forMs;
  const end = Number.isFinite(until) ? new Date(until).toLocaleTimeString() : "";
  const subject = instance !== undefined
    ? `${move ?? "any move"} of ${instance}`
    : decision !== undefined
    ? `decision ${decision}`
    : move ?? "";
  const what = [kind, subject, counts === undefined ? "" : `to ${countsText(counts)}`];
  const cells = [id, model ?? "all", what.filter((one) => one !== "").join(" "), reason, by, end];
  return el("tr", {}, cells.map((cell) => el("td", {}, cell)));
}

/** The models, with their lines of the history. */
function modelsOf(view) {
  const lines = view.history?.lines ?? [];
  return Object.entries(view.plan.models ?? {}).map(([hash, model]) => {
    const name = model.name ?? nameOf(view, hash);
    return { ...model, hash, name, lines: lines.filter((line) => line.model === name) };
  });
}

function modelPart({ name }) {
  return el(
    "article",
    { class: "card", "aria-label": name },
    el("strong", {}, name),
    el("div", { class: "drawing" }),
    el("div", { class: "facts" }),
    el("div", { class: "list" }),
  );
}

function modelFacts({ demand, lean, plan }) {
  if (plan === undefined) {
    const asks = Object.entries(demand).map(([key, value]) => [key, number(value)]);
    return facts([...asks, ["leans to", `${lean.direction}: ${lean.reason}`]]);
  }
  const { now, forecast, planned, have, want, bound, moves, expectedRate } = plan.record;
  const rate = (value) => `${number(value)} requests/s`;
  const error = forecast?.error === undefined ? "" : `, ${number(100 * forecast.error)} % off`;
  const does = plan.mode === "act" ? "moves" : "would move";
  return facts([
    [
      "asked",
      now === undefined
        ? "not known"
        : `${rate(now.rate)} of ${number(now.isl)} prompt and ${number(now.osl)} output tokens`,
    ],
    [
      "forecast",
      forecast === undefined ? "none yet" : `${rate(forecast.rate)} by ${forecast.name}${error}`,
    ],
    ...(planned === undefined ? [] : [["planned for", rate(planned.rate)]]),
    ["there is", countsText(have)],
    ["wanted", countsText(want)],
    ...(expectedRate > 0 ? [["expected within the goal", rate(expectedRate)]] : []),
    ["bound by", bound === "" ? "nothing" : bound],
    ["latest decision", moves.length === 0 ? "no move" : `${does} ${moves.length}`],
  ]);
}

function drawing(section, { name, plan, lines }, nowMs) {
  const points = lines.filter(({ kind }) => kind === "plan").map((line) => ({
    ...{ atMs: Date.parse(line.at), have: line.have, rate: line.rate },
    expected: line.expected > 0 ? line.expected : undefined,
  }));
  if (plan !== undefined) {
    const { have, now, expectedRate } = plan.record;
    const expected = expectedRate > 0 ? expectedRate : undefined;
    points.push({ atMs: nowMs, have, rate: now?.rate, expected });
  }
  const marks = lines.filter(({ words }) => words !== undefined).map((line) => ({
    ...{ atMs: Date.parse(line.at), kind: kindOf(line), title: line.title },
    show: () => tell(section, line),
  }));
  return timeline(name, { points, marks, nowMs });
}

/** What was done, the newest first; Enter or a click tells it in words. */
function list(section, { lines }) {
  const told = lines.filter(({ words }) => words !== undefined).slice(-mostListed).reverse();
  if (told.length === 0) return el("p", { class: "quiet" }, "No worker was moved yet.");
  const rows = told.map((line) => {
    return el(
      "tr",
      choosable(() => tell(section, line)),
      el("td", {}, new Date(line.at).toLocaleTimeString()),
      el("td", {}, el("i", { class: `swatch ${kindOf(line)}` }), line.title),
    );
  });
  return table([["time"], ["what"]], rows);
}

function kindOf({ kind, mode }) {
  if (kind === "flip") return "ended";
  return kind === "outcome" ? "came" : mode === "act" ? "moved" : "would";
}

function tell(section, line) {
  const panel = section.querySelector("#plan-words");
  const key = `${line.kind} ${line.at} ${line.title}`;
  // A second click puts it away.
  panel.hidden = asked === key;
  asked = panel.hidden ? undefined : key;
  panel.replaceChildren(el("pre", {}, line.words.join("\n")));
  if (!panel.hidden) panel.scrollIntoView({ block: "nearest" });
}

function nameOf(view, hash) {
  return view.workers.find(({ report }) => report?.model === hash)?.model ?? hash;
}
