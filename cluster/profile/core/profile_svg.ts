import type { WorkerProfile } from "@pixii/wire";

/** One line of a panel. */
interface Series {
  readonly label: string;
  readonly points: readonly (readonly [number, number])[];
}

interface Panel {
  readonly title: string;
  readonly xTitle: string;
  readonly series: readonly Series[];
}

const panelWidth = 460;
const panelHeight = 320;
const margin = { left: 56, right: 96, top: 36, bottom: 44 };
const colours = ["#1b6ca8", "#d1495b", "#2a9d5c", "#8d5fd3", "#c77f17", "#4a4a4a", "#0f8b8d"];

/** The tables of a profile as one SVG picture. Same profile, same bytes. */
export function profileSvg(profile: WorkerProfile): string {
  const { prefill, decode, besides, kvBytesPerToken } = profile;
  const panels: Panel[] = [
    panel({ title: "Prefill", xTitle: "new tokens", each: "behind" }, {
      ...{ points: prefill.newTokens, columns: prefill.contextTokens, ms: prefill.ms },
    }),
    panel({ title: "Decode step (ITL)", xTitle: "sequences", each: "behind" }, {
      ...{ points: decode.sequences, columns: decode.contextTokens, ms: decode.ms },
    }),
  ];
  if (besides !== undefined) {
    panels.push(panel({ title: "TTFT beside others", xTitle: "new tokens", each: "beside" }, {
      ...{ points: besides.newTokens, columns: besides.sequences, ms: besides.ms },
    }));
  }
  const kv = kvBytesPerToken === undefined
    ? ""
    : `; KV ${short(kvBytesPerToken / 1024)} KiB a token`;
  const width = panelWidth * panels.length;
  const head =
    `${profile.model} on ${profile.machine}: ${profile.engine}, ${profile.engineVersion}, ${profile.measuredAt}${kv}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${panelHeight + 28}" ` +
    `viewBox="0 0 ${width} ${panelHeight + 28}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="12" y="18" fill="#333">${escaped(head)}</text>`,
    ...panels.map((one, at) => `<g transform="translate(${at * panelWidth},28)">${drawn(one)}</g>`),
    "</svg>",
    "",
  ].join("\n");
}

function panel(
  { each, ...titles }: Pick<Panel, "title" | "xTitle"> & { readonly each: string },
  table: {
    readonly points: readonly number[];
    readonly columns: readonly number[];
    readonly ms: readonly (readonly number[])[];
  },
): Panel {
  const series = table.columns.map((column, j) => ({
    label: `${each} ${column}`,
    points: table.points.map((x, i) => [x, table.ms[i][j]] as const),
  }));
  return { ...titles, series };
}

function drawn({ title, xTitle, series }: Panel): string {
  const all = series.flatMap((one) => one.points);
  const xMost = Math.max(1, ...all.map(([x]) => x));
  const yMost = Math.max(1e-6, ...all.map(([, y]) => y));
  const right = panelWidth - margin.right;
  const bottom = panelHeight - margin.bottom;
  const xAt = (x: number) => fixed(margin.left + x / xMost * (right - margin.left));
  const yAt = (y: number) => fixed(bottom - y / yMost * (bottom - margin.top));
  const quarters = [0, 0.25, 0.5, 0.75, 1];
  const grid = quarters.map((share) =>
    `<line x1="${margin.left}" x2="${right}" y1="${yAt(share * yMost)}" y2="${
      yAt(share * yMost)
    }" stroke="#ddd"/>` +
    `<text x="${margin.left - 6}" y="${yAt(share * yMost)}" text-anchor="end" dy="4">${
      short(share * yMost)
    }</text>` +
    `<text x="${xAt(share * xMost)}" y="${bottom + 16}" text-anchor="middle">${
      short(share * xMost)
    }</text>`
  );
  const lines = series.map(({ label, points }, at) => {
    const colour = colours[at % colours.length];
    const path = points.map(([x, y]) => `${xAt(x)},${yAt(y)}`).join(" ");
    const dots = points.map(([x, y]) =>
      `<circle cx="${xAt(x)}" cy="${yAt(y)}" r="2.5" fill="${colour}"/>`
    );
    const legend = `<text x="${right + 8}" y="${margin.top + 14 * at}" fill="${colour}">${
      escaped(label)
    }</text>`;
    return `<polyline points="${path}" fill="none" stroke="${colour}"/>${dots.join("")}${legend}`;
  });
  return `<text x="${margin.left}" y="20" font-size="13">${escaped(title)}, ms</text>` +
    `<text x="${(margin.left + right) / 2}" y="${panelHeight - 8}" text-anchor="middle">${
      escaped(xTitle)
    }</text>` + grid.join("") + lines.join("");
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
