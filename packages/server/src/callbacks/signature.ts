import { createHmac } from "node:crypto";

/**
 * The value of `X-Twilio-Signature`: HMAC-SHA1 under the auth token, in base64, over the URL followed by each form
 * parameter's name and value, sorted by name; the values of a repeated name are de-duplicated and sorted.
 *
 * @param url - as the receiver sees it: no user, password or fragment, no default port, "/" for an empty path
 * @param parameters - of a form body; none for GET, whose parameters stand in the URL
 */
export function signRequest(
  authToken: string,
  url: string,
  parameters: readonly (readonly [name: string, value: string])[],
): string {
  const values = new Map<string, Set<string>>();
  for (const [name, value] of parameters) {
    const known = values.get(name);
    if (known === undefined) values.set(name, new Set([value]));
    else known.add(value);
  }
  let text = url;
  for (const name of [...values.keys()].sort()) {
    for (const value of [...values.get(name)!].sort()) text += name + value;
  }
  return createHmac("sha1", authToken).update(text, "utf8").digest("base64");
}
