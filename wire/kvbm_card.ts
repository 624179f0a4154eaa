import { z } from "zod";
import { count, instanceId, label, u32 } from "./field.ts";

/** `/kvbm/<id>`: a block manager and how the workers of its host reach it. */
export const kvbmCard = z.object({
  instance: instanceId,
  /** Name of its host: its socket and its pool are of use there only. */
  host: label,
  pid: u32,
  /** Path of its Unix socket. */
  socket: label,
  /** Size of its host tier. */
  poolBytes: count,
  /** `HOST:PORT` where block managers of other hosts get blocks; left out where it gives none. */
  data: label.optional(),
});
/** A block manager and how the workers of its host reach it. */
export type KvbmCard = z.infer<typeof kvbmCard>;
