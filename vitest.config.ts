/** Tests of the whole workspace; packages are read from their source, never from a build. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  ssr: { resolve: { conditions: ["stepwell-source", "node", "import", "default"] } },
  resolve: { conditions: ["stepwell-source", "node", "import", "default"] },
  test: {
    include: ["packages/*/test/**/*.test.ts", "series/**/*.test.ts", "bench/**/*.test.ts", "scripts/**/*.test.ts"],
  },
});
