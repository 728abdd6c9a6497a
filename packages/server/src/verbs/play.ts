import type { Play } from "@callfork/protocol/twiml";
import { type Executor, NEXT } from "./context.ts";

/** Plays a WAV file to the party; a call that rings is answered for it. A file that cannot be had is skipped. */
export const play: Executor<Play> = async (verb, { call, signal, audio, resolve, alert }) => {
  if (verb.digits !== undefined) {
    alert(
      12200,
      "warning",
      `line ${verb.line}: <Play digits> is not supported by this platform; it was skipped`,
    );
    return NEXT;
  }
  const url = resolve(verb.url);
  if (url === undefined) {
    alert(11100, "error", `<Play>: "${verb.url}" is no URL`);
    return NEXT;
  }
  const loaded = await audio.load({ accountSid: call.accountSid, callSid: call.sid, url, signal });
  if (loaded.ok) await call.play(loaded.value, verb.loop);
  else if (!signal.aborted)
    alert(loaded.error.code, "error", `<Play>: ${loaded.error.message}`, loaded.error.details);
  return NEXT;
};
