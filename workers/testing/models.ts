import { fileURLToPath } from "node:url";

/** Absolute path of a file in `models/`. */
export function bundledModel(file: string): string {
  return fileURLToPath(new URL(`../../models/${file}`, import.meta.url));
}
