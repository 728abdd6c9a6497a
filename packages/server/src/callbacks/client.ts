import { randomUUID } from "node:crypto";
import { createAddressGuard } from "./address-guard.ts";
import { checkedAddresses, SYSTEM_RESOLVER } from "./checked-addresses.ts";
import { WebhookError } from "./errors.ts";
import { type ExchangeContext, type ExchangeResponse, exchange } from "./exchange.ts";
import { type ConnectionPolicy, DEFAULT_POLICY, LONGEST_MS, readOverrides } from "./overrides.ts";
import { signRequest } from "./signature.ts";
import { formOf, readTarget, type Target, urlOf, withQuery } from "./target.ts";
import type { WebhookClient, WebhookClientOptions, WebhookRequest, WebhookResponse } from "./types.ts";

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const REDIRECT_LIMIT = 5;

/** @throws TypeError for an `allowedAddresses` entry that is no address or range */
export function createWebhookClient(options: WebhookClientOptions): WebhookClient {
  const guard = createAddressGuard(options.allowedAddresses);
  const resolver = options.resolver ?? SYSTEM_RESOLVER;
  const timeoutMs = Math.min(options.timeoutMs ?? LONGEST_MS, LONGEST_MS);
  const defaults: ConnectionPolicy = {
    ...DEFAULT_POLICY,
    connectTimeoutMs: Math.min(DEFAULT_POLICY.connectTimeoutMs, timeoutMs),
    readTimeoutMs: timeoutMs,
    totalTimeoutMs: timeoutMs,
  };
  let inFlight = 0;

  const run = async (request: WebhookRequest): Promise<WebhookResponse> => {
    const target = readTarget(request.url);
    const { policy, problem } = readOverrides(target.fragment, defaults);
    if (problem !== undefined) request.onInvalidOverrides?.(problem);
    const total = new AbortController();
    const timer = options.clock.setTimer(policy.totalTimeoutMs, () => {
      total.abort(new WebhookError("totalTimeout", `not done within ${policy.totalTimeoutMs} ms`));
    });
    const context: ExchangeContext = {
      clock: options.clock,
      policy,
      signal: request.signal === undefined ? total.signal : AbortSignal.any([total.signal, request.signal]),
      addressesOf: (each) => checkedAddresses(each, guard, resolver),
      certificateAuthorities: options.certificateAuthorities ?? [],
    };
    const attempt = oneTry(
      { ...request, idempotencyToken: request.idempotencyToken ?? randomUUID() },
      target,
      {
        ...context,
        userAgent: options.userAgent ?? "Callfork",
      },
    );
    try {
      return await withRetries(attempt, context);
    } finally {
      timer.cancel();
    }
  };

  return {
    get inFlight() {
      return inFlight;
    },
    request: async (request) => {
      request.signal?.throwIfAborted();
      inFlight += 1;
      try {
        return await run(request);
      } finally {
        inFlight -= 1;
      }
    },
  };
}

type Attempt = () => Promise<Omit<WebhookResponse, "tries">>;

async function withRetries(attempt: Attempt, { policy, signal }: ExchangeContext): Promise<WebhookResponse> {
  for (let tries = 1; ; tries++) {
    const mayRetry = tries <= policy.retries;
    try {
      const response = await attempt();
      if (mayRetry && retriesStatus(policy, response.status)) continue;
      return { ...response, tries };
    } catch (error) {
      if (signal.aborted || !mayRetry || !retriesFailure(policy, error)) throw error;
    }
  }
}

function retriesStatus({ retryOn }: ConnectionPolicy, status: number): boolean {
  if (status < 400) return false;
  return retryOn.includes("all") || retryOn.includes(status < 500 ? "4xx" : "5xx");
}

function retriesFailure({ retryOn }: ConnectionPolicy, error: unknown): boolean {
  const failure = error instanceof WebhookError ? error.failure : undefined;
  if (failure === "connectTimeout" || failure === "connectFailed")
    return retryOn.includes("ct") || retryOn.includes("all");
  if (failure === "readTimeout") return retryOn.includes("rt") || retryOn.includes("all");
  return failure === "connectionLost" && retryOn.includes("all");
}

/** The request and the redirects it is answered with. */
function oneTry(
  request: WebhookRequest,
  target: Target,
  context: ExchangeContext & { readonly userAgent: string },
): Attempt {
  const { method, parameters, authToken, idempotencyToken = "", maximumBytes } = request;
  const common = {
    accept: "*/*",
    // A body that is not encoded cannot unpack to more than was let in.
    "accept-encoding": "identity",
    "user-agent": context.userAgent,
    "i-twilio-idempotency-token": idempotencyToken,
  };
  const ask = (
    to: Target,
    authorization: string | undefined,
    form: WebhookRequest["parameters"] | undefined,
  ) => {
    const headers: Record<string, string> = {
      ...common,
      "x-twilio-signature": signRequest(authToken, urlOf(to), form ?? []),
    };
    if (authorization !== undefined) headers.authorization = authorization;
    if (form !== undefined) headers["content-type"] = "application/x-www-form-urlencoded";
    const body = form && formOf(form);
    return exchange(
      { target: to, method: form === undefined ? "GET" : "POST", headers, body, maximumBytes },
      context,
    );
  };
  return async () => {
    let at = method === "GET" ? withQuery(target, parameters) : target;
    let { authorization } = target;
    let response = await ask(at, authorization, method === "POST" ? parameters : undefined);
    for (let redirects = 1; ; redirects++) {
      const next = redirectOf(response, at);
      if (next === undefined) return answerOf(response, at);
      if (redirects > REDIRECT_LIMIT)
        throw new WebhookError(
          "redirects",
          `redirected more than ${REDIRECT_LIMIT} times, lastly by ${urlOf(at)}`,
        );
      // Credentials are for the server they were given for.
      authorization = next.authorization ?? (next.origin === at.origin ? authorization : undefined);
      at = next;
      response = await ask(at, authorization, undefined);
    }
  };
}

/** Where a response redirects to. Followed with GET and without the parameters, as Twilio does. */
function redirectOf(response: ExchangeResponse, at: Target): Target | undefined {
  const { location } = response.headers;
  if (!REDIRECTS.includes(response.status) || typeof location !== "string") return undefined;
  try {
    return readTarget(location, at);
  } catch (cause) {
    throw new WebhookError("redirects", `${urlOf(at)} redirects to what is no http or https URL`, { cause });
  }
}

function answerOf(response: ExchangeResponse, at: Target): Omit<WebhookResponse, "tries"> {
  const { status, headers, body, truncated } = response;
  const type = headers["content-type"];
  const contentType = typeof type === "string" ? type : (type?.[0] ?? "");
  return {
    status,
    contentType: contentType.replace(/;.*$/s, "").trim().toLowerCase(),
    body,
    truncated,
    url: urlOf(at),
  };
}
