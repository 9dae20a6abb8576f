/** Ways to break the good evidence about a run that went on after its end. */
import { failure, text } from "./a-stage.ts";
import { type Fault, story } from "./damage.ts";
import type { Draft } from "./an-evidence.ts";

const RUN = "sim/again r-1";

/** Its code begins once more, in the life that has the step's checkpoint. */
function startAgain(draft: Draft, key: string): void {
  const last = draft.witness.findLast((event) => event.run === RUN && event.kind === "start")!;
  draft.witness.push({ ...last, key });
}

/** At least one per invariant. */
export const GENERATION_FAULTS: readonly Fault[] = [
  [
    "I50",
    "a life has no end",
    (draft) => {
      const { history } = story(draft, 8);
      history.splice(
        history.findIndex(({ kind }) => kind === "ended"),
        1,
      );
    },
  ],
  ["I50", "its history has a gap", (draft) => void (story(draft, 8).history.at(-1)!.seq! += 1)],
  ["I51", "a step that was taken over is performed again", (draft) => startAgain(draft, "do-0")],
  [
    "I51",
    "a step that was taken over changes",
    (draft) => void (story(draft, 8).memory.checkpoints[0]!.value = text(0)),
  ],
  [
    "I51",
    "a step that it forgot is remembered",
    (draft) => void (story(draft, 8).memory.checkpoints[1]!.value = failure("x")),
  ],
  [
    "I52",
    "an acknowledged retry is nowhere",
    (draft) => {
      const asked = draft.requests.find(({ kind }) => kind === "retry")!;
      draft.requests.push({ ...asked, generation: 2 } as Draft["requests"][number]);
    },
  ],
  [
    "I53",
    "a run that completed has undone a step",
    (draft) => {
      const { checkpoints } = story(draft, 8).memory;
      checkpoints.push({ ...checkpoints[0]!, key: "@compensate/do-0", kind: "compensation" });
    },
  ],
];
