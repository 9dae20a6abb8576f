/** Proof that tests run where runtimes.ts believes: a process that vitest starts could be another runtime's. */
import { runtimeTitle } from "./runtime-title.ts";

const wanted = process.env["STEPWELL_RUNTIME"];
if (wanted !== runtimeTitle()) throw new Error(`this is ${runtimeTitle()}, and should have been ${wanted}`);
