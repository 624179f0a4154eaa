/**
 * Erlang's C: the chance that a request waits where `servers` serve `load` erlangs (A. K. Erlang, 1917), by the stable
 * recursion over his B. 1 where the load is not below the servers. O(servers).
 */
export function waitChance(servers: number, load: number): number {
  if (load <= 0) return 0;
  if (load >= servers) return 1;
  let blocked = 1;
  for (let k = 1; k <= servers; k++) blocked = load * blocked / (k + load * blocked);
  return blocked / (1 - load / servers * (1 - blocked));
}
