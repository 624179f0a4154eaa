// Small pieces that every view uses. Texts go in as text, never as markup.

/** An element with attributes and children; `undefined` children are left out. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? "" : value);
    }
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return made;
}

/** An SVG element. */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A table; `head` are [title, isNumber], `rows` are elements. */
export function table(head, rows) {
  const cells = head.map(([title, isNumber]) =>
    el("th", { scope: "col", class: isNumber ? "number" : undefined }, title)
  );
  return el(
    "div",
    { class: "scroll" },
    el("table", {}, el("thead", {}, el("tr", {}, cells)), el("tbody", {}, rows)),
  );
}

/** Name and value, one below the other. */
export function facts(pairs) {
  const list = el("dl");
  for (const [name, value] of pairs) list.append(el("dt", {}, name), el("dd", {}, String(value)));
  return list;
}

/** `1.4 GB`. */
export function bytes(value) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  for (; value >= 1000 && at < units.length - 1; at++) value /= 1000;
  return `${value >= 100 || at === 0 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

/** `1,234` or `0.31`. */
export function number(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  return Math.abs(value) >= 100 || Number.isInteger(value)
    ? Math.round(value).toLocaleString("en")
    : value.toPrecision(3);
}

/** Shares of a whole as one bar: [class, share]. */
export function bar(parts, label) {
  return el(
    "div",
    { class: "bar", role: "img", "aria-label": label },
    parts.map(([name, share]) => {
      const piece = el("i", { class: name });
      piece.style.width = `${100 * Math.min(1, Math.max(0, share || 0))}%`;
      return piece;
    }),
  );
}

/** Of a table's row that can be chosen: by a click, or by Enter where it has the focus. */
export function choosable(choose) {
  return {
    class: "row",
    tabindex: "0",
    onclick: choose,
    onkeydown: (event) => event.key === "Enter" && choose(),
  };
}
