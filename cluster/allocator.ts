import type { ServiceName } from "@pixii/wire";

/**
 * glibc's allocator as a frontend needs it: bodies of long prompts (a quarter of a megabyte each, hundreds at a time) go
 * back to the system when they are freed, instead of leaving a heap full of holes. Other systems ignore it.
 */
const frontendAllocator = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: "65536",
  MALLOC_TRIM_THRESHOLD_: "131072",
} as const;

/** Variables that a service's process starts with. */
export function allocatorVariables(service: ServiceName): Readonly<Record<string, string>> {
  return service === "frontend" ? frontendAllocator : {};
}
