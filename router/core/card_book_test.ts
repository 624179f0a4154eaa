import assert from "node:assert/strict";
import { cardOf } from "../testing/samples.ts";
import { CardBook } from "./card_book.ts";

Deno.test("sweep() drops a gone card when its worker is silent, or after its time", () => {
  const book = new CardBook(3_000);
  const [one, two] = [cardOf(1), cardOf(2)];
  book.put("a", one);
  book.put("b", two);
  book.remove("a", 100);
  book.remove("a", 2_000);
  assert.deepEqual(book.sweep(3_099, () => true), []);
  assert.deepEqual(book.sweep(3_100, () => true), [one]);
  book.keep(new Set(), 4_000);
  assert.deepEqual(book.sweep(4_001, () => false), [two]);
});

Deno.test("put() of a card that went and came back keeps it", () => {
  const book = new CardBook(3_000);
  const card = cardOf(1);
  assert.equal(book.put("a", card), undefined);
  book.remove("a", 0);
  assert.equal(book.put("a", card), card);
  book.keep(new Set(["a"]), 5_000);
  assert.deepEqual(book.sweep(10_000, () => false), []);
});
