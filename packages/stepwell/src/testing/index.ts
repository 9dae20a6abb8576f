/**
 * stepwell/testing: for those who write a store of their own. The suite that every
 * store must pass, and the port that it is held to.
 */
export type { Kit } from "./conformance/scene.ts";
export { testStore } from "./conformance/store.ts";
export type * from "../store/store.ts";
