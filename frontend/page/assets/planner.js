import { el, facts, number } from "./dom.js";

/** What the planner sees and which way it leans, per model. */
export function showPlanner(section, view) {
  const { plan } = view;
  if (plan === null) {
    section.replaceChildren(el("p", { class: "quiet" }, "No planner answers."));
    return;
  }
  const cards = Object.entries(plan.models ?? {}).map(([hash, { demand, lean }]) =>
    el(
      "article",
      { class: "card" },
      el("strong", {}, nameOf(view, hash)),
      el("p", {}, `${lean.direction}: ${lean.reason}`),
      facts(Object.entries(demand).map(([name, value]) => [name, number(value)])),
    )
  );
  section.replaceChildren(
    el("p", { class: "quiet" }, plan.acts ? "It acts." : "It watches and moves nothing."),
    el("div", { class: "grid" }, cards),
  );
}

function nameOf(view, hash) {
  return view.workers.find(({ report }) => report?.model === hash)?.model ?? hash;
}
