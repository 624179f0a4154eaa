const width = 720;
const left = 150;
const right = 40;
const colours = ["#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#4a5568", "#b7791f"];

/** Bars beside one another's names, with a line that says what would be good. Values are at least 0. */
export function barPlot(plot: {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly { readonly name: string; readonly value: number }[];
  readonly line?: { readonly name: string; readonly value: number };
}): string {
  const { bars, line } = plot;
  const most = Math.max(1e-9, line?.value ?? 0, ...bars.map(({ value }) => value)) * 1.08;
  const scale = (value: number) => left + (width - left - right) * value / most;
  const bottom = 56 + 26 * bars.length;
  const parts = bars.flatMap(({ name, value }, i) => {
    const y = 48 + 26 * i;
    return [
      `<text x="${left - 8}" y="${y + 13}" text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${left}" y="${y}" width="${at(scale(value) - left)}" height="18" fill="${
        colours[0]
      }"/>`,
      `<text x="${at(scale(value) + 4)}" y="${y + 13}">${short(value)}</text>`,
    ];
  });
  if (line !== undefined) {
    const x = at(scale(line.value));
    parts.push(
      `<line x1="${x}" x2="${x}" y1="40" y2="${bottom}" stroke="#c53030" stroke-dasharray="4 3"/>`,
      `<text x="${x}" y="${bottom + 14}" text-anchor="middle" fill="#c53030">${
        escaped(line.name)
      }</text>`,
    );
  }
  return framed(bottom + 24, `${plot.title} (${plot.unit})`, parts);
}

/** Lines over one another, y in logarithms unless `linear`. Points of one series rise in x; in logarithms y above 0 is drawn. */
export function linePlot(plot: {
  readonly title: string;
  readonly xUnit: string;
  readonly yUnit: string;
  readonly linear?: boolean;
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly { readonly x: number; readonly y: number }[];
  }[];
}): string {
  const { series, linear = false } = plot;
  const height = 380;
  const [top, bottom, from] = [48, height - 40, 60];
  const ys = series.flatMap(({ points }) => points.map(({ y }) => y)).filter((y) => y > 0);
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  const scale = (value: number) => linear ? value : Math.log10(value);
  const [low, high] = [linear ? 0 : scale(Math.min(...ys, 1)), scale(Math.max(...ys, 1) * 1.05)];
  const [least, most] = [Math.min(...xs, 0), Math.max(...xs, 1)];
  const x = (value: number) =>
    at(from + (width - from - 170) * (value - least) / Math.max(1e-9, most - least));
  const y = (value: number) =>
    at(bottom - (bottom - top) * (scale(value) - low) / Math.max(1e-9, high - low));
  const parts: string[] = [];
  const step = linear ? 10 ** Math.floor(Math.log10(high / 2)) : 1;
  for (let mark = Math.ceil(low / step) * step; mark <= high; mark += step) {
    const value = linear ? mark : 10 ** mark;
    const line = y(value);
    parts.push(
      `<line x1="${from}" x2="${width - 170}" y1="${line}" y2="${line}" stroke="#e2e8f0"/>`,
      `<text x="${from - 6}" y="${line}" text-anchor="end">${short(value)}</text>`,
    );
  }
  for (const tick of [least, (least + most) / 2, most]) {
    parts.push(
      `<text x="${x(tick)}" y="${bottom + 16}" text-anchor="middle">${short(tick)}</text>`,
    );
  }
  series.forEach(({ name, points }, i) => {
    const colour = colours[i % colours.length];
    const path = points.filter((point) => linear || point.y > 0)
      .map((point) => `${x(point.x)},${y(point.y)}`).join(" ");
    parts.push(
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<text x="${width - 160}" y="${top + 18 * i + 8}" fill="${colour}">${escaped(name)}</text>`,
    );
  });
  return framed(height, `${plot.title} (${plot.yUnit} over ${plot.xUnit})`, parts);
}

function framed(height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="16" y="24" font-size="15">${escaped(title)}</text>`,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

function at(value: number): string {
  return value.toFixed(1);
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
