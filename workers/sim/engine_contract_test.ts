import { engineContract } from "../engine_contract.ts";
import { openSims } from "./open_testing.ts";

engineContract("sim without waiting", { open: async (settings) => (await openSims(settings))[0] });
engineContract("sim at 200 times its speed", {
  open: async (settings) => (await openSims({ ...settings, speed: 200 }))[0],
});
