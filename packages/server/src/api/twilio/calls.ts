import type { CallControl, CallRecord, Calls, DocumentSource } from "../../calls/index.ts";
import { parseDateFilter } from "../http/dates.ts";
import { CallStateError, NotCompleteError, NotFoundError, ParameterError } from "../http/errors.ts";
import { choice, type Fields, text } from "../http/fields.ts";
import type { Form } from "../http/form.ts";
import { PAGE_FIELDS, pageAsked, twilioPage, twilioPageSchema } from "../http/paging.ts";
import { json, NO_CONTENT, type Route, route } from "../http/route.ts";
import type { ApiStore, CallFilter } from "../ports.ts";
import { CREATE_CALL_FIELDS, documentSource, requiredDocument, UPDATE_CALL_FIELDS } from "./call-fields.ts";
import { CALL_SCHEMA, showCall } from "./call-view.ts";
import { ACCOUNT } from "./prefix.ts";

const date = (description: string) => text({ code: 20422, max: 40, description });

const LIST_FIELDS = {
  ...PAGE_FIELDS,
  To: text({ code: 20422 }),
  From: text({ code: 20422 }),
  ParentCallSid: text({ code: 20422 }),
  Status: choice(
    ["queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"],
    { code: 20422 },
  ),
  StartTime: date("Answered on that day, or in that second"),
  "StartTime<": date("Answered at or before"),
  "StartTime>": date("Answered at or after"),
  EndTime: date("Ended on that day, or in that second"),
  "EndTime<": date("Ended at or before"),
  "EndTime>": date("Ended at or after"),
} as const satisfies Fields;

/** Calls.json and Calls/{CallSid}.json */
export function callRoutes({ store, calls }: { store: ApiStore; calls: Calls }): readonly Route[] {
  const tag = "Calls";
  const one = `${ACCOUNT}/Calls/:CallSid.json`;
  const found = { description: "The call", schema: CALL_SCHEMA };

  return [
    route({
      methods: ["POST"],
      path: `${ACCOUNT}/Calls.json`,
      tag,
      summary: "Place a call",
      body: CREATE_CALL_FIELDS,
      answers: { 201: found },
      async handle({ principal, body }) {
        const call = await calls.place({
          accountSid: principal.accountSid,
          to: body.To,
          from: body.From,
          source: requiredDocument(body),
          timeoutSeconds: body.Timeout ?? 60,
          timeLimitSeconds: body.TimeLimit ?? null,
          statusCallback: body.StatusCallback ?? null,
          statusCallbackMethod: body.StatusCallbackMethod ?? "POST",
          statusCallbackEvents: body.StatusCallbackEvent?.length ? body.StatusCallbackEvent : ["completed"],
          sipAuthUsername: body.SipAuthUsername ?? null,
          sipAuthPassword: body.SipAuthPassword ?? null,
        });
        return json(showCall(call), 201);
      },
    }),
    route({
      methods: ["GET"],
      path: `${ACCOUNT}/Calls.json`,
      tag,
      summary: "List calls, newest first",
      query: LIST_FIELDS,
      answers: { 200: { description: "A page of calls", schema: twilioPageSchema("calls", CALL_SCHEMA) } },
      async handle({ principal, query, search, url }) {
        const asked = pageAsked(url, query);
        const filter: CallFilter = {
          ...given("to", query.To),
          ...given("from", query.From),
          ...given("status", query.Status),
          ...given("parentCallSid", query.ParentCallSid),
          ...dateRange("start", search),
          ...dateRange("end", search),
        };
        const rows = await store.calls(principal.accountSid, filter, asked.window);
        return json(twilioPage(asked, "calls", rows, showCall));
      },
    }),
    route({
      methods: ["GET"],
      path: one,
      tag,
      summary: "Fetch a call",
      answers: { 200: found },
      async handle({ principal, params, path }) {
        return json(showCall(await knownCall(store, principal.accountSid, params.CallSid!, path)));
      },
    }),
    route({
      methods: ["POST"],
      path: one,
      tag,
      summary: "End a call, or give it another document",
      body: UPDATE_CALL_FIELDS,
      answers: { 200: found },
      async handle({ principal, params, body, path }) {
        const call = await knownCall(store, principal.accountSid, params.CallSid!, path);
        const control = calls.find(call.sid);
        const source = documentSource(body);
        if (body.Status !== undefined) await end(call, control, body.Status);
        else if (source !== undefined) redirect(control, source);
        return json(showCall(control?.record() ?? call));
      },
    }),
    route({
      methods: ["DELETE"],
      path: one,
      tag,
      summary: "Delete the record of a call that is over",
      answers: { 204: { description: "Deleted" } },
      async handle({ principal, params, path }) {
        const call = await knownCall(store, principal.accountSid, params.CallSid!, path);
        if (LIVE.has(call.status))
          throw new NotCompleteError(`Call ${call.sid} is ${call.status}; end it first`);
        if (!(await store.deleteCall(principal.accountSid, call.sid))) throw new NotFoundError(path);
        return NO_CONTENT;
      },
    }),
  ];
}

const LIVE: ReadonlySet<string> = new Set(["queued", "ringing", "in-progress"]);
const UNANSWERED: ReadonlySet<string> = new Set(["queued", "ringing"]);

/** The call of that account; 404 otherwise. */
export async function knownCall(
  store: ApiStore,
  accountSid: string,
  callSid: string,
  path: string,
): Promise<CallRecord> {
  const call = await store.call(accountSid, callSid);
  if (call === undefined) throw new NotFoundError(path);
  return call;
}

async function end(call: CallRecord, control: CallControl | undefined, wish: "canceled" | "completed") {
  if (control === undefined || control.ended)
    throw new CallStateError(`Call is not in-progress. Cannot end a call that is ${call.status}.`);
  const { status } = control.record();
  if (wish === "canceled" && !UNANSWERED.has(status))
    throw new CallStateError(`Call is ${status}. Only a call that is queued or ringing can be canceled.`);
  await control.hangup();
}

/** An inbound call may be redirected while it rings: its document is running already. */
function redirect(control: CallControl | undefined, source: DocumentSource): void {
  const record = control?.record();
  const running =
    record?.status === "in-progress" || (record?.status === "ringing" && record.direction === "inbound");
  if (control === undefined || control.ended || !running)
    throw new CallStateError("Call is not in-progress. Cannot redirect.");
  control.redirect(source);
}

function given<Name extends keyof CallFilter>(
  name: Name,
  value: string | undefined,
): { [N in Name]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { [N in Name]?: string };
}

/** `StartTime=`, `StartTime<=` and `StartTime>=`: the operator is part of the name. */
function dateRange(edge: "start" | "end", search: Form): CallFilter {
  const name = edge === "start" ? "StartTime" : "EndTime";
  const read = (key: string) => {
    const value = search.get(key)?.[0];
    if (value === undefined || value === "") return undefined;
    const range = parseDateFilter(value);
    if (range === undefined)
      throw new ParameterError(
        20422,
        `${key} must be a date or an instant, as in 2024-01-31 or 2024-01-31T12:00:00Z`,
      );
    return range;
  };
  const [on, before, after] = [read(name), read(`${name}<`), read(`${name}>`)];
  const from = Math.max(on?.from ?? Number.NEGATIVE_INFINITY, after?.from ?? Number.NEGATIVE_INFINITY);
  const to = Math.min(on?.to ?? Number.POSITIVE_INFINITY, before?.from ?? Number.POSITIVE_INFINITY);
  return {
    ...(from === Number.NEGATIVE_INFINITY ? {} : { [`${edge}TimeFrom`]: from }),
    ...(to === Number.POSITIVE_INFINITY ? {} : { [`${edge}TimeTo`]: to }),
  };
}
