import assert from "node:assert/strict";
import { strftime } from "./strftime.ts";

const atMs = Date.UTC(2024, 6, 5, 14, 3, 9);

Deno.test("strftime() writes the fields that templates use", () => {
  assert.equal(strftime("%d %b %Y", atMs), "05 Jul 2024");
  assert.equal(strftime("%A, %B %-d, %Y", atMs), "Friday, July 5, 2024");
  assert.equal(strftime("%Y-%m-%dT%H:%M:%S", atMs), "2024-07-05T14:03:09");
  assert.equal(
    strftime("%a %e %j %I:%M %p %y %F %T", atMs),
    "Fri  5 187 02:03 PM 24 2024-07-05 14:03:09",
  );
  assert.equal(strftime("%-I %-H %I", Date.UTC(2024, 0, 1)), "12 0 12");
});

Deno.test("strftime() leaves alone what it does not know", () => {
  assert.equal(strftime("100%% %Q %", atMs), "100% %Q %");
});
