/**
 * Wire: as much of PostgreSQL's protocol (version 3) as it takes to know where a statement ends and what became of it.
 *
 * A driver sends requests, each a few messages that end with Sync, or one simple Query; the server ends every answer
 * with ReadyForQuery, which it sends when the statement's own transaction has been committed.
 */

/** One message. `type` is its letter; empty for the first of a connection, which has none. */
export type Message = { readonly type: string; readonly bytes: Buffer };

/** Cuts a stream of bytes into messages. */
export type Cutter = (chunk: Buffer) => readonly Message[];

/** @param greeted the first message has a type as well: a server's stream */
export function openCutter(greeted: boolean): Cutter {
  let rest: Buffer = Buffer.alloc(0);
  let first = !greeted;
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const messages: Message[] = [];
    for (;;) {
      const head = first ? 0 : 1;
      if (rest.length < head + 4) return messages;
      const end = head + rest.readUInt32BE(head);
      if (rest.length < end) return messages;
      messages.push({ type: first ? "" : String.fromCharCode(rest[0]!), bytes: rest.subarray(0, end) });
      rest = rest.subarray(end);
      first = false;
    }
  };
}

/** What a driver asks for at one go. */
export type Request = { readonly text: string; readonly bytes: Buffer };

/** Puts a driver's messages together; gives a request when its last message is there. */
export type Assembler = (message: Message) => Request | null;

/** Knows the texts of the statements that were prepared on its connection. */
export function openAssembler(): Assembler {
  const prepared = new Map<string, string>();
  let text = "";
  let parts: Buffer[] = [];
  return ({ type, bytes }) => {
    parts.push(bytes);
    if (type === "P") {
      const [name, sql] = textsOf(bytes);
      prepared.set(name!, sql!);
      text = sql!;
    }
    if (type === "B") text = prepared.get(textsOf(bytes)[1]!) ?? text;
    if (type === "Q") text = textsOf(bytes)[0]!;
    if (!ENDS.includes(type)) return null;
    const request = { text, bytes: Buffer.concat(parts) };
    text = "";
    parts = [];
    return request;
  };
}

/** Messages that nothing follows until the server has answered; what is said at the beginning and at the end, too. */
const ENDS: readonly string[] = ["", "S", "Q", "p", "X"];

/** What a server's message tells of the request before it. */
export function isReady({ type }: Message): boolean {
  return type === "Z";
}

/** The statement failed. */
export function isFailure({ type }: Message): boolean {
  return type === "E";
}

/** Whether a ReadyForQuery says that no transaction is open. */
export function isIdle({ type, bytes }: Message): boolean {
  return type === "Z" && bytes[5] === IDLE;
}

const IDLE = "I".charCodeAt(0);

/** The texts that a message begins with, each up to its zero. */
function textsOf(bytes: Buffer): readonly string[] {
  return bytes.subarray(5).toString("latin1").split("\0", 2);
}
