/**
 * Gather: what many ask in one turn of the event loop is asked of the server once.
 *
 * Whoever takes over 500 runs reads the memory of 500 runs, each for itself; one by one that were 500 round trips.
 */

/** Asked by one query at most, so that no answer is endless. */
const GATHER_MAX = 256;

type Caller<Key, Answer> = {
  readonly key: Key;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * A function for single keys, made of one for many.
 *
 * @param answerAll answers at the places of the keys; an Error among them fails that one alone
 */
export function gathered<Key, Answer>(
  answerAll: (keys: readonly Key[]) => Promise<readonly (Answer | Error)[]>,
): (key: Key) => Promise<Answer> {
  let waiting: Caller<Key, Answer>[] = [];
  const askAll = (): void => {
    const callers = waiting;
    waiting = [];
    for (let from = 0; from < callers.length; from += GATHER_MAX) {
      void answer(callers.slice(from, from + GATHER_MAX), answerAll);
    }
  };
  return (key) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(askAll);
      waiting.push({ key, resolve, reject });
    });
}

async function answer<Key, Answer>(
  callers: readonly Caller<Key, Answer>[],
  answerAll: (keys: readonly Key[]) => Promise<readonly (Answer | Error)[]>,
): Promise<void> {
  try {
    const answers = await answerAll(callers.map(({ key }) => key));
    for (const [place, { resolve, reject }] of callers.entries()) {
      const found = answers[place]!;
      if (found instanceof Error) reject(found);
      else resolve(found);
    }
  } catch (error) {
    for (const { reject } of callers) reject(error);
  }
}
