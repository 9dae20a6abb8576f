/** The model store keeps the promises of every store. */
import { describe, expect, it } from "vitest";
import { codeOf, NOW } from "../../src/testing/conformance/scene.ts";
import { testStore } from "../../src/testing/conformance/store.ts";
import { openModelStore } from "../../src/testing/model-store/model-store.ts";

testStore("model", async () => openModelStore(), { describe, it, expect });

describe("a model store", () => {
  it("S3: takes the moment it is given, else its clock, else refuses", async () => {
    const store = openModelStore({ clock: () => NOW + 0.9 });
    const post = { kind: "signal", name: "", payload: "", actor: "", operationId: "" } as const;
    const identity = { namespace: "n", name: "w", version: "1.0.0" };
    const { versionId } = await store.ensureVersion(identity);
    const run = { versionId, id: "r", input: "1", inputHash: null, actor: "", seed: 1, parent: null, timeoutMs: null };
    await store.flush([{ kind: "insert_run", run, claimFor: null, owner: null }], null);
    expect(await store.findRun({ ...identity, id: "r" })).toMatchObject({ createdAtMs: NOW });
    const to = { ...identity, id: "r" };
    expect((await store.flush([{ kind: "post", to, item: post }], 5.9))[0]).toMatchObject({ atMs: 5 });
    expect(await openModelStore().flush([], null).catch(codeOf)).toBe("OPTION_INVALID");
    expect(await openModelStore().flush([], Number.NaN).catch(codeOf)).toBe("OPTION_INVALID");
  });

  it("answers nothing any more once it is closed", async () => {
    const store = openModelStore();
    await store.close();
    await store.close();
    expect(await store.listVersions().catch(codeOf)).toBe("ENGINE_CLOSED");
  });
});
