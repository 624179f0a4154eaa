/** Time as an argument: the system's, or a virtual one. Milliseconds everywhere. */
export interface Clock {
  /** Monotonic, for intervals; fractions allowed. */
  nowMs(): number;
  /** Since 1970, for people and `created` fields only. */
  wallMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Runs `callback` once in a later turn of the event loop, after the I/O that is ready: no time has to pass. For work
   * that goes on back to back and must let others in; a timer of 0 ms costs a millisecond or two.
   */
  turn(callback: () => void): Disposable;
  /** Runs `callback` once after `ms` unless disposed. */
  timer(ms: number, callback: () => void): Disposable;
  /** Runs `callback` every `ms` until disposed. */
  every(ms: number, callback: () => void): Disposable;
  /** A signal that aborts with a `TimeoutError` after `ms`; dispose it when the work ends earlier. */
  deadline(ms: number): { readonly signal: AbortSignal } & Disposable;
}
