/**
 * stepwell/testing: for those who test workflows, and for those who write a store of
 * their own. The former get a real engine with virtual time, crashes on demand, fakes and
 * assertions, for any test runner; the latter the suite that every store must pass, and a
 * model to compare it with.
 */
export { openTestEngine } from "./kit/test-engine.ts";
export type { NextProcess, TestEngine, TestEngineOptions, TestRunOptions } from "./kit/test-engine.ts";
export type { ComplaintCode } from "./kit/complaints.ts";
export type { FinishOptions } from "./kit/finish.ts";
export { expectRun } from "./kit/expectation.ts";
export type { FailureMatch, RunExpectation, StepMatch } from "./kit/expectation.ts";
export { inputFactory } from "./kit/factory.ts";
export type { InputFactory, InputFactoryOptions, PartOf, Seeded } from "./kit/factory.ts";
export { killAfterEveryStep } from "./kit/kill.ts";
export type { KillOptions, KillReport, Trial } from "./kit/kill.ts";
export { fakeService } from "./kit/service.ts";
export type { AnyFake, Effect, FakeFunction, FakeService, ServiceCall, ServiceControls } from "./kit/service.ts";
export type { Fault } from "./kit/conduct.ts";
export { timelineOf } from "./kit/timeline.ts";

export type { Kit } from "./conformance/scene.ts";
export { testStore } from "./conformance/store.ts";
export { compareStores } from "./differential/differential.ts";
export type { Comparison, ComparisonOptions, Divergence } from "./differential/differential.ts";
export type { Tally } from "./differential/tally.ts";
export type { Contender } from "./differential/world.ts";
export { openModelStore } from "./model-store/model-store.ts";
export type { ModelStoreOptions } from "./model-store/model-store.ts";
export type * from "../store/store.ts";
