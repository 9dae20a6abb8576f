/** Ways to break the good evidence that concern transactions; see faults.ts. */
import { type Fault, story } from "./damage.ts";

const ROW = { run: "sim/order o-1", key: "charge", execution: 1 };

export const TX_FAULTS: readonly Fault[] = [
  ["I35", "rows were committed without their checkpoint", (draft) => void draft.rows.push({ ...ROW, part: 1 })],
  [
    "I35",
    "a checkpoint was committed with half of its rows",
    (draft) => {
      story(draft, 1).memory.checkpoints.find(({ key }) => key === "charge")!.kind = "tx";
      draft.rows.push({ ...ROW, part: 1 });
    },
  ],
  [
    "I35",
    "a transaction was committed twice",
    (draft) => {
      story(draft, 1).memory.checkpoints.find(({ key }) => key === "charge")!.kind = "tx";
      for (const execution of [1, 2]) for (const part of [1, 2]) draft.rows.push({ ...ROW, execution, part });
    },
  ],
  [
    "I36",
    "a transaction was committed without the run that it started",
    (draft) => void draft.rows.push({ ...ROW, part: 3 }),
  ],
  [
    "I36",
    "a run was started by a transaction that was taken back",
    (draft) => void draft.stories.push({ ...story(draft, 1), run: { ...story(draft, 1).run, id: "tx:o-1:charge" } }),
  ],
];
