/** Between a store and its server: a wire that can be cut, clogged, or listened in on. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** See the header. */
export type Proxy = {
  readonly url: string;
  /** Nothing gets through any more, either way, and nobody is told. */
  readonly clog: () => void;
  /** End all connections that there are. */
  readonly cut: () => void;
  readonly close: () => Promise<void>;
};

/** What happens on the way. */
export type ProxyOptions = {
  /** Whether the connection is cut instead of passing on what the server says, or right after. */
  readonly cutsBefore?: (data: Buffer) => boolean;
  readonly cutsAfter?: (data: Buffer) => boolean;
  /** Sees the first that a client says. An answer is given instead of passing it on, and the connection ended. */
  readonly onGreeting?: (data: Buffer) => Buffer | null;
};

/** What a server says that lets nobody in. */
export function refusalOf(sqlState: string, message: string): Buffer {
  const fields = `SFATAL\0VFATAL\0C${sqlState}\0M${message}\0\0`;
  const refusal = Buffer.concat([Buffer.from("E"), Buffer.alloc(4), Buffer.from(fields)]);
  refusal.writeInt32BE(refusal.length - 1, 1);
  return refusal;
}

/** Open one before the server at `url`. */
export async function openProxy(url: string, options: ProxyOptions = {}): Promise<Proxy> {
  const target = new URL(url);
  const pairs = new Set<readonly [Socket, Socket]>();
  let clogged = false;
  const proxy = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    const pair = [client, server] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => {});
      socket.on("close", () => {
        pairs.delete(pair);
        for (const one of pair) one.destroy();
      });
    }
    let greeted = false;
    client.on("data", (data) => {
      const refusal = greeted ? null : (options.onGreeting?.(data) ?? null);
      greeted = true;
      if (refusal !== null) client.end(refusal);
      else if (!clogged) server.write(data);
    });
    server.on("data", (data) => {
      if (clogged) return;
      if (options.cutsBefore?.(data) === true) return void client.destroy();
      client.write(data);
      if (options.cutsAfter?.(data) === true) client.destroySoon();
    });
  });
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  const near = new URL(url);
  near.port = String((proxy.address() as AddressInfo).port);
  const cut = (): void => {
    for (const [client] of pairs) client.destroy();
  };
  return {
    url: near.href,
    clog: () => void (clogged = true),
    cut,
    close: async () => {
      cut();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
