/**
 * Listen: who watches hears of what others have committed (S8).
 */
import type { Change } from "../store.ts";
import type { Session } from "./session.ts";

/** Tell others what has been committed here. */
export function tell(_session: Session, _change: Change): void {}
