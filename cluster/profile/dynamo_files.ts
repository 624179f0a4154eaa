import { unzipSync } from "fflate";
import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { readNpy } from "./core/npy_array.ts";
import type { NpyArray } from "./core/npy_array.ts";
import type { DynamoArrays } from "./core/dynamo_profile.ts";

/** Largest file that is read, and largest after it was unpacked. */
const mostBytes = 64 * 1024 * 1024;

/** Where the two halves of a profile lie below the profiler's output folder, the first that is there counts. */
const halves = [
  ["selected_prefill_interpolation/raw_data.npz", "prefill_raw_data.json"],
  ["selected_decode_interpolation/raw_data.npz", "decode_raw_data.json"],
] as const;

/**
 * Arrays of what Dynamo's profiler left at `path`: its output folder (`.npz` of both halves, or the `.json` that a cluster's
 * config map has), or the mocker's one `.npz`. Fails in one sentence that names the file.
 */
export async function readDynamoFiles(path: string): Promise<Result<DynamoArrays>> {
  let isFolder: boolean;
  try {
    isFolder = (await Deno.stat(path)).isDirectory;
  } catch (error) {
    return unreadable(path, (error as Error).message);
  }
  if (!isFolder) return await readArrays(path);
  const arrays: Record<string, NpyArray | undefined> = {};
  for (const names of halves) {
    const there = await firstThere(names.map((name) => `${path}/${name}`));
    if (there === undefined) {
      return unreadable(path, `neither ${names[0]} nor ${names[1]} is in it`);
    }
    const half = await readArrays(there);
    if (!half.ok) return half;
    Object.assign(arrays, half.value);
  }
  return ok(arrays);
}

async function firstThere(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      if ((await Deno.stat(path)).isFile) return path;
    } catch {
      // The next name is tried.
    }
  }
  return undefined;
}

async function readArrays(path: string): Promise<Result<DynamoArrays>> {
  try {
    const { size } = await Deno.stat(path);
    if (size > mostBytes) {
      return unreadable(path, `it has ${size} bytes, at most ${mostBytes} are read`);
    }
    return path.endsWith(".json")
      ? ofJson(path, JSON.parse(await Deno.readTextFile(path)))
      : ofZip(path, await Deno.readFile(path));
  } catch (error) {
    return unreadable(path, (error as Error).message);
  }
}

function ofZip(path: string, bytes: Uint8Array): Result<DynamoArrays> {
  const arrays: Record<string, NpyArray> = {};
  let unpacked = 0;
  const files = unzipSync(bytes, {
    filter: ({ name, originalSize }) => {
      unpacked += originalSize;
      return name.endsWith(".npy") && unpacked <= mostBytes;
    },
  });
  for (const [name, file] of Object.entries(files)) {
    const array = readNpy(file);
    if (!array.ok) return unreadable(`${path}: ${name}`, array.error.message);
    arrays[name.slice(0, -".npy".length)] = array.value;
  }
  return ok(arrays);
}

function ofJson(path: string, value: unknown): Result<DynamoArrays> {
  const arrays: Record<string, NpyArray> = {};
  for (const [name, numbers] of Object.entries(value as Record<string, unknown>)) {
    const flat = (Array.isArray(numbers) ? numbers.flat(8) : [numbers]) as readonly unknown[];
    if (!flat.every((one) => typeof one === "number")) {
      return unreadable(path, `${name} must be numbers`);
    }
    arrays[name] = { shape: [flat.length], values: Float64Array.from(flat) };
  }
  return ok(arrays);
}

function unreadable(path: string, why: string): Result<never> {
  return fail("invalid_request", `Cannot read the profile of Dynamo at ${path}: ${why}`);
}
