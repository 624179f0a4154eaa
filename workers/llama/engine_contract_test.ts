import { engineContract } from "../engine_contract.ts";
import { bundledModel } from "../testing/models.ts";
import { openLlama } from "./open_testing.ts";

engineContract("llama", { open: (settings) => openLlama(bundledModel("micro.gguf"), settings) });
