import { z } from "zod";

/** Most labels or taints of one worker, and most terms of one hint. */
export const mostPlacementTerms = 16;

const term = "[A-Za-z0-9][\\w./-]{0,62}(=[\\w.-]{0,63})?";
const form = new RegExp(`^${term}$`);

/** Some terms with commas between, as options give them; may be empty. */
export const placementTermsText = new RegExp(`^(${term}(,${term}){0,${mostPlacementTerms - 1}})?$`);

/** True for `key` or `key=value`: letters, digits, `_ . - /` (no `/` in a value); at most 63 characters each. */
export function isPlacementTerm(text: string): boolean {
  return form.test(text);
}

/** `key` or `key=value`: a label or a taint of a worker, or what a request says about them. */
export const placementTerm: z.ZodType<string> = z.string().regex(form);

/** True where a worker's `term` is what was asked for: the same, or the same key where no value was asked for. */
export function termMatches(term: string, asked: string): boolean {
  return term === asked || term.startsWith(`${asked}=`);
}
