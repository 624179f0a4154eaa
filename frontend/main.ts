import { runService } from "@pixii/runtime";
import { frontendSpec } from "./service.ts";

if (import.meta.main) await runService(frontendSpec);
