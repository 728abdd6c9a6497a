import Type from "typebox";
import { rfc2822 } from "../http/dates.ts";
import { ForbiddenError, NotFoundError } from "../http/errors.ts";
import { text } from "../http/fields.ts";
import { PAGE_FIELDS, pageAsked, twilioPage, twilioPageSchema } from "../http/paging.ts";
import { json, NO_CONTENT, type Route, route } from "../http/route.ts";
import type { ApiStore, Principal } from "../ports.ts";
import { ACCOUNT } from "./prefix.ts";

const KEY = {
  sid: Type.String(),
  friendly_name: Type.String(),
  date_created: Type.String(),
  date_updated: Type.String(),
};
export const KEY_SCHEMA = Type.Object(KEY, { title: "Key" });
export const NEW_KEY_SCHEMA = Type.Object({ ...KEY, secret: Type.String() }, { title: "NewKey" });

interface KeyRow {
  readonly sid: string;
  readonly friendlyName: string;
  readonly dateCreated: number;
  readonly dateUpdated: number;
}

/** Keys.json: API keys, managed with the Auth Token only, so that a key cannot make itself successors. */
export function keyRoutes({ store }: { store: ApiStore }): readonly Route[] {
  const tag = "Keys";
  const all = `${ACCOUNT}/Keys.json`;
  const one = `${ACCOUNT}/Keys/:KeySid.json`;

  return [
    route({
      methods: ["POST"],
      path: all,
      tag,
      summary: "Make an API key; its secret is shown once",
      body: { FriendlyName: text({ code: 20002, max: 64 }) },
      answers: { 201: { description: "The key and its secret", schema: NEW_KEY_SCHEMA } },
      async handle({ principal, body }) {
        onlyWithAuthToken(principal);
        const { secret, ...key } = await store.createKey(principal.accountSid, body.FriendlyName ?? "");
        return json({ ...showKey({ ...key, dateUpdated: key.dateCreated }), secret }, 201);
      },
    }),
    route({
      methods: ["GET"],
      path: all,
      tag,
      summary: "List API keys",
      query: PAGE_FIELDS,
      answers: { 200: { description: "A page of keys", schema: twilioPageSchema("keys", KEY_SCHEMA) } },
      async handle({ principal, query, url }) {
        onlyWithAuthToken(principal);
        const asked = pageAsked(url, query);
        return json(twilioPage(asked, "keys", await store.keys(principal.accountSid, asked.window), showKey));
      },
    }),
    route({
      methods: ["GET"],
      path: one,
      tag,
      summary: "Fetch an API key, without its secret",
      answers: { 200: { description: "The key", schema: KEY_SCHEMA } },
      async handle({ principal, params, path }) {
        onlyWithAuthToken(principal);
        const key = await findKey(store, principal.accountSid, params.KeySid!);
        if (key === undefined) throw new NotFoundError(path);
        return json(showKey(key));
      },
    }),
    route({
      methods: ["DELETE"],
      path: one,
      tag,
      summary: "Revoke an API key",
      answers: { 204: { description: "Revoked" } },
      async handle({ principal, params, path }) {
        onlyWithAuthToken(principal);
        if (!(await store.deleteKey(principal.accountSid, params.KeySid!))) throw new NotFoundError(path);
        return NO_CONTENT;
      },
    }),
  ];
}

function onlyWithAuthToken(principal: Principal): void {
  if (principal.keySid !== null)
    throw new ForbiddenError("API keys are managed with the account's Auth Token only");
}

/** Keys are few: the list is read through. */
async function findKey(store: ApiStore, accountSid: string, sid: string): Promise<KeyRow | undefined> {
  const limit = 1000;
  for (let offset = 0; offset < 10 * limit; offset += limit) {
    const rows = await store.keys(accountSid, { offset, limit });
    const key = rows.find((row) => row.sid === sid);
    if (key !== undefined || rows.length < limit) return key;
  }
  return undefined;
}

function showKey(key: KeyRow): object {
  return {
    sid: key.sid,
    friendly_name: key.friendlyName,
    date_created: rfc2822(key.dateCreated),
    date_updated: rfc2822(key.dateUpdated),
  };
}
