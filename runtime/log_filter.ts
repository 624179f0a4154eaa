import { closestWord } from "./spelling.ts";

/** Levels from loud to silent. `off` logs nothing. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "off"] as const;
/** A level of a filter. */
export type LogLevelName = typeof logLevels[number];

/** One rule: logs of `target` and of everything below it, from `level` on. An empty target is the rest. */
export interface LogRule {
  readonly target: readonly string[];
  readonly level: LogLevelName;
}

/** Most rules of a filter. */
const maxRules = 64;

/**
 * A filter in RUST_LOG syntax: rules parted by commas, each `level`, `target=level` or `target` (all of it). Targets
 * are `service` or `service::part`; the longest that fits decides, of equal ones the last. Without a bare level
 * nothing else is logged but errors. An empty text is `info`.
 */
export function parseLogFilter(
  text: string,
): { readonly rules: readonly LogRule[] } | { readonly problem: string } {
  const parts = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  if (parts.length === 0) return { rules: [{ target: [], level: "info" }] };
  if (parts.length > maxRules) {
    return { problem: `must have at most ${maxRules} rules, got ${parts.length}` };
  }
  const byTarget = new Map<string, LogRule>([["", { target: [], level: "error" }]]);
  for (const part of parts) {
    const rule = parseRule(part);
    if ("problem" in rule) return rule;
    byTarget.set(rule.target.join("::"), rule);
  }
  return { rules: [...byTarget.values()] };
}

function parseRule(part: string): LogRule | { readonly problem: string } {
  const bare = levelOf(part);
  if (bare !== undefined) return { target: [], level: bare };
  const [name, levelText, ...more] = part.split("=").map((piece) => piece.trim());
  const target = name.split("::");
  if (more.length > 0 || !target.every((word) => /^[a-zA-Z0-9_-]+$/.test(word))) {
    return { problem: `must be rules like info,router=debug, got ${JSON.stringify(part)}` };
  }
  const level = levelText === undefined ? "trace" : levelOf(levelText);
  if (level === undefined) {
    const close = closestWord(levelText.toLowerCase(), logLevels, 2);
    const hint = close === undefined ? "" : `; did you mean ${close}?`;
    return {
      problem: `must have levels of ${logLevels.join(", ")}, got ${JSON.stringify(part)}${hint}`,
    };
  }
  // A lone word that is nearly a level is a slip and no target.
  const slip = levelText === undefined && closestWord(name.toLowerCase(), logLevels, 1);
  if (slip) return { problem: `must be rules like info, got "${name}"; did you mean ${slip}?` };
  return { target, level };
}

function levelOf(text: string): LogLevelName | undefined {
  const lower = text.toLowerCase();
  if (lower === "warning") return "warn";
  return logLevels.find((level) => level === lower);
}

/** The level from which `target` is logged. */
export function levelFor(rules: readonly LogRule[], target: readonly string[]): LogLevelName {
  let best: LogRule | undefined;
  for (const rule of rules) {
    const fits = rule.target.length <= target.length &&
      rule.target.every((word, i) => word === target[i]);
    if (fits && (best === undefined || rule.target.length >= best.target.length)) best = rule;
  }
  return best?.level ?? "off";
}
