/** Structured fields of a log line. Never secrets, never prompt text. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A logger of one part of one program; levels as in RUST_LOG. */
export interface Log {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger one level below: `log.child("http")` filters as `frontend::http`. */
  child(name: string): Log;
}
