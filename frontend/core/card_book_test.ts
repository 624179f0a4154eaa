import assert from "node:assert/strict";
import type { InstanceId, ModelCard, ModelHash } from "@pixii/wire";
import { CardBook, commonest } from "./card_book.ts";

const hash = "0123456789abcdef" as ModelHash;

function cardOf(instance: string, modelDigest = "x"): ModelCard {
  return { hash, name: "m", instance: instance as InstanceId, modelDigest } as ModelCard;
}

const always = () => true;

Deno.test("put() groups cards by model and sets strangers apart", () => {
  const book = new CardBook(3_000);
  book.put("a", cardOf("a", "x"));
  book.put("b", cardOf("b", "y"));
  book.put("c", cardOf("c", "y"));
  const group = book.groups.get(hash)!;
  assert.deepEqual(group.cards.map((card) => card.instance), ["b", "c"]);
  assert.deepEqual(group.strangers.map((card) => card.instance), ["a"]);
});

Deno.test("sweep() drops a gone card when its worker is silent, or after its time", () => {
  const book = new CardBook(3_000);
  book.put("a", cardOf("a"));
  book.put("b", cardOf("b"));
  book.remove("a", 100);
  assert.equal(book.sweep(3_000, always), false);
  assert.deepEqual(book.presentKeys(), ["b"]);
  assert.equal(book.sweep(3_100, always), true);
  book.remove("b", 3_200);
  assert.equal(book.sweep(3_201, () => false), true);
  assert.equal(book.groups.size, 0);
});

Deno.test("put() of a card that went and came back changes nothing", () => {
  const book = new CardBook(3_000);
  book.put("a", cardOf("a"));
  const before = book.groups;
  book.remove("a", 0);
  book.put("a", cardOf("a"));
  assert.equal(book.sweep(10_000, () => false), false);
  assert.equal(book.groups, before);
});

Deno.test("commonest() takes the first of the most frequent", () => {
  assert.equal(commonest(["a", "b", "b", "a"]), "a");
  assert.equal(commonest(["a", "b", "b"]), "b");
});
