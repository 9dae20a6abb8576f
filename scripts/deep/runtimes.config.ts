/** Tests under another runtime: those of the workspace, and before each file a look at who runs it. */
import { join } from "node:path";
import { defineConfig, mergeConfig } from "vitest/config";
import workspace from "../../vitest.config.ts";

export default mergeConfig(
  workspace,
  defineConfig({
    root: join(import.meta.dirname, "../.."),
    test: { setupFiles: [join(import.meta.dirname, "runtime-proof.ts")] },
  }),
);
