import { NotFoundError } from "../http/errors.ts";
import { json, type Route, route } from "../http/route.ts";
import type { CallTraces } from "../ports.ts";
import { V1 } from "./prefix.ts";

/** /v1/Calls/{CallSid}/Trace.json, on nodes that keep traces. */
export function traceRoutes({ trace }: { trace: CallTraces }): readonly Route[] {
  return [
    route({
      methods: ["GET"],
      path: `${V1}/Calls/:CallSid/Trace.json`,
      tag: "Traces",
      summary: "Every SIP message of a call and its forks, in order",
      answers: { 200: { description: "The trace", mediaType: "application/json" } },
      async handle({ principal, params, path }) {
        const found = await trace.trace(principal.accountSid, params.CallSid!);
        if (found === undefined) throw new NotFoundError(path);
        return json(found);
      },
    }),
  ];
}
