import { CRYPTO_SUITES, type CryptoSuite } from "@callfork/protocol/sdp";
import { parseConnectorUri, RECORDING_NAMESPACE } from "@callfork/protocol/siprec";
import { err, ok, type Result } from "@callfork/protocol/text";
import Type from "typebox";
import { unknownPlaceholders } from "../../calls/index.ts";
import { iso8601 } from "../http/dates.ts";
import { defined } from "../http/defined.ts";
import { NotFoundError, ParameterError } from "../http/errors.ts";
import {
  checkedText,
  choice,
  clearable,
  type Fields,
  integer,
  list,
  required,
  text,
  url,
  type Values,
} from "../http/fields.ts";
import { metaPage, metaPageSchema, PAGE_FIELDS, pageAsked } from "../http/paging.ts";
import { json, NO_CONTENT, type Route, route } from "../http/route.ts";
import type { ApiStore, ConnectorChange, ConnectorView } from "../ports.ts";
import { CERTIFICATE_PROPERTIES, certificateChange, certificateFields, showIdentity } from "./certificate.ts";
import { named, V1 } from "./prefix.ts";

const textOrNull = Type.Union([Type.String(), Type.Null()]);

const PROFILES = [
  "generic",
  "google-agent-assist",
  "dynamics-365",
  "amazon-chime",
  "sbc-recorder",
  "callfork",
] as const;

export const CONNECTOR_SCHEMA = Type.Object(
  {
    sid: Type.String(),
    account_sid: Type.String(),
    unique_name: Type.String(),
    sip_uris: Type.Array(Type.String(), { description: "In the order in which they are tried" }),
    credentials_header_name: textOrNull,
    has_credentials: Type.Boolean(),
    username: textOrNull,
    has_password: Type.Boolean(),
    ...CERTIFICATE_PROPERTIES,
    profile: Type.Enum([...PROFILES]),
    edge: textOrNull,
    headers: Type.Array(Type.String()),
    parameters: Type.Array(Type.String()),
    codecs: Type.Array(Type.String()),
    crypto_suites: Type.Array(Type.String()),
    options_first: Type.Boolean(),
    parameter_transport: Type.Enum(["metadata", "headers", "both"]),
    extension_namespace: textOrNull,
    call_data: Type.Boolean(),
    options_interval: Type.Union([Type.Integer(), Type.Null()], { description: "Seconds" }),
    parallel: Type.Array(Type.String(), { description: "Connectors that record beside this one" }),
    policy: Type.Enum(["optional", "mandatory"]),
    on_unrecorded: Type.Enum(["continue", "announce", "end-call"]),
    unrecorded_limit: Type.Union([Type.Integer(), Type.Null()], { description: "Seconds" }),
    announcement_url: textOrNull,
    recorder_starts: Type.Boolean(),
    packet_batching: Type.Boolean(),
    date_created: Type.String(),
    date_updated: Type.String(),
    url: Type.String(),
  },
  { title: "Connector" },
);

/** Headers that SIP itself needs: a connector's credentials must not take their place. */
const OWN_HEADERS = new Set(
  (
    "via from to call-id cseq contact max-forwards route record-route require supported content-type " +
    "content-length content-disposition content-encoding authorization proxy-authorization allow accept " +
    "user-agent session-id session-expires min-se mime-version v f t i m l c k e x"
  ).split(" "),
);

function headerName(name: string): Result<string, string> {
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
    return err("must be a SIP header name, as in X-Auth-Token");
  return OWN_HEADERS.has(name.toLowerCase()) ? err("names a header that SIP itself needs") : ok(name);
}

function recorderUri(value: string): Result<string, string> {
  const uri = parseConnectorUri(value);
  if (!uri.ok) return err(`"${value}" is not a recorder's SIP URI: ${uri.error.message}`);
  return ok(value);
}

/** `Name: template`. */
function headerTemplate(line: string): Result<string, string> {
  const at = line.indexOf(":");
  const [name, template] = [line.slice(0, Math.max(0, at)), line.slice(at + 1).trim()];
  const checked = headerName(name);
  if (!checked.ok)
    return at < 0 ? err('must be a name, a colon and a value, as in "X-Call: {CallSid}"') : checked;
  return template === "" ? err("needs a value behind the colon") : sound(line, template);
}

/** `Name=template`. */
function parameterTemplate(line: string): Result<string, string> {
  const at = line.indexOf("=");
  if (at < 1) return err('must be a name, an equals sign and a value, as in "Callee={To}"');
  return sound(line, line.slice(at + 1));
}

function sound(line: string, template: string): Result<string, string> {
  const [unknown] = unknownPlaceholders(template);
  return unknown === undefined ? ok(line) : err(`names {${unknown}}, which nothing is known of`);
}

const codecName = (name: string): Result<string, string> =>
  /^[A-Za-z0-9._-]+$/.test(name) ? ok(name) : err("must be the name of a codec, as in PCMU");

function cryptoSuite(name: string): Result<CryptoSuite, string> {
  const known = Object.keys(CRYPTO_SUITES) as CryptoSuite[];
  const suite = known.find((one) => one === name);
  return suite === undefined ? err(`must be one of ${known.join(", ")}`) : ok(suite);
}

/** A namespace is a URI; the recording namespace itself may hold nothing of ours (RFC 7865 §9, `##other`). */
function namespace(value: string): Result<string, string> {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"]+$/.test(value)) return err("must be a URI");
  return value === RECORDING_NAMESPACE ? err("must not be that of RFC 7865") : ok(value);
}

/** A unique name must not look like a SID, because both stand at the same place of a path. */
export function uniqueName(prefix: string) {
  return checkedText(
    { code: 20422, max: 255, description: "Unique within the account" },
    (name): Result<string, string> =>
      new RegExp(`^${prefix}[0-9a-f]{32}$`, "i").test(name) ? err("must not look like a SID") : ok(name),
  );
}

const CHANGE_FIELDS = {
  UniqueName: uniqueName("XE"),
  SipUri: list(checkedText({ code: 31942, description: "Session recording server" }, recorderUri), {
    max: 10,
    description: "Repeat for an ordered fail-over list",
  }),
  CredentialsHeaderName: clearable(
    checkedText(
      { code: 31942, max: 128, description: "SIP header that carries the credentials" },
      headerName,
    ),
  ),
  Credentials: clearable(text({ code: 31942, max: 1024, description: "Value of that header; never shown" })),
  Username: clearable(text({ code: 31942, description: "For digest authentication" })),
  Password: clearable(text({ code: 31942, description: "For digest authentication; never shown" })),
  ...certificateFields(31942),
  Profile: choice(PROFILES, { code: 20422, description: "Kind of recorder: gives what is not set here" }),
  Edge: clearable(text({ code: 11241, max: 64, description: "Edge that its sessions leave from" })),
  Header: list(checkedText({ code: 31942, max: 1024 }, headerTemplate), {
    max: 20,
    description: "Header fields of each INVITE, as in `X-Call: {CallSid}`",
  }),
  DefaultParameter: list(checkedText({ code: 20422, max: 1024 }, parameterTemplate), {
    max: 20,
    description: "Custom parameters that a fork has unless it is started with others, as in `Callee={To}`",
  }),
  Codec: list(checkedText({ code: 20422, max: 32 }, codecName), {
    max: 16,
    separator: /[\s,]+/,
    description:
      "Codecs that are offered, where the call is or can become them; empty: those of the call, then others",
  }),
  CryptoSuite: list(checkedText({ code: 20422, max: 64 }, cryptoSuite), {
    max: 8,
    separator: /[\s,]+/,
    description: "SRTP suites that are offered; empty: all",
  }),
  OptionsFirst: choice(["true", "false"], {
    code: 20422,
    description: "Ask by OPTIONS before an INVITE, unless the recorder has answered one lately",
  }),
  ParameterTransport: choice(["metadata", "headers", "both"], {
    code: 20422,
    description: "Where custom parameters go: into the metadata, into header fields of the INVITE, or both",
  }),
  ExtensionNamespace: clearable(
    checkedText({ code: 20422, description: "Namespace of ExtensionParameters in the metadata" }, namespace),
  ),
  PacketBatching: choice(["true", "false"], {
    code: 20422,
    description: "Up to five packets of a track may wait for each other, 95 ms at most; default true",
  }),
  CallData: choice(["true", "false"], {
    code: 20422,
    description: "Adds call SID, direction, numbers and trunk to the metadata",
  }),
  OptionsInterval: clearable(
    integer({
      code: 20422,
      min: 5,
      max: 3600,
      description: "Seconds between two OPTIONS to each recorder; those that do not answer are called last",
    }),
  ),
  Parallel: list(text({ code: 20422, description: "Unique name of another connector" }), {
    max: 4,
    description: "Connectors that record beside this one whenever it is asked for; empty: none",
  }),
  Policy: choice(["optional", "mandatory"], {
    code: 20422,
    description: "Whether a call has to be recorded here",
  }),
  OnUnrecorded: choice(["continue", "announce", "end-call"], {
    code: 20422,
    description: "Mandatory, and no recorder takes it: what becomes of the call",
  }),
  UnrecordedLimit: clearable(
    integer({
      code: 20422,
      min: 1,
      max: 3600,
      description:
        "Seconds that a call may go unrecorded before that; empty: until all recorders have failed",
    }),
  ),
  AnnouncementUrl: clearable(url(20422)),
  RecorderStarts: choice(["true", "false"], {
    code: 20422,
    description: "Its recorders may start sessions by themselves",
  }),
} as const satisfies Fields;

const CREATE_FIELDS = {
  ...CHANGE_FIELDS,
  UniqueName: required(CHANGE_FIELDS.UniqueName),
  SipUri: required(CHANGE_FIELDS.SipUri),
} as const satisfies Fields;

/** /v1/Connectors: named recorders. */
export function connectorRoutes({
  store,
  base,
  isEdge,
}: {
  store: ApiStore;
  base: () => string;
  isEdge: (name: string) => boolean;
}): readonly Route[] {
  const checked = (body: Values<typeof CHANGE_FIELDS>): ConnectorChange => {
    const inUris = (body.SipUri ?? []).flatMap((text) => {
      const uri = parseConnectorUri(text);
      return uri.ok && uri.value.edge !== undefined ? [uri.value.edge] : [];
    });
    for (const name of body.Edge ? [body.Edge, ...inUris] : inUris) {
      if (!isEdge(name)) throw new ParameterError(11241, `This node has no edge "${name}"`);
    }
    return change(body);
  };
  const tag = "Connectors";
  const all = { path: `${V1}/Connectors`, alias: `${V1}/Connectors.json` };
  const one = `${V1}/Connectors/:SidOrName`;
  const show = (connector: ConnectorView) => showConnector(connector, base());
  const found = { description: "The connector, without its secrets", schema: CONNECTOR_SCHEMA };

  return [
    route({
      methods: ["POST"],
      ...all,
      tag,
      summary: "Name a recorder",
      body: CREATE_FIELDS,
      answers: { 201: found },
      async handle({ principal, body }) {
        const { UniqueName, SipUri } = body;
        const wish = { ...checked(body), uniqueName: UniqueName, sipUris: atLeastOne(SipUri) };
        return json(show(await store.createConnector(principal.accountSid, wish)), 201);
      },
    }),
    route({
      methods: ["GET"],
      ...all,
      tag,
      summary: "List connectors",
      query: PAGE_FIELDS,
      answers: {
        200: { description: "A page of connectors", schema: metaPageSchema("connectors", CONNECTOR_SCHEMA) },
      },
      async handle({ principal, query, url }) {
        const asked = pageAsked(url, query);
        const rows = await store.connectors(principal.accountSid, asked.window);
        return json(metaPage(asked, base(), "connectors", rows, show));
      },
    }),
    route({
      methods: ["GET"],
      path: one,
      tag,
      summary: "Fetch a connector, by SID or unique name",
      answers: { 200: found },
      async handle({ principal, params, path }) {
        const connector = await store.connector(principal.accountSid, named(params.SidOrName));
        if (connector === undefined) throw new NotFoundError(path);
        return json(show(connector));
      },
    }),
    route({
      methods: ["POST"],
      path: one,
      tag,
      summary: "Change a connector; an empty value clears",
      body: CHANGE_FIELDS,
      answers: { 200: found },
      async handle({ principal, params, body, path }) {
        const sidOrName = named(params.SidOrName);
        const connector = await store.updateConnector(principal.accountSid, sidOrName, checked(body));
        if (connector === undefined) throw new NotFoundError(path);
        return json(show(connector));
      },
    }),
    route({
      methods: ["DELETE"],
      path: one,
      tag,
      summary: "Delete a connector; forks that run go on",
      answers: { 204: { description: "Deleted" } },
      async handle({ principal, params, path }) {
        if (!(await store.deleteConnector(principal.accountSid, named(params.SidOrName))))
          throw new NotFoundError(path);
        return NO_CONTENT;
      },
    }),
  ];
}

function atLeastOne(uris: readonly string[]): readonly string[] {
  if (uris.length === 0) throw new ParameterError(31942, "SipUri is required");
  return uris;
}

function change(body: Values<typeof CHANGE_FIELDS>): ConnectorChange {
  const settings = defined({
    profile: body.Profile,
    edge: body.Edge === null ? null : body.Edge?.toLowerCase(),
    headers: body.Header,
    parameters: body.DefaultParameter,
    codecs: body.Codec,
    cryptoSuites: body.CryptoSuite,
    optionsFirst: body.OptionsFirst && body.OptionsFirst === "true",
    parameterTransport: body.ParameterTransport,
    extensionNamespace: body.ExtensionNamespace,
    callData: body.CallData && body.CallData === "true",
    optionsIntervalSeconds: body.OptionsInterval,
    parallel: body.Parallel,
    policy: body.Policy,
    onUnrecorded: body.OnUnrecorded,
    unrecordedLimitSeconds: body.UnrecordedLimit,
    announcementUrl: body.AnnouncementUrl,
    packetBatching: body.PacketBatching === undefined ? undefined : body.PacketBatching !== "false",
    recorderStarts: body.RecorderStarts && body.RecorderStarts === "true",
  });
  return defined({
    ...(Object.keys(settings).length > 0 && { settings }),
    uniqueName: body.UniqueName,
    sipUris: body.SipUri === undefined ? undefined : atLeastOne(body.SipUri),
    credentialsHeaderName: body.CredentialsHeaderName,
    credentials: body.Credentials,
    username: body.Username,
    password: body.Password,
    ...certificateChange(body, 31942),
  });
}

export function showConnector(connector: ConnectorView, base: string): object {
  return {
    sid: connector.sid,
    account_sid: connector.accountSid,
    unique_name: connector.uniqueName,
    sip_uris: connector.sipUris,
    credentials_header_name: connector.credentialsHeaderName,
    has_credentials: connector.hasCredentials,
    username: connector.username,
    has_password: connector.hasPassword,
    ...showIdentity(connector),
    profile: connector.settings.profile,
    edge: connector.settings.edge,
    headers: connector.settings.headers,
    parameters: connector.settings.parameters,
    codecs: connector.settings.codecs,
    crypto_suites: connector.settings.cryptoSuites,
    options_first: connector.settings.optionsFirst,
    parameter_transport: connector.settings.parameterTransport,
    extension_namespace: connector.settings.extensionNamespace,
    call_data: connector.settings.callData,
    options_interval: connector.settings.optionsIntervalSeconds,
    parallel: connector.settings.parallel,
    policy: connector.settings.policy,
    on_unrecorded: connector.settings.onUnrecorded,
    unrecorded_limit: connector.settings.unrecordedLimitSeconds,
    announcement_url: connector.settings.announcementUrl,
    recorder_starts: connector.settings.recorderStarts,
    packet_batching: connector.settings.packetBatching,
    date_created: iso8601(connector.dateCreated),
    date_updated: iso8601(connector.dateUpdated),
    url: `${base}${V1}/Connectors/${connector.sid}`,
  };
}
