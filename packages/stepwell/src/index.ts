/**
 * Stepwell: durable workflows as ordinary functions. This is the front door; what is
 * not exported here is nobody's business.
 */
export { handler, type Handler, type HandlerOptions, type StepContext } from "./engine/handler.ts";
export { signal, type Signal } from "./engine/signal.ts";
export {
  type Ctx,
  type EachOptions,
  type MapOptions,
  type RaceOutcome,
  type Received,
  type TimedOut,
  type Tx,
  type TxStartOptions,
  type TxStep,
  workflow,
  type Workflow,
  type WorkflowOptions,
} from "./engine/workflow.ts";
export type { StepDefaults } from "./engine/scope.ts";
export type { ChildChain, NamedChain, Settled, ShapedChain, StepChain, StepError, TxChain } from "./engine/chain.ts";
export { migrateDown, migrateUp, openEngine, type StoreOption } from "./engine/open.ts";
export type { ApprovalInfo, ApprovalList, ApprovalListFilter, Approvals, DecisionInfo } from "./engine/approvals.ts";
export type { Addressees, ApprovalOf, ApproveOptions, Escalation } from "./engine/approval-plan.ts";
export type { ApprovalRef, ApproveAnswer, Receipt, RefuseAnswer } from "./engine/decide.ts";
export type { ApprovalOutcome, ApprovalState, Decision } from "./model/approval.ts";
export type { Engine, StartOptions } from "./engine/engine.ts";
export type { WorkerInfo } from "./engine/fleet.ts";
export type { ListFilter, Moment, RunList } from "./engine/list.ts";
export type { BreakerInfo, Breakers, TouchOptions } from "./engine/breakers.ts";
export type { EngineOptions, LogEntry, WorkOptions } from "./engine/settings.ts";
export type { DecodedEvent, LongStep, RunHandle, RunOutcome, RunStatus, SignalOptions } from "./engine/handle.ts";
export {
  ERROR_CODES,
  type ErrorCode,
  PermanentError,
  RetryableError,
  RunFailed,
  StepwellError,
} from "./model/errors.ts";
export type { StepName } from "./model/key.ts";
export type { BreakerOptions, BreakerState } from "./model/breaker.ts";
export type { Duration } from "./model/duration.ts";
export type { RetryOptions } from "./model/retry.ts";
export type { AttributeChanges } from "./model/attributes.ts";
export type { Attributes, AttributeValue, RunState, Wait } from "./model/run.ts";
export type { StepKind, StepOutcome } from "./model/step.ts";
