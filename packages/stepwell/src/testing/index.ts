/**
 * stepwell/testing: for those who test workflows, and for those who write a store of
 * their own. The former get a real engine with virtual time, crashes on demand, fakes and
 * assertions, for any test runner; the latter the suite that every store must pass.
 */
export { openTestEngine } from "./kit/test-engine.ts";
export type { NextProcess, TestEngine, TestEngineOptions, TestRunOptions } from "./kit/test-engine.ts";
export type { ComplaintCode } from "./kit/complaints.ts";
export type { FinishOptions } from "./kit/finish.ts";
export { timelineOf } from "./kit/timeline.ts";

export type { Kit } from "./conformance/scene.ts";
export { testStore } from "./conformance/store.ts";
export type * from "../store/store.ts";
