export { cacheFolder } from "@pixii/runtime";

/** The texts of the environment that the model store reads. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Hugging Face's own cache of repositories, as its libraries find it. */
export function hubCacheFolder(env: Env): string {
  if (env.HF_HUB_CACHE) return env.HF_HUB_CACHE;
  if (env.HUGGINGFACE_HUB_CACHE) return env.HUGGINGFACE_HUB_CACHE;
  if (env.HF_HOME) return `${env.HF_HOME}/hub`;
  return `${env.XDG_CACHE_HOME ?? `${env.HOME ?? "."}/.cache`}/huggingface/hub`;
}
