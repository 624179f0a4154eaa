import { commonOptions, StartError } from "@pixii/runtime";
import type { Service, ServiceSpec } from "@pixii/runtime";
import { fail } from "@pixii/wire";
import { createGenerator, createModelDirectory } from "@pixii/frontend/generation";
import type { ModelDirectory, RunningGenerator } from "@pixii/frontend/generation";

/** What a frontend without HTTP runs requests with. */
export interface FrontendInside {
  readonly directory: ModelDirectory;
  readonly generator: RunningGenerator;
}

/**
 * The frontend program without its HTTP edge: the same models, the same streams, the same place in the registry.
 * Requests come in as token ids. `onOpen` is told of each start.
 */
export function frontendProgram(
  onOpen: (inside: FrontendInside) => void,
): ServiceSpec<typeof commonOptions> {
  return {
    name: "frontend",
    summary: "The frontend without HTTP",
    schema: commonOptions,
    async start(_config, context): Promise<Service> {
      const noText = fail("unsupported_parameter", "Cannot tokenize: this frontend has no HTTP");
      const opened = await createModelDirectory({
        context,
        loadVocabulary: () => Promise.resolve(noText),
      });
      if (!opened.ok) throw new StartError(opened.error.message);
      const directory = opened.value;
      const generator = createGenerator({ context, directory });
      onOpen({ directory, generator });
      return {
        health: () => ({ status: "ready", details: { streams: generator.live } }),
        drain: (signal) => generator.idle(signal),
        [Symbol.asyncDispose]: async () => {
          await generator[Symbol.asyncDispose]();
          await directory[Symbol.asyncDispose]();
        },
      };
    },
  };
}
