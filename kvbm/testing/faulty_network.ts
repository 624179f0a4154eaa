import type { Result } from "@pixii/wire";
import type { ByteListener, ByteNetwork, ByteStream, Clock } from "@pixii/runtime";

/** What happens to bytes that a connected stream reads. */
export interface Faults {
  /** The stream ends after so many bytes, counted per stream. */
  cutAfterBytes?: number | undefined;
  /** This byte of a stream is flipped, counted from 0. */
  flipAtByte?: number | undefined;
  /** At most so many bytes a second, in small pieces. */
  bytesPerSecond?: number | undefined;
  /** Nobody can be reached. */
  isDown?: boolean;
}

/** Another network with faults between its two ends. */
export class FaultyNetwork implements ByteNetwork {
  readonly faults: Faults = {};
  /** Streams that were connected. */
  connects = 0;
  readonly #inner: ByteNetwork;
  readonly #clock: Clock;

  constructor(inner: ByteNetwork, clock: Clock) {
    this.#inner = inner;
    this.#clock = clock;
  }

  listen(
    address: string,
    serve: (stream: ByteStream) => Promise<void>,
  ): Promise<Result<ByteListener>> {
    return this.#inner.listen(address, serve);
  }

  async connect(address: string, timeoutMs: number): Promise<Result<ByteStream>> {
    const connected = await this.#inner.connect(
      this.faults.isDown ? "127.0.0.1:1" : address,
      timeoutMs,
    );
    if (!connected.ok) return connected;
    this.connects += 1;
    return { ok: true, value: this.#faulty(connected.value) };
  }

  #faulty(stream: ByteStream): ByteStream {
    const { faults } = this;
    const clock = this.#clock;
    let seen = 0;
    return {
      peer: stream.peer,
      write: (bytes) => stream.write(bytes),
      close: () => stream.close(),
      [Symbol.dispose]: () => stream.close(),
      async read(into) {
        const { bytesPerSecond, cutAfterBytes, flipAtByte } = faults;
        const slow = bytesPerSecond === undefined ? into.byteLength : bytesPerSecond / 50;
        const left = cutAfterBytes === undefined ? into.byteLength : cutAfterBytes - seen;
        if (left <= 0) {
          stream.close();
          return null;
        }
        if (bytesPerSecond !== undefined) await clock.sleep(20);
        const most = Math.max(1, Math.floor(Math.min(slow, left, into.byteLength)));
        const count = await stream.read(into.subarray(0, most));
        if (count === null) return null;
        const at = (flipAtByte ?? -1) - seen;
        if (at >= 0 && at < count) into[at] ^= 1;
        seen += count;
        return count;
      },
    };
  }
}
