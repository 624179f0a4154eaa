import { choosable, el, number, table } from "./dom.js";

let asked;

/** The newest decisions; a click asks why. */
export function showDecisions(section, view) {
  if (section.childElementCount === 0) {
    section.append(
      el(
        "p",
        { class: "quiet" },
        "Newest first. A click says why this worker, and why not the others.",
      ),
      el("div", { id: "why", class: "card", hidden: true }),
      el("div", { id: "list" }),
    );
  }
  const list = section.querySelector("#list");
  if (view.decisions.length === 0) {
    list.replaceChildren(el("p", { class: "quiet" }, "No router has made a decision yet."));
    return;
  }
  const head = [["time"], ["request"], ["model"], ["policy"], ["tokens", true], ["worker"]];
  const more = [["cached blocks", true], ["cost", true], ["next best", true], [
    "first token",
    true,
  ]];
  list.replaceChildren(table([...head, ...more], view.decisions.map((one) => row(section, one))));
}

function row(section, one) {
  const [best, second] = one.candidates;
  const { device = 0, host = 0, disk = 0 } = best?.overlap ?? {};
  const blocks = host + disk === 0 ? String(device) : `${device} + ${host} + ${disk}`;
  const time = one.wallMs === undefined ? "" : new Date(one.wallMs).toLocaleTimeString();
  const name = one.clientId ?? one.requestId;
  const split = one.prefill === undefined ? "" : ` (prompt at ${one.prefill.instance.slice(0, 8)})`;
  return el(
    "tr",
    choosable(() => void why(section, name)),
    el("td", {}, time),
    el(
      "td",
      { class: "mono", title: one.requestId },
      name.length > 20 ? `${name.slice(0, 20)}…` : name,
    ),
    el("td", {}, one.model),
    el("td", {}, one.policy),
    el("td", { class: "number" }, number(one.isl)),
    el("td", { class: "mono" }, `${one.chosen.instance.slice(0, 8)}/${one.chosen.dpRank}${split}`),
    el("td", { class: "number", title: "device + host + disk" }, blocks),
    el("td", { class: "number" }, number(best?.cost)),
    el("td", { class: "number" }, number(second?.cost)),
    el(
      "td",
      { class: "number" },
      one.outcome?.firstTokenMs === undefined ? "–" : `${number(one.outcome.firstTokenMs)} ms`,
    ),
  );
}

async function why(section, name) {
  const panel = section.querySelector("#why");
  asked = name;
  const response = await fetch(`/v1/pixii/explain/${encodeURIComponent(name)}`);
  const answer = await response.json();
  // Another one may have been asked for meanwhile.
  if (asked !== name) return;
  panel.hidden = false;
  panel.replaceChildren(
    el(
      "pre",
      {},
      answer.error?.message ?? answer.decisions.map(({ lines }) => lines.join("\n")).join("\n\n"),
    ),
  );
  panel.scrollIntoView({ block: "nearest" });
}
