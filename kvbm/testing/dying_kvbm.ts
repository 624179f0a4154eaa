/** A kvbm with a disk tier whose worker commits blocks without end, until it is killed. Arguments: folder, size. */
import { DiskWorld } from "./disk_world.ts";

const [folder, size] = Deno.args;
const world = await DiskWorld.open(folder, { size });
const worker = await world.worker();
for (let lo = 1;; lo += 20) {
  await worker.put(...Array.from({ length: 20 }, (_, i) => lo + i));
  console.log(lo);
}
