/** Which endpoint an answer belongs to. */
export type AnswerKind = "chat" | "text";

/** What every chunk of an answer repeats. */
export interface AnswerHead {
  readonly kind: AnswerKind;
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  /** Names the weights; the same seed with the same fingerprint gives the same tokens. */
  readonly fingerprint: string;
  /** Every choice logs its probabilities. */
  readonly logprobs: boolean;
}

/** The fields before `choices`, as JSON without the closing brace. */
export function headJson(head: AnswerHead, streamed: boolean): string {
  const object = head.kind === "text"
    ? "text_completion"
    : streamed
    ? "chat.completion.chunk"
    : "chat.completion";
  const fields = JSON.stringify({
    id: head.id,
    object,
    created: head.created,
    model: head.model,
    system_fingerprint: head.fingerprint,
  });
  return fields.slice(0, -1);
}
