/** Common English words, most of them one token in every vocabulary. */
const words = (
  "time person year way day thing man world life hand part child eye woman place work week case point company number " +
  "group problem fact water room mother area money story month lot right study book job word business issue side kind " +
  "head house service friend father power hour game line end member law car city community name president team minute " +
  "idea body information back parent face others level office door health art war history party result change morning " +
  "reason research girl guy moment air teacher force education foot boy age policy music market sense nation plan " +
  "college interest death experience effect use class control field development role effort rate heart drug show " +
  "leader light voice wife police mind price report decision son view town road arm difference value building action " +
  "season society tax director position player record paper space ground form event official matter center couple site"
).split(" ");

/** A stream of random words from a seed: xorshift32. */
export class WordStream {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0 || 1;
  }

  /** `count` words, single spaces between. */
  take(count: number): string {
    const picked: string[] = [];
    for (let i = 0; i < count; i++) picked.push(words[this.#next() % words.length]);
    return picked.join(" ");
  }

  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    return this.#state = x >>> 0;
  }
}
