import Type from "typebox";
import type {
  AuditEntry,
  Reconciliation,
  RecordingArchive,
  RetentionRule,
} from "../../recording-server/index.ts";
import { iso8601 } from "../http/dates.ts";
import { NotFoundError, ParameterError } from "../http/errors.ts";
import { integer, required, text } from "../http/fields.ts";
import { metaPage, metaPageSchema, PAGE_FIELDS, pageAsked } from "../http/paging.ts";
import { json, NO_CONTENT, type Route, route } from "../http/route.ts";
import { named, V1 } from "./prefix.ts";
import { instant } from "./recording-search.ts";

const textOrNull = Type.Union([Type.String(), Type.Null()]);

export const AUDIT_SCHEMA = Type.Object(
  {
    recording_sid: Type.String(),
    time: Type.String(),
    action: Type.Enum([
      "heard",
      "metadata-read",
      "exported",
      "held",
      "released",
      "deleted",
      "retention-deleted",
    ]),
    actor: Type.String(),
    address: textOrNull,
    detail: textOrNull,
  },
  { title: "AuditEntry" },
);

export const RETENTION_RULE_SCHEMA = Type.Object(
  {
    sid: Type.String(),
    account_sid: Type.String(),
    number: textOrNull,
    label: textOrNull,
    connector: textOrNull,
    retention_days: Type.Integer(),
    date_created: Type.String(),
    url: Type.String(),
  },
  { title: "RetentionRule" },
);

export const RECONCILIATION_SCHEMA = Type.Object(
  {
    start_date: Type.String(),
    end_date: Type.String(),
    checked: Type.Object({
      forks: Type.Integer(),
      recordings: Type.Integer(),
      files: Type.Integer(),
      folders: Type.Integer(),
    }),
    partial: Type.Boolean(),
    findings: Type.Array(
      Type.Object({
        kind: Type.String(),
        message: Type.String(),
        recording_sid: textOrNull,
        siprec_sid: textOrNull,
        call_id: textOrNull,
        label: textOrNull,
      }),
    ),
  },
  { title: "Reconciliation" },
);

/** How recordings are kept: who had to do with them, and how long they stay. */
export function archiveRoutes({
  archive,
  base,
}: {
  archive: RecordingArchive;
  base: () => string;
}): readonly Route[] {
  const tag = "Recordings";
  const rules = `${V1}/RetentionRules`;
  const show = (rule: RetentionRule) => showRule(rule, base());
  return [
    route({
      methods: ["GET"],
      path: `${V1}/Recordings/Reconciliation`,
      alias: `${V1}/Recordings/Reconciliation.json`,
      tag,
      summary: "What sources said they sent, held against what there is",
      query: {
        StartDate: text({
          code: 20422,
          max: 40,
          description: "From that day or instant on; default: a day ago",
        }),
        EndDate: text({ code: 20422, max: 40, description: "Up to that day or instant; default: now" }),
      },
      answers: { 200: { description: "Findings", schema: RECONCILIATION_SCHEMA } },
      async handle({ principal, query }) {
        const now = Date.now();
        const to = instant("EndDate", query.EndDate)?.to ?? now;
        const from = instant("StartDate", query.StartDate)?.from ?? to - DAY_MS;
        if (from > to) throw new ParameterError(20422, "StartDate is after EndDate");
        const found = await archive.reconcile(principal.accountSid, { from, to });
        return json(showReconciliation(found, { from, to }));
      },
    }),
    route({
      methods: ["GET"],
      path: `${V1}/Recordings/:RecordingSid/Audit`,
      alias: `${V1}/Recordings/:RecordingSid/Audit.json`,
      tag,
      summary: "Who heard, read, exported, held or deleted a recording, newest first",
      query: PAGE_FIELDS,
      answers: { 200: { description: "A page of entries", schema: metaPageSchema("audit", AUDIT_SCHEMA) } },
      async handle({ principal, params, query, url }) {
        const asked = pageAsked(url, query);
        const rows = await archive.audit(principal.accountSid, params.RecordingSid!, asked.window);
        return json(metaPage(asked, base(), "audit", rows, showEntry));
      },
    }),
    route({
      methods: ["GET"],
      path: rules,
      alias: `${rules}.json`,
      tag,
      summary: "List retention rules",
      query: PAGE_FIELDS,
      answers: {
        200: { description: "Rules", schema: metaPageSchema("retention_rules", RETENTION_RULE_SCHEMA) },
      },
      async handle({ principal, query, url }) {
        const asked = pageAsked(url, query);
        const all = await archive.retentionRules(principal.accountSid);
        const { offset, limit } = asked.window;
        return json(metaPage(asked, base(), "retention_rules", all.slice(offset, offset + limit), show));
      },
    }),
    route({
      methods: ["POST"],
      path: rules,
      alias: `${rules}.json`,
      tag,
      summary: "Keep some recordings longer or shorter",
      body: {
        RetentionDays: required(
          integer({ code: 20422, min: 0, max: 36_500, description: "Days after the end; 0: for ever" }),
        ),
        Number: text({ code: 20422, description: "Of a participant; * at its end stands for anything" }),
        Label: text({ code: 20422, description: "Of a track" }),
        Connector: text({ code: 20422, description: "That this node sent it by" }),
      },
      answers: { 201: { description: "The rule", schema: RETENTION_RULE_SCHEMA } },
      async handle({ principal, body }) {
        const { Number: number = null, Label: label = null, Connector: connectorName = null } = body;
        if (number === null && label === null && connectorName === null) {
          throw new ParameterError(20422, "Number, Label or Connector is required");
        }
        const { accountSid } = principal;
        if ((await archive.retentionRules(accountSid)).length >= MAX_RULES)
          throw new ParameterError(20422, `there may be ${MAX_RULES} rules at most`);
        const retentionDays = body.RetentionDays;
        const rule = { accountSid, number, label, connectorName, retentionDays };
        return json(show(await archive.addRetentionRule(rule)), 201);
      },
    }),
    route({
      methods: ["DELETE"],
      path: `${rules}/:RuleSid`,
      tag,
      summary: "Delete a retention rule; what it kept is looked at anew",
      answers: { 204: { description: "Deleted" } },
      async handle({ principal, params, path }) {
        if (!(await archive.deleteRetentionRule(principal.accountSid, named(params.RuleSid))))
          throw new NotFoundError(path);
        return NO_CONTENT;
      },
    }),
  ];
}

const MAX_RULES = 200;
const DAY_MS = 86_400_000;

function showReconciliation(
  { checked, findings, isPartial }: Reconciliation,
  { from, to }: { readonly from: number; readonly to: number },
): object {
  return {
    start_date: iso8601(from),
    end_date: iso8601(to),
    checked,
    partial: isPartial,
    findings: findings.map(({ kind, message, recordingSid, siprecSid, callId, label }) => ({
      kind,
      message,
      recording_sid: recordingSid,
      siprec_sid: siprecSid,
      call_id: callId,
      label,
    })),
  };
}

function showEntry({ recordingSid, time, action, actor, address, detail }: AuditEntry): object {
  return { recording_sid: recordingSid, time: iso8601(time), action, actor, address, detail };
}

function showRule(rule: RetentionRule, base: string): object {
  return {
    sid: rule.sid,
    account_sid: rule.accountSid,
    number: rule.number,
    label: rule.label,
    connector: rule.connectorName,
    retention_days: rule.retentionDays,
    date_created: iso8601(rule.dateCreated),
    url: `${base}${V1}/RetentionRules/${rule.sid}`,
  };
}
