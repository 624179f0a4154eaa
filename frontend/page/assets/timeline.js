import { el, number, svg } from "./dom.js";

/** Sizes in the drawing's own units; it is as wide as the page. */
const width = 900;
const left = 44;
const demand = { top: 14, height: 84 };
const workers = { top: 128, height: 72 };
const marksAt = 112;
const height = 224;
/** Shortest span that is drawn, ms. */
const leastSpanMs = 60_000;
const roles = ["prefill", "decode", "both"];

/**
 * Workers by role and demand against capacity of one model over time, and a mark at everything that was done.
 * `points`: {atMs, have, rate, expected}, the oldest first; `marks`: {atMs, kind, title, show}.
 */
export function timeline(name, { points, marks, nowMs }) {
  const first = Math.min(...points.map(({ atMs }) => atMs), nowMs - leastSpanMs);
  const x = (atMs) => left + (width - left) * (atMs - first) / (nowMs - first);
  const mostRate = Math.max(
    1e-9,
    ...points.flatMap(({ rate, expected }) => [rate ?? 0, expected ?? 0]),
  );
  const mostWorkers = Math.max(1, ...points.map(({ have }) => sizeOf(have)));
  const last = points.at(-1);
  const said = last === undefined ? "nothing is known yet" : `now ${countsText(last.have)}`;
  const minutes = number((nowMs - first) / 60_000);
  return svg(
    "svg",
    {
      class: "timeline",
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${name} over the last ${minutes} minutes: ${said}, ${marks.length} marks`,
    },
    ...axis(first, nowMs, x),
    label(0, demand.top + 4, number(mostRate)),
    label(0, demand.top + demand.height, "0"),
    line("capacity", points, ({ expected }) => expected, { x, most: mostRate, nowMs }),
    line("demand", points, ({ rate }) => rate, { x, most: mostRate, nowMs }),
    label(0, workers.top + 8, String(mostWorkers)),
    label(0, workers.top + workers.height, "0"),
    ...stacks(points, { x, most: mostWorkers, nowMs }),
    ...marks.map((mark) => dot(mark, x(mark.atMs))),
  );
}

/** What the colours mean. */
export function legend() {
  const entry = (name, text) => el("span", {}, el("i", { class: `swatch ${name}` }), text);
  return el(
    "p",
    { class: "legend quiet" },
    entry("demand", "asked, requests/s"),
    entry("capacity", "expected within the goal, requests/s"),
    ...roles.map((role) => entry(role, `${role} workers`)),
    entry("moved", "a decision that moves workers"),
    entry("ended", "a change of role that ended"),
  );
}

/** `1 prefill + 2 decode`. */
export function countsText(counts) {
  return roles.filter((role) => counts[role] > 0).map((role) => `${counts[role]} ${role}`)
    .join(" + ") || "no worker";
}

function sizeOf({ prefill, decode, both }) {
  return prefill + decode + both;
}

/** A line from each point to the next; a point without the value breaks it. */
function line(name, points, valueOf, { x, most, nowMs }) {
  const y = (value) => demand.top + demand.height * (1 - value / most);
  const parts = points.map((point, i) => {
    const value = valueOf(point);
    if (value === undefined || value === null) return "";
    const begins = i === 0 || valueOf(points[i - 1]) == null;
    return `${begins ? "M" : "L"}${x(point.atMs).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  const end = points.at(-1);
  const tail = end === undefined || valueOf(end) == null ? "" : `H${x(nowMs).toFixed(1)}`;
  return svg("path", { class: name, d: parts.join("") + tail });
}

/** Workers by role, one above the other, from each point to the next. */
function stacks(points, { x, most, nowMs }) {
  // One piece for as long as nothing changes: pieces side by side would show a seam.
  const changes = points.filter(({ have }, i) =>
    i === 0 || roles.some((role) => have[role] !== points[i - 1].have[role])
  );
  return changes.flatMap(({ atMs, have }, i) => {
    const from = x(atMs);
    const to = x(changes[i + 1]?.atMs ?? nowMs);
    let bottom = workers.top + workers.height;
    return roles.filter((role) => have[role] > 0).map((role) => {
      const tall = workers.height * have[role] / most;
      bottom -= tall;
      const wide = Math.max(0.5, to - from);
      const place = { x: from.toFixed(1), width: wide.toFixed(1), y: bottom.toFixed(1) };
      return svg("rect", { class: role, ...place, height: tall.toFixed(1) });
    });
  });
}

function dot({ kind, title, show }, x) {
  const name = svg("title");
  name.append(title);
  const made = svg("circle", { class: `dot ${kind}`, cx: x.toFixed(1), cy: marksAt, r: 6 }, name);
  made.addEventListener("click", show);
  return made;
}

/** A line below, with times. */
function axis(first, nowMs, x) {
  const y = workers.top + workers.height;
  const steps = [0, 1, 2, 3, 4].map((i) => first + i * (nowMs - first) / 4);
  return [
    svg("path", { class: "axis", d: `M${left} ${y}H${width}M${left} ${marksAt}H${width}` }),
    ...steps.map((atMs, i) => {
      const anchor = i === 0 ? "start" : i === 4 ? "end" : "middle";
      return label(x(atMs), height - 6, new Date(atMs).toLocaleTimeString(), anchor);
    }),
  ];
}

function label(x, y, text, anchor = "start") {
  const made = svg("text", { x, y, "text-anchor": anchor });
  made.append(text);
  return made;
}
