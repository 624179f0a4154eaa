import { runService } from "@pixii/runtime";
import { routerSpec } from "./service.ts";

if (import.meta.main) await runService(routerSpec);
