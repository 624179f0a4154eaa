import { runService } from "@pixii/runtime";
import { kvbmSpec } from "./service.ts";

if (import.meta.main) await runService(kvbmSpec);
