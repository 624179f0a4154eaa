/** One closed-loop load: every lane sends its next request when the last one is answered. */
export interface LoadCase {
  /** HOST:PORT of the server. */
  readonly host: string;
  readonly port: number;
  readonly model: string;
  readonly concurrency: number;
  /** Requests in all, after `warmup` uncounted ones. */
  readonly requests: number;
  readonly warmup: number;
  /** Words of the prompt that all requests share (first), and that each has for itself. */
  readonly sharedWords: number;
  readonly ownWords: number;
  /** Output tokens asked for, and whether they are streamed. */
  readonly outputTokens: number;
  readonly stream: boolean;
  /** Prompts differ between seeds. */
  readonly seed: number;
  /** False where the server's answers are canned: their token counts are not checked. */
  readonly checkTokens: boolean;
}

/** What a load client saw. Times in milliseconds. */
export interface LoadResult {
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly tokensPerSecond: number;
  /** First content of streamed answers; whole answers else. */
  readonly ttftP50: number;
  readonly ttftP99: number;
  readonly totalP50: number;
  readonly totalP99: number;
}
