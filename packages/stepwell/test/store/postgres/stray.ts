/** Between a store and its server: statements that go astray. Their client loses its connection, the server does not. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { urlWith } from "./server.ts";

/**
 * What becomes of a statement: its answer is lost; its connection breaks once it is sent; or before, and the server gets
 * it all the same, later.
 */
type Fate = "unanswered" | "sent" | "late";

/** A statement that will be lost, or has been. */
export type Lost = {
  /** Let the server have one that is late. */
  readonly deliver: () => void;
  /** The server has answered it. */
  readonly answered: Promise<void>;
};

/** A way to the server, for one test. */
export type Way = { readonly url: string; readonly lose: (statement: string, fate: Fate) => Lost };

/** Of one connection; `onAnswer` gets what the server says instead of the client. */
type Pair = { readonly client: Socket; readonly server: Socket; onAnswer: ((data: Buffer) => void) | null };

type Loss = { readonly statement: string; readonly meet: (pair: Pair, data: Buffer) => void };

/** The end of an answer: the server is ready for the next statement, outside of a transaction. */
const READY = Buffer.from("Z\0\0\0\x05I", "latin1");

/** Open one. */
export async function openWay(url: string): Promise<Way> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let loss: Loss | null = null;
  const proxy = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    const pair: Pair = { client, server, onAnswer: null };
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("data", (data) => {
      const met = loss !== null && data.includes(loss.statement) ? loss : null;
      if (met === null) return void server.write(data);
      loss = null;
      met.meet(pair, data);
    });
    server.on("data", (data) => (pair.onAnswer === null ? void client.write(data) : pair.onAnswer(data)));
    client.on("close", () => pair.onAnswer ?? server.end());
    server.on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  });
  const { port } = proxy.address() as AddressInfo;
  return {
    url: urlWith(url, (near) => (near.port = String(port))),
    lose: (statement, fate) => planLoss(fate, (meet) => (loss = { statement, meet })),
  };
}

function planLoss(fate: Fate, arm: (meet: Loss["meet"]) => void): Lost {
  let deliver = (): void => {};
  const answered = new Promise<void>((resolve) => {
    arm((pair, data) => {
      pair.onAnswer = (answer) => {
        if (!answer.subarray(-READY.length).equals(READY)) return;
        pair.client.destroy();
        pair.server.end();
        resolve();
      };
      deliver = () => void pair.server.write(data);
      if (fate !== "late") deliver();
      if (fate !== "unanswered") pair.client.destroy();
    });
  });
  return { deliver: () => deliver(), answered };
}
