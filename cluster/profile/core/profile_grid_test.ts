import assert from "node:assert/strict";
import { cellsFor, fittedGrid, grids, roomFor } from "./profile_grid.ts";

Deno.test("fittedGrid() keeps a grid that fits, and rounds contexts to whole blocks", () => {
  const bounds = { contextLength: 8192, maxSeqs: 8, blockSize: 64, cells: 1e6 };
  assert.deepEqual(fittedGrid(grids.small, bounds), grids.small);
  const odd = fittedGrid(grids.small, { ...bounds, blockSize: 48 });
  assert.deepEqual(odd.prefillContexts, [0, 528, 2064]);
});

Deno.test("fittedGrid() leaves out what a small worker has no room for", () => {
  const bounds = { contextLength: 960, maxSeqs: 4, blockSize: 64, cells: 4096 };
  const grid = fittedGrid(grids.small, bounds);
  assert.deepEqual(grid.sequences, [1, 2, 4]);
  assert.deepEqual(grid.newTokens, [1, 16, 64, 128]);
  assert.deepEqual(grid.prefillContexts, [0, 512]);
  assert.deepEqual(grid.decodeContexts, [32]);
  assert.deepEqual(grid.besides, [0, 1]);
  const longest = Math.max(...grid.decodeContexts) + roomFor(grid);
  assert.ok(longest <= bounds.contextLength, `${longest}`);
});

Deno.test("cellsFor() is room for every point of the grid", () => {
  for (const grid of Object.values(grids)) {
    const cells = cellsFor(grid);
    assert.ok(cells > Math.max(...grid.sequences) * Math.max(...grid.decodeContexts));
    assert.ok(cells > Math.max(...grid.prefillContexts) + Math.max(...grid.newTokens));
  }
});
