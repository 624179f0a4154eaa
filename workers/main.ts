import { runService } from "@pixii/runtime";
import { workerSpec } from "./service.ts";

if (import.meta.main) await runService(workerSpec);
