import { commonOptions } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";

/** The block manager's options. */
export const kvbmSchema = { ...commonOptions } as const;

/** The block manager's config. */
export type KvbmConfig = ConfigOf<typeof kvbmSchema>;
