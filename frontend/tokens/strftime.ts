const months: readonly string[] = [
  ...["January", "February", "March", "April", "May", "June", "July"],
  ...["August", "September", "October", "November", "December"],
];
const days: readonly string[] = [
  ...["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
];

function padded(value: number, width = 2): string {
  return String(value).padStart(width, "0");
}

function dayOfYear(at: Date): number {
  const start = Date.UTC(at.getUTCFullYear(), 0, 1);
  return Math.floor((at.getTime() - start) / 86_400_000) + 1;
}

const fields: Readonly<Record<string, (at: Date) => string>> = {
  "%": () => "%",
  A: (at) => days[at.getUTCDay()],
  a: (at) => days[at.getUTCDay()].slice(0, 3),
  B: (at) => months[at.getUTCMonth()],
  b: (at) => months[at.getUTCMonth()].slice(0, 3),
  D: (at) => strftime("%m/%d/%y", at.getTime()),
  d: (at) => padded(at.getUTCDate()),
  e: (at) => String(at.getUTCDate()).padStart(2, " "),
  F: (at) => strftime("%Y-%m-%d", at.getTime()),
  H: (at) => padded(at.getUTCHours()),
  I: (at) => padded((at.getUTCHours() + 11) % 12 + 1),
  j: (at) => padded(dayOfYear(at), 3),
  M: (at) => padded(at.getUTCMinutes()),
  m: (at) => padded(at.getUTCMonth() + 1),
  n: () => "\n",
  p: (at) => at.getUTCHours() < 12 ? "AM" : "PM",
  S: (at) => padded(at.getUTCSeconds()),
  T: (at) => strftime("%H:%M:%S", at.getTime()),
  Y: (at) => padded(at.getUTCFullYear(), 4),
  y: (at) => padded(at.getUTCFullYear() % 100),
  Z: () => "UTC",
  z: () => "+0000",
};

/**
 * A moment in C's `strftime` notation, in UTC and in English, as chat templates ask for it; `%-d` is without leading
 * zeros. Fields it does not know stay as they are.
 */
export function strftime(format: string, atMs: number): string {
  const at = new Date(atMs);
  return format.replaceAll(/%(-?)([A-Za-z%])/g, (whole, dash: string, name: string) => {
    const text = Object.hasOwn(fields, name) ? fields[name](at) : undefined;
    if (text === undefined) return whole;
    return dash === "" ? text : text.replace(/^[0 ]+(?=\d)/, "");
  });
}
