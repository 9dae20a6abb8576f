/** Two roles, as the guide has them: what the one that runs needs, and what is said when it lacks something. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { migrateUp, openEngine } from "../../../src/engine/open.ts";
import { signal } from "../../../src/engine/signal.ts";
import { workflow } from "../../../src/engine/workflow.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import { z } from "zod";
import { failureOf, sql, urlWith } from "./server.ts";

const GUIDE = readFileSync(join(import.meta.dirname, "../../../../../docs/guides/postgres.md"), "utf8");

/** The statements of a section. */
function statementsOf(section: string): readonly string[] {
  const [, text = ""] = GUIDE.split(`\n## ${section}\n`);
  const blocks = [...text.split("\n## ")[0]!.matchAll(/^```sql\n(.*?)^```/gms)].map(([, block]) => block!);
  return blocks
    .join("\n")
    .split(/;\n/)
    .filter((statement) => statement.trim() !== "");
}

const go = signal("go", z.number());

/** A bit of everything that an engine writes. */
const child = workflow("t/child", { version: "1.0.0" }, (ctx, n: number) => ctx.step("work", () => n * 2));
const parent = workflow("t/parent", { version: "1.0.0" }, async (ctx, n: number) => {
  let tries = 0;
  ctx.set({ number: n });
  ctx.progress({ half: true });
  const flaky = await ctx
    .step("flaky", () => {
      tries += 1;
      if (tries === 1) throw new Error("not yet");
      return n;
    })
    .retry({ attempts: 2, base: 1 });
  const received = await ctx.waitFor(go);
  return flaky + received.value + (await ctx.run("child", child, n));
});

describe("two roles", () => {
  const url = useFreshDatabase();
  const roles = { owner: "", app: "" };
  const as = (role: "owner" | "app"): string =>
    urlWith(url(), (changed) => {
      changed.username = roles[role];
      changed.password = "";
    });

  beforeEach(async () => {
    const database = new URL(url()).pathname.slice(1);
    [roles.owner, roles.app] = [`${database}_o`, `${database}_a`];
    const named = (text: string): string =>
      text.replaceAll("stepwell_owner", roles.owner).replaceAll("stepwell_app", roles.app);
    await sql(url(), ...statementsOf("Two roles").map(named));
    onTestFinished(async () => {
      await sql(
        url(),
        `DROP OWNED BY ${roles.owner} CASCADE`,
        `DROP OWNED BY ${roles.app}`,
        `DROP ROLE ${roles.owner}`,
        `DROP ROLE ${roles.app}`,
      );
    });
  });

  it("suffice: what one has migrated, the other can run", async () => {
    await migrateUp(as("owner"));
    const engine = await openEngine({ store: as("app"), workflows: [parent, child], log: () => {} });
    try {
      const run = await engine.start(parent, 3, { id: "r" });
      await run.signal(go, 4);
      expect(await run.result()).toBe(13);
      expect((await run.history()).length).toBeGreaterThan(5);
      expect((await engine.list({ attributes: { number: 3 } })).runs.map(({ id }) => id)).toEqual(["r"]);
    } finally {
      await engine.close();
    }
  });

  it("are told apart: the one that runs may not migrate", async () => {
    const failure = await failureOf(openPostgresStore(as("app")));
    expect(failure.code).toBe("STORE_RIGHTS_MISSING");
    expect(failure.message).toContain(
      'schema "stepwell" has to be migrated, and this role may not: permission denied for schema stepwell',
    );
  });

  it("are told which rights are missing, and what grants them", async () => {
    await migrateUp(as("owner"));
    await sql(
      as("owner"),
      `REVOKE INSERT, DELETE ON stepwell.runs FROM ${roles.app}`,
      `REVOKE INSERT ON stepwell.steps FROM ${roles.app}`,
    );
    const failure = await failureOf(openPostgresStore(as("app")));
    expect(failure.code).toBe("STORE_RIGHTS_MISSING");
    expect(failure.message).toContain(`role "${roles.app}" lacks INSERT on runs, steps; DELETE on runs`);
    const { grants } = failure.details as { readonly grants: readonly string[] };
    expect(failure.message).toContain(grants.join("; "));
    await sql(as("owner"), ...grants);
    await (await openPostgresStore(as("app"))).close();
  });

  it("are told when they may not even enter the schema", async () => {
    await migrateUp(as("owner"));
    await sql(url(), `REVOKE USAGE ON SCHEMA stepwell FROM ${roles.app}`);
    const failure = await failureOf(openPostgresStore(as("app")));
    expect(failure).toMatchObject({
      code: "STORE_RIGHTS_MISSING",
      details: { grants: [`GRANT USAGE ON SCHEMA "stepwell" TO "${roles.app}"`] },
    });
    expect(failure.message).toContain(`role "${roles.app}" may not use schema "stepwell"`);
  });

  it("which may not connect are told so", async () => {
    const database = new URL(url()).pathname.slice(1);
    await sql(url(), `REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`);
    const failure = await failureOf(openPostgresStore(as("app")));
    expect([failure.code, failure.message]).toEqual([
      "STORE_LOGIN_REFUSED",
      expect.stringContaining("permission denied for database"),
    ]);
  });

  it("a role may be given what a pooler does not pass on", async () => {
    const settings = statementsOf("Poolers").map((text) => text.replaceAll("stepwell_app", roles.app));
    expect(settings.length).toBeGreaterThan(3);
    await sql(url(), ...settings);
  });
});
