/** Options of a router that name a file that it writes, and the ends of the names beside it that it writes too. */
const routerWrites: Readonly<Record<string, string>> = {
  "--snapshot-file": ".new",
  "--decisions-file": ".1",
};
/** The same of a planner. */
const plannerWrites: Readonly<Record<string, string>> = { "--history-file": ".1" };
/** Options of a planner that name what it only reads. */
const plannerReads: Readonly<Record<string, string>> = { "--profiles": "" };

/** The files that a router with these arguments reads and writes: it is given no others. */
export function routerFiles(args: readonly string[]): readonly string[] {
  return filesOf(args, routerWrites);
}

/** The files that a planner with these arguments reads and writes: it is given no others. */
export function plannerFiles(
  args: readonly string[],
): { readonly read: readonly string[]; readonly write: readonly string[] } {
  const write = filesOf(args, plannerWrites);
  return { read: [...filesOf(args, plannerReads), ...write], write };
}

function filesOf(
  args: readonly string[],
  files: Readonly<Record<string, string>>,
): readonly string[] {
  return args.flatMap((arg, i) => {
    const [name, value = args[i + 1]] = arg.split(/=(.*)/s, 2);
    const end = files[name];
    if (end === undefined || value === undefined || value === "") return [];
    return end === "" ? [value] : [value, value + end];
  });
}
