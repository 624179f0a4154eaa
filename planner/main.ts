import { runService } from "@pixii/runtime";
import { plannerSpec } from "./service.ts";

if (import.meta.main) await runService(plannerSpec);
