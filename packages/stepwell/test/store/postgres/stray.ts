/** Between a store and its server: statements that go astray. Their client loses its connection, the server does not. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { urlWith } from "./server.ts";

/**
 * What becomes of a statement: its answer is lost; its connection breaks once it is sent; or before, and the server gets
 * it all the same, later.
 */
export type Fate = "unanswered" | "sent" | "late";

/** A statement that will be lost, or has been. */
export type Lost = {
  /** Let the server have one that is late. */
  readonly deliver: () => void;
  /** The server has answered it. */
  readonly answered: Promise<void>;
};

/** A way to the server, for one test. */
export type Way = { readonly url: string; readonly lose: (statement: string, fate: Fate) => Lost };

type Plan = { readonly statement: string; readonly fate: Fate; readonly met: (pair: Pair, data: Buffer) => void };
type Pair = { readonly client: Socket; readonly server: Socket; onAnswer: () => void };

/** The end of an answer: the server is ready for the next statement, outside of a transaction. */
const READY = Buffer.from("Z\0\0\0\x05I", "latin1");

/** Open one. */
export async function openWay(url: string): Promise<Way> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let plan: Plan | null = null;
  const proxy = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    const pair: Pair = { client, server, onAnswer: () => {} };
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("end", () => server.end());
    client.on("data", (data) => {
      if (plan === null || !data.includes(plan.statement)) return void server.write(data);
      const { met } = plan;
      plan = null;
      met(pair, data);
    });
    server.on("data", (data) => {
      client.write(data);
      if (data.subarray(-READY.length).equals(READY)) pair.onAnswer();
    });
    server.on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  });
  const lose = (statement: string, fate: Fate): Lost => planLoss({ statement, fate }, (made) => (plan = made));
  const { port } = proxy.address() as AddressInfo;
  return { url: urlWith(url, (near) => (near.port = String(port))), lose };
}

function planLoss(what: Omit<Plan, "met">, arm: (plan: Plan) => void): Lost {
  let send = (): void => {};
  const answered = new Promise<void>((resolve) => {
    arm({
      ...what,
      met: (pair, data) => {
        pair.client.removeAllListeners("end");
        pair.onAnswer = () => {
          pair.client.destroy();
          pair.server.end();
          resolve();
        };
        send = () => void pair.server.write(data);
        if (what.fate !== "late") send();
        if (what.fate !== "unanswered") pair.client.destroy();
        else
          {pair.server.removeAllListeners("data").on("data", (answer: Buffer) => {
            if (answer.subarray(-READY.length).equals(READY)) pair.onAnswer();
          });}
      },
    });
  });
  return { deliver: () => send(), answered };
}
