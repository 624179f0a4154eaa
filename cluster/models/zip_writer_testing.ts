/** A zip file with deflated members; for tests of the reader. */
export async function bytesOfZip(
  members: readonly { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }[],
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (const { name, bytes } of members) {
    const packed = await deflate(bytes);
    const path = new TextEncoder().encode(name);
    const sizes = [packed.length, bytes.length];
    const head = record(0x04034b50, [20, 0, 8, 0, 0], [0, ...sizes], [path.length, 0]);
    const entry = record(0x02014b50, [20, 20, 0, 8, 0, 0], [0, ...sizes], [
      path.length,
      ...[0, 0, 0, 0, 0, 0],
    ], [offset]);
    parts.push(head, path, packed);
    directory.push(entry, path);
    offset += head.length + path.length + packed.length;
  }
  const directoryBytes = directory.reduce((sum, part) => sum + part.length, 0);
  const counts = [0, 0, members.length, members.length];
  const end = record(0x06054b50, counts, [directoryBytes, offset], [0]);
  return await joined([...parts, ...directory, end]);
}

/** A signature, then runs of u16, u32, u16, u32 in turn. */
function record(signature: number, ...runs: readonly number[][]): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const put = (value: number, width: number) => {
    for (let i = 0; i < width; i++) bytes.push((value >>> (8 * i)) & 255);
  };
  put(signature, 4);
  runs.forEach((run, at) => run.forEach((value) => put(value, at % 2 === 0 ? 2 : 4)));
  return new Uint8Array(bytes);
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function joined(parts: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
