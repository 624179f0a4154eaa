/** Exit codes that scripts rely on. */
export const exitCodes = {
  /** Ended by a signal, or by its launcher. */
  stopped: 0,
  /** Failed to start, or could not go on. */
  failed: 1,
  /** Wrong options. */
  usage: 2,
  /** A required server or model is missing. */
  missing: 3,
} as const;

/** A start that cannot succeed, for a reason that its one sentence says: shown without a stack. */
export class StartError extends Error {
  override readonly name = "StartError";
  /** What the program ends with. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}
