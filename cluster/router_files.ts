/** Options of a router that name a file, and the ends of the names beside it that it writes too. */
const files: Readonly<Record<string, string>> = {
  "--snapshot-file": ".new",
  "--decisions-file": ".1",
};

/** The files that a router with these arguments reads and writes: it is given no others. */
export function routerFiles(args: readonly string[]): readonly string[] {
  return args.flatMap((arg, i) => {
    const [name, value = args[i + 1]] = arg.split(/=(.*)/s, 2);
    const end = files[name];
    return end === undefined || value === undefined || value === "" ? [] : [value, value + end];
  });
}
