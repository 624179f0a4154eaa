import assert from "node:assert/strict";
import { byteClasses, charClass, classOf, notAscii } from "./char_class.ts";

Deno.test("classOf() knows letters, digits, white space and line breaks", () => {
  for (const char of "aZéßдא日ʰǅ\u{1d518}") {
    assert.equal(classOf(char.codePointAt(0)!), charClass.letter, char);
  }
  for (const char of "09٣½Ⅷ\u{1d7d8}") {
    assert.equal(classOf(char.codePointAt(0)!), charClass.number, char);
  }
  for (const char of " \t\v\f\u0085\u00a0\u1680\u2000\u2028\u3000") {
    assert.equal(classOf(char.codePointAt(0)!), charClass.space, char);
  }
  for (const char of "\r\n") assert.equal(classOf(char.codePointAt(0)!), charClass.newline);
  for (const char of "\0!_€\u0301\u200d\ufeff\ufffd\u{1f600}") {
    assert.equal(classOf(char.codePointAt(0)!), charClass.other, char);
  }
});

Deno.test("classOf() takes letters and digits after Unicode 15.1 for neither", () => {
  for (const codePoint of [0x1c89, 0xa7dc, 0x105c0, 0x10d40, 0x13460, 0x16d70, 0x1e5fa]) {
    assert.equal(classOf(codePoint), charClass.other, codePoint.toString(16));
  }
  for (const codePoint of [0x1c88, 0xa7ca, 0x10d30, 0x1342f]) {
    assert.notEqual(classOf(codePoint), charClass.other, codePoint.toString(16));
  }
});

Deno.test("byteClasses tells ASCII from the rest", () => {
  for (let byte = 0; byte < 128; byte++) assert.equal(byteClasses[byte], classOf(byte));
  for (let byte = 128; byte < 256; byte++) assert.equal(byteClasses[byte], notAscii);
});
