/** Tests of the whole workspace; packages are read from their source, never from a build. */
import { defineConfig } from "vitest/config";

// Workers get these as flags, so "import" must not be among them: require() would be given modules that it cannot use.
const conditions = ["stepwell-source", "node"];

export default defineConfig({
  ssr: { resolve: { conditions } },
  resolve: { conditions },
  test: {
    // Machines are shared and noisy; a hang is told apart from slowness all the same.
    testTimeout: 20_000,
    expect: { poll: { timeout: 10_000 } },
    globalSetup: "./scripts/postgres/global-setup.ts",
    include: ["packages/*/test/**/*.test.ts", "series/**/*.test.ts", "bench/**/*.test.ts", "scripts/**/*.test.ts"],
    coverage: {
      include: ["packages/*/src/**/*.ts"],
      exclude: ["**/*.generated.ts"],
      reporter: [["text", { skipFull: true }]],
      // A glob is judged by the sum of its files. Host.ts is held by tests that are processes of their own, unseen here.
      thresholds: {
        "packages/stepwell/src/**": { lines: 95 },
        "packages/stepwell/src/model/**": { branches: 95 },
        "packages/stepwell/src/engine/**": { branches: 95 },
      },
    },
  },
});
