/**
 * Many programs together: the dev launcher, the one-process mode, the model store, the one table of permissions.
 * @module
 */
export { permissionFlags, standaloneFlags } from "./permissions.ts";
export type { PermissionNeeds } from "./permissions.ts";
