/**
 * Patience: reads that must succeed. A store that fails is asked again.
 */
import type { Deps } from "./deps.ts";

/** Pause before a failed read is tried again. */
const READ_AGAIN_MS = 100;

/** Read until the store answers. `what` could not be read, says the log meanwhile. */
export async function readPatiently<T>(deps: Deps, what: string, read: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      deps.log?.({ level: "warn", message: `${what} could not be read: ${String(error)}` });
      await new Promise<void>((resolve) => void deps.host.timer(READ_AGAIN_MS, resolve));
    }
  }
}
