import { setTimeout as delay } from "node:timers/promises";

/** Generous: a test that waits this long for what takes milliseconds has failed, however busy the machine is. */
export const PATIENCE_MS = 30_000;

/** Asks again and again until the answer is neither undefined nor false. @throws with `what` when time is up */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`${limitMs} ms passed without: ${what}`);
    await delay(25);
  }
}

/** The promise's value. @throws with `what` when it takes longer */
export async function within<T>(what: string, promise: Promise<T>, limitMs = PATIENCE_MS): Promise<T> {
  const over = new AbortController();
  const timeout = delay(limitMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(`${limitMs} ms passed without: ${what}`);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    over.abort();
    timeout.catch(() => {});
  }
}
