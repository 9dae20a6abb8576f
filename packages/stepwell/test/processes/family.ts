/** Family: child processes on one real file, told what to do and killed at the end. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Answer, Role } from "./child.ts";

/** One child. */
export type Member = {
  /** Have it do something, see DEEDS of child.ts. Rejects with what it threw, or when it ends. */
  readonly tell: <T = void>(deed: string, order?: unknown) => Promise<T>;
  /** SIGKILL; resolves when it has ended. */
  readonly kill: () => Promise<void>;
};

/** Children on a fresh file. */
export type Family = {
  readonly database: string;
  /** A new child with an open engine; `slots` makes it a worker. */
  readonly bear: (name: string, slots?: number) => Promise<Member>;
  /** A new child that has done nothing yet. */
  readonly spawn: (name: string) => Promise<Member>;
  /** Kill all and remove the file. */
  readonly end: () => Promise<void>;
};

/** No children yet. */
export function openFamily(): Family {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-processes-"));
  const database = join(folder, "shared.db");
  const members: Member[] = [];
  const spawn = async (name: string): Promise<Member> => {
    const member = spawnMember({ name, database });
    members.push(member);
    await member.tell("flushes");
    return member;
  };
  return {
    database,
    spawn,
    bear: async (name, slots) => {
      const member = await spawn(name);
      await member.tell("open", slots);
      return member;
    },
    end: async () => {
      await Promise.all(members.map((member) => member.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type Waiting = { readonly resolve: (answer: never) => void; readonly reject: (error: Error) => void };

function spawnMember(role: Role): Member {
  const child = fork(join(import.meta.dirname, "child.ts"), [JSON.stringify(role)], { execArgv: [] });
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  child.on("message", ({ number, answer, error }: Answer) => {
    const call = waiting.get(number);
    waiting.delete(number);
    if (error === undefined) call?.resolve(answer as never);
    else call?.reject(new Error(`${role.name}: ${error}`));
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  void ended.then(() => {
    for (const { reject } of waiting.values()) reject(new Error(`${role.name} has ended`));
  });
  return {
    tell: (deed, order) =>
      new Promise((resolve, reject) => {
        waiting.set((calls += 1), { resolve, reject });
        child.send({ number: calls, deed, order: order ?? null });
      }),
    kill: () => killed(child, ended),
  };
}

function killed(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill("SIGKILL");
  return ended;
}
