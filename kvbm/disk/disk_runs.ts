/** Longest read or write of one call: enough for the device's full speed, short enough to let others in between. */
const mostRunBytes = 8 * 1024 * 1024;
/** Most slots of one call: the system refuses more places of memory than 1,024. */
const mostRunSlots = 1_024;

/** Slots that follow each other on disk, moved by one call. */
export interface DiskRun {
  /** Page of the first. */
  readonly page: number;
  /** Places of the slots in the list they came from, in the order of their pages. */
  readonly members: readonly number[];
}

/** Cuts slots, given by their first pages, into runs that one call moves: none reaches over a segment's end. O(n log n). */
export function diskRuns(
  pages: readonly number[],
  { slotPages, segmentPages, pageBytes }: {
    readonly slotPages: number;
    readonly segmentPages: number;
    readonly pageBytes: number;
  },
): DiskRun[] {
  const fitting = Math.floor(mostRunBytes / (slotPages * pageBytes));
  const most = Math.min(Math.max(1, fitting), mostRunSlots);
  const order = pages.map((_, at) => at).sort((a, b) => pages[a] - pages[b]);
  const runs: { page: number; members: number[] }[] = [];
  for (const at of order) {
    const run = runs.at(-1);
    const page = pages[at];
    const isNext = run !== undefined && run.members.length < most &&
      run.page + run.members.length * slotPages === page &&
      Math.floor(run.page / segmentPages) === Math.floor(page / segmentPages);
    if (isNext) run.members.push(at);
    else runs.push({ page, members: [at] });
  }
  return runs;
}
