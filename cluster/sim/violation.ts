/** A promise of the system that a run saw broken. */
export class SimViolation extends Error {
  /** Virtual time. */
  readonly atMs: number;

  constructor(message: string, atMs: number) {
    super(message);
    this.name = "SimViolation";
    this.atMs = atMs;
  }
}
