/** Files of the page by the path they are served under, with their types. */
const types = {
  "index.html": "text/html; charset=utf-8",
  "icon.svg": "image/svg+xml",
  "page.css": "text/css; charset=utf-8",
  "page.js": "text/javascript; charset=utf-8",
  "chat.js": "text/javascript; charset=utf-8",
  "cluster.js": "text/javascript; charset=utf-8",
  "decisions.js": "text/javascript; charset=utf-8",
  "timeline.js": "text/javascript; charset=utf-8",
  "planner.js": "text/javascript; charset=utf-8",
  "dom.js": "text/javascript; charset=utf-8",
} as const;

/** One file of the page. */
export interface PageFile {
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** The page's files by path: `/` and `/page/NAME`. */
export async function readPageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const files = await Promise.all(
    Object.entries(types).map(async ([name, type]): Promise<[string, PageFile]> => {
      const body = await Deno.readFile(new URL(`./assets/${name}`, import.meta.url));
      return [name === "index.html" ? "/" : `/page/${name}`, { type, body }];
    }),
  );
  return new Map(files);
}
