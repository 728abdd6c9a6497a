import { isIP } from "node:net";
import { parseSipUri } from "@callfork/protocol/sip";
import { err, ok, type Result } from "@callfork/protocol/text";
import Type from "typebox";
import { readCertificateName } from "../../calls/index.ts";
import { iso8601 } from "../http/dates.ts";
import { defined } from "../http/defined.ts";
import { NotFoundError } from "../http/errors.ts";
import { checkedText, clearable, type Fields, list, required, text, type Values } from "../http/fields.ts";
import { metaPage, metaPageSchema, PAGE_FIELDS, pageAsked } from "../http/paging.ts";
import { json, NO_CONTENT, type Route, route } from "../http/route.ts";
import type { ApiStore, TrunkChange, TrunkView } from "../ports.ts";
import { CERTIFICATE_PROPERTIES, certificateChange, certificateFields, showIdentity } from "./certificate.ts";
import { uniqueName } from "./connectors.ts";
import { named, V1 } from "./prefix.ts";

const textOrNull = Type.Union([Type.String(), Type.Null()]);

export const TRUNK_SCHEMA = Type.Object(
  {
    sid: Type.String(),
    account_sid: Type.String(),
    unique_name: Type.String(),
    sip_uri: textOrNull,
    allowed_addresses: Type.Array(Type.String()),
    allowed_certificate_names: Type.Array(Type.String()),
    username: textOrNull,
    has_password: Type.Boolean(),
    ...CERTIFICATE_PROPERTIES,
    date_created: Type.String(),
    date_updated: Type.String(),
    url: Type.String(),
  },
  { title: "Trunk" },
);

/** An address, or a range in CIDR notation. */
export function addressRange(value: string): Result<string, string> {
  const [address = "", prefix, ...more] = value.split("/");
  const version = isIP(address);
  const bits = prefix === undefined ? 0 : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  return version !== 0 && more.length === 0 && bits <= (version === 4 ? 32 : 128)
    ? ok(value)
    : err(`holds "${value}", which is no address or CIDR range (192.0.2.7, 10.0.0.0/8, 2001:db8::/32)`);
}

/** Kept in the one spelling that calls compare. */
function certificateName(value: string): Result<string, string> {
  const name = readCertificateName(value);
  return name === undefined
    ? err(`holds "${value}", which no certificate can stand for (pbx.example.com, sip:pbx.example.com)`)
    : ok(name);
}

function trunkUri(value: string): Result<string, string> {
  const uri = parseSipUri(value);
  if (!uri.ok) return err(`"${value}" is not a SIP URI: ${uri.error.message}`);
  if (uri.value.headers.length > 0) return err('must not carry headers ("?…")');
  const transport = uri.value.params.get("transport")?.toLowerCase();
  const isSips = uri.value.scheme === "sips";
  if (transport === undefined || transport === "tls" || transport === "tcp") return ok(value);
  return transport === "udp" && !isSips
    ? ok(value)
    : err(`must go over ${isSips ? "TLS" : "UDP, TCP or TLS"}, not over ${transport}`);
}

const CHANGE_FIELDS = {
  UniqueName: uniqueName("TK"),
  SipUri: clearable(
    checkedText(
      { code: 13243, description: "Where calls to numbers go; without it the trunk is inbound only" },
      trunkUri,
    ),
  ),
  AllowedAddresses: list(
    checkedText({ code: 20422, max: 64, description: "Address or CIDR range" }, addressRange),
    {
      max: 256,
      separator: /[\s,]+/,
      description: "Who may send calls in; repeat, or separate by commas. Empty: nobody",
    },
  ),
  AllowedCertificateNames: list(
    checkedText(
      { code: 20422, max: 260, description: "SIP domain, or sip: URI without user" },
      certificateName,
    ),
    {
      max: 64,
      separator: /[\s,]+/,
      description: "Who may send calls in over TLS, wherever from, with a certificate for one of these names",
    },
  ),
  Username: clearable(text({ code: 20422, description: "For digest authentication" })),
  Password: clearable(text({ code: 20422, description: "For digest authentication; never shown" })),
  ...certificateFields(20422),
} as const satisfies Fields;

const CREATE_FIELDS = {
  ...CHANGE_FIELDS,
  UniqueName: required(CHANGE_FIELDS.UniqueName),
} as const satisfies Fields;

/** /v1/Trunks: who may send calls in, and where calls go out. */
export function trunkRoutes({ store, base }: { store: ApiStore; base: () => string }): readonly Route[] {
  const tag = "Trunks";
  const all = { path: `${V1}/Trunks`, alias: `${V1}/Trunks.json` };
  const one = `${V1}/Trunks/:SidOrName`;
  const show = (trunk: TrunkView) => showTrunk(trunk, base());
  const found = { description: "The trunk, without its password", schema: TRUNK_SCHEMA };

  return [
    route({
      methods: ["POST"],
      ...all,
      tag,
      summary: "Make a trunk",
      body: CREATE_FIELDS,
      answers: { 201: found },
      async handle({ principal, body }) {
        const wish = { ...change(body), uniqueName: body.UniqueName };
        return json(show(await store.createTrunk(principal.accountSid, wish)), 201);
      },
    }),
    route({
      methods: ["GET"],
      ...all,
      tag,
      summary: "List trunks",
      query: PAGE_FIELDS,
      answers: { 200: { description: "A page of trunks", schema: metaPageSchema("trunks", TRUNK_SCHEMA) } },
      async handle({ principal, query, url }) {
        const asked = pageAsked(url, query);
        const rows = await store.trunks(principal.accountSid, asked.window);
        return json(metaPage(asked, base(), "trunks", rows, show));
      },
    }),
    route({
      methods: ["GET"],
      path: one,
      tag,
      summary: "Fetch a trunk, by SID or unique name",
      answers: { 200: found },
      async handle({ principal, params, path }) {
        const trunk = await store.trunk(principal.accountSid, named(params.SidOrName));
        if (trunk === undefined) throw new NotFoundError(path);
        return json(show(trunk));
      },
    }),
    route({
      methods: ["POST"],
      path: one,
      tag,
      summary: "Change a trunk; an empty value clears",
      body: CHANGE_FIELDS,
      answers: { 200: found },
      async handle({ principal, params, body, path }) {
        const trunk = await store.updateTrunk(principal.accountSid, named(params.SidOrName), change(body));
        if (trunk === undefined) throw new NotFoundError(path);
        return json(show(trunk));
      },
    }),
    route({
      methods: ["DELETE"],
      path: one,
      tag,
      summary: "Delete a trunk; its live calls go on",
      answers: { 204: { description: "Deleted" } },
      async handle({ principal, params, path }) {
        if (!(await store.deleteTrunk(principal.accountSid, named(params.SidOrName))))
          throw new NotFoundError(path);
        return NO_CONTENT;
      },
    }),
  ];
}

function change(body: Values<typeof CHANGE_FIELDS>): TrunkChange {
  return defined({
    uniqueName: body.UniqueName,
    sipUri: body.SipUri,
    allowedAddresses: body.AllowedAddresses,
    allowedCertificateNames: body.AllowedCertificateNames && [...new Set(body.AllowedCertificateNames)],
    username: body.Username,
    password: body.Password,
    ...certificateChange(body, 20422),
  });
}

export function showTrunk(trunk: TrunkView, base: string): object {
  return {
    sid: trunk.sid,
    account_sid: trunk.accountSid,
    unique_name: trunk.uniqueName,
    sip_uri: trunk.sipUri,
    allowed_addresses: trunk.allowedAddresses,
    allowed_certificate_names: trunk.allowedCertificateNames,
    username: trunk.username,
    has_password: trunk.hasPassword,
    ...showIdentity(trunk),
    date_created: iso8601(trunk.dateCreated),
    date_updated: iso8601(trunk.dateUpdated),
    url: `${base}${V1}/Trunks/${trunk.sid}`,
  };
}
