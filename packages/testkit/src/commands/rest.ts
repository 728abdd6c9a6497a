/** Credentials and base URL of a server's REST interface. */
export interface RestAccess {
  /** Without a trailing slash. */
  readonly url: string;
  readonly accountSid: string;
  readonly authToken: string;
}

/** The server said no; `message` is what it said. */
export class RestError extends Error {
  override readonly name = "RestError";
}

/** One request with form parameters; answers JSON. @throws RestError when the server refuses or cannot be reached */
export async function rest<T>(
  access: RestAccess,
  method: "GET" | "POST",
  path: string,
  form?: Readonly<Record<string, string>>,
): Promise<T> {
  const answer = await request(access, method, path, form);
  return (await answer.json()) as T;
}

/** The octets of a resource. @throws RestError */
export async function restBytes(access: RestAccess, path: string): Promise<Uint8Array> {
  const answer = await request(access, "GET", path);
  return new Uint8Array(await answer.arrayBuffer());
}

async function request(
  { url, accountSid, authToken }: RestAccess,
  method: "GET" | "POST",
  path: string,
  form?: Readonly<Record<string, string>>,
): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}` },
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
      signal: AbortSignal.timeout(15_000),
    });
  } catch (error) {
    const cause =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new RestError(`${url} cannot be reached (${cause}). Is "callfork serve" running?`);
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  throw new RestError(`${method} ${path}: ${answer.status} ${messageOf(text)}`);
}

function messageOf(text: string): string {
  try {
    const { message, code } = JSON.parse(text) as { message?: string; code?: number };
    return message === undefined ? text : `${message} (${code})`;
  } catch {
    return text.slice(0, 500);
  }
}
