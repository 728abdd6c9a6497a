import type { Verb } from "@callfork/protocol/twiml";
import type { Executor, Step, VerbContext } from "./context.ts";
import { dial } from "./dial.ts";
import { hangup } from "./hangup.ts";
import { pause } from "./pause.ts";
import { play } from "./play.ts";
import { redirect } from "./redirect.ts";
import { reject } from "./reject.ts";
import { say } from "./say.ts";
import { start } from "./start.ts";
import { stop } from "./stop.ts";
import { unknown } from "./unknown.ts";

/** Every verb and what carries it out. */
export const VERBS: { readonly [Name in Verb["verb"]]: Executor<Extract<Verb, { readonly verb: Name }>> } = {
  Dial: dial,
  Hangup: hangup,
  Pause: pause,
  Play: play,
  Redirect: redirect,
  Reject: reject,
  Say: say,
  Start: start,
  Stop: stop,
  unknown,
};

export function execute(verb: Verb, context: VerbContext): Promise<Step> {
  return (VERBS[verb.verb] as Executor<Verb>)(verb, context);
}
