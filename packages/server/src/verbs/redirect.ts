import type { Redirect } from "@callfork/protocol/twiml";
import { END, type Executor } from "./context.ts";

/** Goes on with another document; nothing after it is reached. */
export const redirect: Executor<Redirect> = async (verb, { resolve, alert, call }) => {
  const url = resolve(verb.url);
  if (url !== undefined) return { kind: "goto", url, method: verb.method, parameters: [] };
  alert(11100, "error", `<Redirect>: "${verb.url}" is no URL`);
  await call.hangup({ sipStatus: 503 });
  return END;
};
