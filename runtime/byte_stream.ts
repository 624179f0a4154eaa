import type { Result } from "@pixii/wire";

/** Bytes both ways between two programs, in order, until one of them ends it. */
export interface ByteStream extends Disposable {
  /** Where the other end is, for people. */
  readonly peer: string;
  /** Reads what is there, at least one byte, into the start of `into`; null where the stream has ended. One read at a time. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /**
   * Hands all of `bytes` over, which must not change until then; false where the stream has ended. It waits while the other
   * end does not read: nothing is queued here. One write at a time.
   */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean>;
  /** Ends both directions; reads and writes under way end with it. Idempotent. */
  close(): void;
}

/** Where others reach a program. */
export interface ByteListener extends AsyncDisposable {
  /** `HOST:PORT` that it listens on. */
  readonly address: string;
}

/** What carries byte streams: TCP, or the memory of one process. */
export interface ByteNetwork {
  /**
   * Takes streams at `HOST:PORT` (0 = any free port) and gives each to `serve`; it is closed when that ends. Fails with
   * `internal` where the address cannot be had.
   */
  listen(
    address: string,
    serve: (stream: ByteStream) => Promise<void>,
  ): Promise<Result<ByteListener>>;
  /** Reaches the program at `HOST:PORT`; `no_responders` where none answers within `timeoutMs`. */
  connect(address: string, timeoutMs: number): Promise<Result<ByteStream>>;
}
