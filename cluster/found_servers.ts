import { findServer } from "@pixii/runtime";

/** Which of the two servers this machine has. */
export async function findServers(): Promise<
  { readonly natsFound: boolean; readonly etcdFound: boolean }
> {
  const [nats, etcd] = await Promise.all([findServer("nats-server"), findServer("etcd")]);
  return { natsFound: nats !== undefined, etcdFound: etcd !== undefined };
}
