import { z } from "zod";
import { bytes, instanceId, streamKey } from "./field.ts";

/** Most streams that one notice names; a router with more waiting streams of a frontend sends several. */
export const mostNoticeStreams = 2_048;

/** router -> one frontend, published on its `notices`: about its requests that were answered with `queued`. */
export const routeNotice = z.discriminatedUnion("kind", [
  /** Every `limits.queueBeatMs`: these still wait. */
  z.object({
    kind: z.literal("waiting"),
    router: instanceId,
    streams: z.array(z.object(streamKey.shape)).max(mostNoticeStreams),
  }),
  /** The answer that one waited for: an encoded `routeReply`, never another `queued`. Comes once. */
  z.object({ kind: z.literal("answer"), router: instanceId, ...streamKey.shape, reply: bytes() }),
]);
/** router -> one frontend: about its requests that wait. */
export type RouteNotice = z.infer<typeof routeNotice>;
