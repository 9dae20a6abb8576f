/**
 * Codec: the properties of payloads, and fuzz of everything else that users write and the engine reads: durations,
 * names, versions, retry options, engine options, filters. Nothing crashes, hangs, or leaves a mark on
 * Object.prototype; what is refused has a code.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { openHost } from "../../packages/stepwell/src/engine/host.ts";
import { openEngine } from "../../packages/stepwell/src/engine/open.ts";
import { toSettings } from "../../packages/stepwell/src/engine/settings.ts";
import { DURATION_MS_MAX, parseDuration } from "../../packages/stepwell/src/model/duration.ts";
import { StepwellError } from "../../packages/stepwell/src/model/errors.ts";
import { compareVersions, parseVersion, parseWorkflowName } from "../../packages/stepwell/src/model/identity.ts";
import { encode } from "../../packages/stepwell/src/model/json.ts";
import { stepKey, type StepName } from "../../packages/stepwell/src/model/key.ts";
import { parseRetry, RETRY_DEFAULT } from "../../packages/stepwell/src/model/retry.ts";
import * as payload from "../../packages/stepwell/test/model/payload-properties.ts";
import { deepPart } from "./part.ts";

const HELP = `node scripts/deep/codec.ts [flags]

Try so many cases of each property. --seed repeats a run; 0 takes a fresh one, and says which.`;

/** One case may take so long on a busy machine. */
const CASE_MS_MAX = 2_000;
/** Then it hangs. */
const HANG_MS = 60_000;

/** What a caller may be told; anything else that is thrown is a crash. */
function refusedOr<T>(work: () => T, codes: readonly string[]): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof StepwellError && codes.includes(error.code)) return null;
    throw error;
  }
}

const db = new DatabaseSync(":memory:");
const echo = db.prepare("SELECT ?1 AS text");

/** The database gives every text back as it was. */
const SURVIVES_THE_DATABASE = fc.property(payload.ANY_VALUE, (any) => {
  const { text } = encode(any);
  assert.equal(echo.get(text)?.["text"], text);
});

const noisy = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(...Array.from("0123456789.mshdw -+e")) }),
  fc.stringMatching(/^\d{1,40}(\.\d{1,40})?(ms|[wdhms])(\d{1,4}(ms|[smhdw])){0,5}$/),
);

const DURATIONS = fc.property(fc.oneof(noisy, fc.double(), fc.anything()), (any) => {
  const ms = refusedOr(() => parseDuration(any as string, "x"), ["DURATION_INVALID"]);
  if (ms !== null) assert.ok(Number.isInteger(ms) && ms >= 0 && ms <= DURATION_MS_MAX && !Object.is(ms, -0));
});

const part = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.double(), fc.constantFrom("@a", "/", "%2F", ""));
const NAMES = fc.property(fc.oneof(part, fc.array(part), fc.anything()), (any) => {
  const key = refusedOr(() => stepKey(any as StepName, "x"), ["STEP_NAME_INVALID"]);
  if (key === null) return;
  assert.ok(key.length > 0 && key.length <= 200 && key.isWellFormed() && !key.startsWith("@"));
  const again = (Array.isArray(any) ? any : [any]).map(String);
  assert.deepEqual(
    key.split("/").map(decodeURIComponentOf),
    again.map((one) => (one === "-0" ? "0" : one)),
  );
});

/** Only what {@link stepKey} escapes. */
function decodeURIComponentOf(text: string): string {
  return text.replaceAll("%2F", "/").replaceAll("%25", "%");
}

const WORKFLOW_NAMES = fc.property(
  fc.oneof(noisy, fc.stringMatching(/^[a-z0-9_.-]{0,9}(\/[a-z0-9_.-]{0,9}){0,2}$/), fc.anything()),
  (any) => {
    const parsed = refusedOr(() => parseWorkflowName(any as string, "x"), ["WORKFLOW_INVALID"]);
    if (parsed === null) return;
    assert.deepEqual(parseWorkflowName(`${parsed.namespace}/${parsed.name}`, "x"), parsed);
  },
);

const versionText = fc
  .tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.stringMatching(/^(-[0-9a-c]{1,2}(\.[0-9a-c]{1,2}){0,2})?$/))
  .map(([major, minor, patch, rest]) => `${major}.${minor}.${patch}${rest}`);
const VERSIONS = fc.property(versionText, versionText, versionText, (a, b, c) => {
  const known = refusedOr(() => [a, b, c].map(parseVersion), ["WORKFLOW_INVALID"]);
  if (known === null) return;
  assert.equal(Math.sign(compareVersions(a, b)), -Math.sign(compareVersions(b, a)) + 0);
  if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) assert.ok(compareVersions(a, c) <= 0);
});

const OPTION_CODES = ["OPTION_UNKNOWN", "OPTION_INVALID", "DURATION_INVALID"];

/** Objects with these keys now and then, and any values. */
function optionsOf(...keys: readonly string[]): fc.Arbitrary<unknown> {
  const any = fc.oneof(fc.anything(), noisy, fc.double(), fc.integer());
  const known = fc.dictionary(fc.constantFrom(...keys, "__proto__", "constructor"), any, { maxKeys: 4 });
  return fc.oneof(known, known, fc.anything());
}

const RETRIES = fc.property(optionsOf("attempts", "backoff", "base", "max", "jitter"), (any) => {
  const policy = refusedOr(() => parseRetry(any as object, RETRY_DEFAULT, "x"), OPTION_CODES);
  if (policy !== null) assert.ok(policy.attemptsMax >= 1 && policy.baseMs <= policy.maxMs);
});

const host = openHost();
const SETTINGS = fc.property(
  optionsOf("workflows", "work", "actor", "lease", "hotWait", "lingerMax", "grace", "limits", "log"),
  (any) => {
    const settings = refusedOr(() => toSettings(host, any as object), OPTION_CODES);
    if (settings !== null) assert.ok(settings.leaseMs >= 100 && settings.concurrency >= 1);
  },
);

/** Filters go through to the database. */
async function openFilters() {
  const engine = await openEngine({ store: "sqlite::memory:" });
  const property = fc.asyncProperty(optionsOf("workflow", "state", "limit"), async (any) => {
    try {
      assert.deepEqual((await engine.list(any as object)).runs, []);
    } catch (error) {
      if (error instanceof StepwellError && [...OPTION_CODES, "WORKFLOW_INVALID"].includes(error.code)) return;
      throw error;
    }
  });
  return { property, close: () => engine.close() };
}

/** Kills this process when its beat stops: a loop that never ends cannot be stopped from inside. */
function watch(beat: Int32Array): Worker {
  return new Worker(
    `const { workerData } = require("node:worker_threads");
     let seen = -1;
     setInterval(() => {
       if (seen === workerData.beat[0]) {
         require("node:fs").writeSync(1, "FAIL  a case has not ended after ${HANG_MS} ms\\n");
         process.kill(process.pid, "SIGKILL");
       }
       seen = workerData.beat[0];
     }, ${HANG_MS});`,
    { eval: true, workerData: { beat } },
  );
}

/** The property, with a call before each case. */
function counted(property: fc.IProperty<never>, between: () => void): fc.IProperty<never> {
  return Object.assign(Object.create(property) as fc.IProperty<never>, {
    run: (value: never) => {
      between();
      return property.run(value);
    },
  });
}

const PROPERTIES: readonly (readonly [name: string, property: fc.IProperty<never>])[] = (
  [
    ["the first value is the replayed one", payload.COPY_IS_REPLAYED],
    ["plain and tagged values lose nothing", payload.NOTHING_IS_LOST],
    ["hostile values are stored faithfully or refused with a path", payload.FAITHFUL_OR_REFUSED],
    ["accessors that throw, cycles and functions are refused with a path", payload.TRAPS_ARE_REFUSED],
    ["any text is decoded or refused with a code", payload.DECODED_OR_REFUSED],
    ["the database gives back every text", SURVIVES_THE_DATABASE],
    ["durations are whole milliseconds or refused", DURATIONS],
    ["names of steps give keys that tell them apart, or are refused", NAMES],
    ["names of workflows are read or refused", WORKFLOW_NAMES],
    ["versions have one order", VERSIONS],
    ["retry options are a sound policy or refused", RETRIES],
    ["options of an engine are sound settings or refused", SETTINGS],
  ] as const
).map(([name, property]) => [name, property as fc.IProperty<never>]);

await deepPart({ help: HELP, flags: { cases: "100000", seed: "0" } }, async ({ whole, check, tell }) => {
  const numRuns = whole("cases", 1);
  const seed = whole("seed", 0) || Math.floor(Math.random() * 2 ** 31);
  const beat = new Int32Array(new SharedArrayBuffer(4));
  const watchdog = watch(beat);
  const filters = await openFilters();
  const prototype = Object.getOwnPropertyNames(Object.prototype).toSorted().join();
  let [cases, slowest] = [0, 0];
  const all = [
    ...PROPERTIES,
    ["filters of runs are answered or refused", filters.property as unknown as fc.IProperty<never>] as const,
  ];
  for (const [name, property] of all) {
    await check(name, async () => {
      let lastMs = performance.now();
      let slow = 0;
      const between = (): void => {
        beat[0]! += 1;
        cases += 1;
        slow = Math.max(slow, performance.now() - lastMs);
        lastMs = performance.now();
      };
      const details = await Promise.resolve(fc.check(counted(property, between), { numRuns, seed }));
      slowest = Math.max(slowest, slow);
      const marks = Object.getOwnPropertyNames(Object.prototype).toSorted().join();
      return [
        ...(details.failed ? [fc.defaultReportMessage(details) ?? "it failed"] : []),
        ...(slow > CASE_MS_MAX ? [`one case took ${slow.toFixed(0)} ms`] : []),
        ...(marks === prototype ? [] : [`Object.prototype has ${marks}`]),
      ];
    });
  }
  await filters.close();
  await watchdog.terminate();
  tell(`${cases} cases of ${all.length} properties, seed ${seed}; the slowest took ${slowest.toFixed(0)} ms`);
});
