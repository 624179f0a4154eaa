import type { SpecialFinder } from "../core/special_finder.ts";
import type { ChatMessage } from "../core/vocabulary.ts";

/** Messages in which control tokens that are only spelled are marked. */
export interface GuardedMessages {
  readonly messages: readonly ChatMessage[];
  /** Stands before each marked spelling and nowhere else; absent where none is spelled. */
  readonly marker: string | undefined;
}

const firstPrivate = 0xe000;
const lastPrivate = 0xf8ff;

/**
 * Puts a marker before every spelling of a control token in the messages, so that a template carries it along and the
 * spelling can be told from the template's own. The marker is private-use text that occurs neither in the messages nor
 * in the template. Undefined where more than `most` are spelled in one text.
 */
export function guardSpellings(
  messages: readonly ChatMessage[],
  controls: SpecialFinder,
  { template, most = Infinity }: { readonly template: string; readonly most?: number },
): GuardedMessages | undefined {
  const places = messages.map(({ content, name }) => ({
    content: controls.findAll(content, { most }),
    name: name === undefined ? [] : controls.findAll(name, { most }),
  }));
  if (places.every(({ content, name }) => content.length + name.length === 0)) {
    return { messages, marker: undefined };
  }
  if (places.some(({ content, name }) => content.length > most || name.length > most)) {
    return undefined;
  }
  const texts = messages.flatMap(({ role, content, name = "" }) => [role, content, name]);
  const marker = unusedMarker([template, ...texts]);
  return {
    marker,
    messages: messages.map(({ role, content, name }, i) => ({
      role,
      content: marked(content, places[i].content, marker),
      ...(name === undefined ? {} : { name: marked(name, places[i].name, marker) }),
    })),
  };
}

function marked(text: string, places: readonly { readonly from: number }[], marker: string) {
  let result = "";
  let done = 0;
  let last = -1;
  for (const { from } of places) {
    // Two tokens may be spelled from the same place on.
    if (from === last) continue;
    result += text.slice(done, from) + marker;
    last = done = from;
  }
  return result + text.slice(done);
}

/** A private-use character that no text holds, else a pair of them. */
function unusedMarker(texts: readonly string[]): string {
  const isUnused = (marker: string) => !texts.some((text) => text.includes(marker));
  for (const marker of privates()) if (isUnused(marker)) return marker;
  for (const first of privates()) {
    for (const second of privates()) {
      // Two equal ones would be found in a longer run of them.
      if (first !== second && isUnused(first + second)) return first + second;
    }
  }
  // Over 41 million pairs: no text of a request is long enough to hold them all.
  throw new RangeError("Cannot mark the messages: they hold every pair of private-use characters");
}

function* privates(): Iterable<string> {
  for (let unit = firstPrivate; unit <= lastPrivate; unit++) yield String.fromCharCode(unit);
}
