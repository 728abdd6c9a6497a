import Type from "typebox";
import { iso8601, parseDateFilter } from "../http/dates.ts";
import { defined } from "../http/defined.ts";
import { moreInfo } from "../http/error-body.ts";
import { NotFoundError, ParameterError } from "../http/errors.ts";
import { choice, type Fields, text } from "../http/fields.ts";
import { metaPage, metaPageSchema, PAGE_FIELDS, pageAsked } from "../http/paging.ts";
import { json, type Route, route } from "../http/route.ts";
import type { AlertRecord, ApiStore } from "../ports.ts";
import { named, V1 } from "./prefix.ts";

const textOrNull = Type.Union([Type.String(), Type.Null()]);

export const ALERT_SCHEMA = Type.Object(
  {
    sid: Type.String(),
    account_sid: Type.String(),
    log_level: Type.Enum(["error", "warning", "notice"]),
    error_code: Type.String(),
    alert_text: Type.String(),
    more_info: Type.String(),
    call_sid: textOrNull,
    resource_sid: textOrNull,
    request_method: textOrNull,
    request_url: textOrNull,
    request_variables: textOrNull,
    response_status: Type.Union([Type.Integer(), Type.Null()]),
    response_body: textOrNull,
    date_created: Type.String(),
    date_generated: Type.String(),
    date_updated: Type.String(),
    url: Type.String(),
  },
  { title: "Alert" },
);

const LIST_FIELDS = {
  ...PAGE_FIELDS,
  LogLevel: choice(["error", "warning", "notice"], { code: 20422 }),
  CallSid: text({ code: 20422 }),
  ResourceSid: text({ code: 20422, description: "The SR…, RE…, XE… or CA… it is about" }),
  StartDate: text({ code: 20422, max: 40, description: "From that day or instant on" }),
  EndDate: text({ code: 20422, max: 40, description: "Up to that day or instant, included" }),
} as const satisfies Fields;

/** /v1/Alerts: the debugger. Names as in Twilio's Monitor. */
export function alertRoutes({ store, base }: { store: ApiStore; base: () => string }): readonly Route[] {
  const tag = "Alerts";
  const show = (alert: AlertRecord) => showAlert(alert, base());

  return [
    route({
      methods: ["GET"],
      path: `${V1}/Alerts`,
      alias: `${V1}/Alerts.json`,
      tag,
      summary: "List alerts, newest first",
      query: LIST_FIELDS,
      answers: { 200: { description: "A page of alerts", schema: metaPageSchema("alerts", ALERT_SCHEMA) } },
      async handle({ principal, query, url }) {
        const asked = pageAsked(url, query);
        const filter = defined({
          level: query.LogLevel,
          callSid: query.CallSid,
          resourceSid: query.ResourceSid,
          from: instant("StartDate", query.StartDate)?.from,
          to: instant("EndDate", query.EndDate)?.to,
        });
        const rows = await store.alerts(principal.accountSid, filter, asked.window);
        return json(metaPage(asked, base(), "alerts", rows, show));
      },
    }),
    route({
      methods: ["GET"],
      path: `${V1}/Alerts/:AlertSid`,
      tag,
      summary: "Fetch an alert",
      answers: { 200: { description: "The alert", schema: ALERT_SCHEMA } },
      async handle({ principal, params, path }) {
        const alert = await store.alert(principal.accountSid, named(params.AlertSid));
        if (alert === undefined) throw new NotFoundError(path);
        return json(show(alert));
      },
    }),
  ];
}

function instant(name: string, value: string | undefined) {
  if (value === undefined) return undefined;
  const range = parseDateFilter(value);
  if (range === undefined)
    throw new ParameterError(
      20422,
      `${name} must be a date or an instant, as in 2024-01-31 or 2024-01-31T12:00:00Z`,
    );
  return range;
}

export function showAlert(alert: AlertRecord, base: string): object {
  const date = iso8601(alert.dateCreated);
  return {
    sid: alert.sid,
    account_sid: alert.accountSid,
    log_level: alert.level,
    error_code: String(alert.errorCode),
    alert_text: alert.text,
    more_info: moreInfo(alert.errorCode),
    call_sid: alert.callSid ?? null,
    resource_sid: alert.resourceSid ?? null,
    request_method: alert.requestMethod ?? null,
    request_url: alert.requestUrl ?? null,
    request_variables: alert.requestVariables ?? null,
    response_status: alert.responseStatus ?? null,
    response_body: alert.responseBody ?? null,
    date_created: date,
    date_generated: date,
    date_updated: date,
    url: `${base}${V1}/Alerts/${alert.sid}`,
  };
}
