import Type from "typebox";
import { rfc2822 } from "../http/dates.ts";
import { NotFoundError } from "../http/errors.ts";
import { json, type Route, route } from "../http/route.ts";
import type { AccountRecord, ApiStore } from "../ports.ts";
import { ACCOUNT, accountUri } from "./prefix.ts";

export const ACCOUNT_SCHEMA = Type.Object(
  {
    sid: Type.String(),
    friendly_name: Type.String(),
    status: Type.Enum(["active", "suspended"]),
    type: Type.String(),
    owner_account_sid: Type.String(),
    auth_token: Type.Null({ description: "Secrets never come out" }),
    date_created: Type.String(),
    date_updated: Type.String(),
    uri: Type.String(),
    subresource_uris: Type.Record(Type.String(), Type.String()),
  },
  { title: "Account" },
);

/** Accounts/{AccountSid}.json */
export function accountRoutes({ store }: { store: ApiStore }): readonly Route[] {
  return [
    route({
      methods: ["GET"],
      path: `${ACCOUNT}.json`,
      tag: "Accounts",
      summary: "Fetch the account",
      answers: { 200: { description: "The account", schema: ACCOUNT_SCHEMA } },
      async handle({ principal, path }) {
        const account = await store.account(principal.accountSid);
        if (account === undefined) throw new NotFoundError(path);
        return json(showAccount(account));
      },
    }),
  ];
}

export function showAccount(account: AccountRecord): object {
  const { sid } = account;
  return {
    sid,
    friendly_name: account.friendlyName,
    status: account.status,
    type: "Full",
    owner_account_sid: sid,
    auth_token: null,
    date_created: rfc2822(account.dateCreated),
    date_updated: rfc2822(account.dateUpdated),
    uri: accountUri(sid, ".json"),
    subresource_uris: {
      calls: accountUri(sid, "/Calls.json"),
      incoming_phone_numbers: accountUri(sid, "/IncomingPhoneNumbers.json"),
      keys: accountUri(sid, "/Keys.json"),
    },
  };
}
