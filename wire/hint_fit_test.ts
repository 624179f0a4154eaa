import assert from "node:assert/strict";
import type { InstanceId, ModelCard, RouteHints } from "./mod.ts";
import { hintMisfit, isPlacementTerm } from "./mod.ts";

const instance = "0123456789abcdef" as InstanceId;
const other = "fedcba9876543210" as InstanceId;
const card = (more: Partial<ModelCard> = {}) => ({ instance, dpSize: 2, ...more }) as ModelCard;

Deno.test("hintMisfit() lets a plain worker take a request without hints", () => {
  assert.equal(hintMisfit(card(), undefined), undefined);
  assert.equal(hintMisfit(card(), {}), undefined);
  assert.equal(hintMisfit(card({ labels: ["zone=a"] }), {}), undefined);
});

Deno.test("hintMisfit() names what keeps the request from a worker", () => {
  const cases: readonly [Partial<ModelCard>, RouteHints, ReturnType<typeof hintMisfit>][] = [
    [{}, { worker: other }, "excluded"],
    [{}, { worker: instance }, undefined],
    [{}, { dpRank: 2 }, "excluded"],
    [{}, { dpRank: 1 }, undefined],
    [{}, { allow: [other] }, "excluded"],
    [{}, { allow: [other, instance] }, undefined],
    [{}, { deny: [instance] }, "excluded"],
    [{}, { require: ["zone=a"] }, "labels"],
    [{ labels: ["zone=b"] }, { require: ["zone=a"] }, "labels"],
    [{ labels: ["zone=a"] }, { require: ["zone=a"] }, undefined],
    [{ labels: ["zone=a"] }, { require: ["zone"] }, undefined],
    [{ labels: ["zone=a"] }, { require: ["zon"] }, "labels"],
    [{ labels: ["zone=a"] }, { require: ["zone", "gpu"] }, "labels"],
    [{ taints: ["batch"] }, {}, "tainted"],
    [{ taints: ["batch"] }, { tolerate: ["batch"] }, undefined],
    [{ taints: ["gpu=old"] }, { tolerate: ["gpu"] }, undefined],
    [{ taints: ["gpu=old"] }, { tolerate: ["gpu=new"] }, "tainted"],
    [{ taints: ["gpu=old", "batch"] }, { tolerate: ["gpu"] }, "tainted"],
    [{ taints: ["gpu=old", "batch"] }, { tolerate: ["*"] }, undefined],
  ];
  for (const [more, hints, misfit] of cases) {
    assert.equal(hintMisfit(card(more), hints), misfit, JSON.stringify([more, hints]));
  }
  assert.equal(hintMisfit(card({ taints: ["batch"] }), undefined), "tainted");
  assert.equal(hintMisfit(card(), { dpRank: 1 }, 0), "excluded");
});

Deno.test("isPlacementTerm() takes key and key=value of plain letters", () => {
  for (const good of ["a", "zone=a", "pixii.dev/gpu=h100", "a=", "A-b_c.d"]) {
    assert.ok(isPlacementTerm(good), good);
  }
  for (const bad of ["", "=a", "a b", "a=b=c", "a,b", "é", "a".repeat(64), `a=${"b".repeat(64)}`]) {
    assert.ok(!isPlacementTerm(bad), bad);
  }
});
