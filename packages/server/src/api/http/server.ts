import type { Socket } from "node:net";
import formbody from "@fastify/formbody";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Log, Metrics } from "../../observe/index.ts";
import type { Principal } from "../ports.ts";
import type { Gate } from "./auth.ts";
import { errorBody, errorHeaders, platformErrorOf } from "./error-body.ts";
import { InternalError, MalformedRequestError, MethodNotAllowedError, NotFoundError } from "./errors.ts";
import { type Fields, readFields } from "./fields.ts";
import { EMPTY_FORM, type Form, FormProblem, formOfJson, parseForm } from "./form.ts";
import { describeRoute, openApiDocument } from "./openapi.ts";
import type { Answer, Method, Route } from "./route.ts";

export interface HttpServerOptions {
  readonly routes: readonly Route[];
  readonly gate: Gate;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly bodyBytes: number;
  readonly version: string;
}

/** Below these every path asks for credentials, also one that does not exist. */
const GUARDED = /^\/(2010-04-01|v1)(\/|$)/;

const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

/** Fastify with our parsers, gate, errors and routes; not listening yet. */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const { routes, gate, log, metrics, bodyBytes } = options;
  const principals = new WeakMap<FastifyRequest, Principal>();

  const sendError = (request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply => {
    const known = platformErrorOf(error, bodyBytes) ?? new InternalError("unexpected", { cause: error });
    if (known.httpStatus >= 500)
      log.error({ error, method: request.method, route: request.routeOptions.url }, "request failed");
    return reply
      .code(known.httpStatus)
      .headers(errorHeaders(known))
      .type("application/json; charset=utf-8")
      .send(errorBody(known));
  };

  const app = Fastify({
    logger: false,
    bodyLimit: bodyBytes,
    requestTimeout: 30_000,
    forceCloseConnections: "idle",
    exposeHeadRoutes: true,
    routerOptions: { maxParamLength: 4096, querystringParser: () => ({}) },
    // The official clients send a bare "%" of a name as it is; what is no escape means itself.
    rewriteUrl: (request) => (request.url ?? "/").replace(/%(?![0-9A-Fa-f]{2})/g, "%25"),
    clientErrorHandler: (error, socket) => answerGarbage(error, socket),
    frameworkErrors: (error, request, reply) => {
      reply.headers(SECURITY_HEADERS);
      return sendError(request, reply, error);
    },
  });
  // Fields are read by `readFields`, which knows the published codes; schemas only describe.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler((error, request, reply) => sendError(request, reply, error));

  app.removeAllContentTypeParsers();
  // The parser must not throw: it is called from a stream's event. It hands over the problem instead.
  await app.register(formbody, { parser: (text) => parseForm(text) as unknown as Record<string, unknown> });
  app.addContentTypeParser("application/json", { parseAs: "string" }, (_request, text, done) =>
    done(null, formOfJson(text as string)),
  );
  await app.register(swagger, { openapi: openApiDocument(options.version) });

  app.addHook("onRequest", async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    const open = (request.routeOptions.config as { open?: boolean }).open === true;
    if (open || (request.is404 && !GUARDED.test(request.url))) return;
    const principal = await gate.admit({
      method: request.method,
      address: request.ip,
      authorization: request.headers.authorization,
      secFetchSite: headerText(request.headers["sec-fetch-site"]),
    });
    principals.set(request, principal);
  });

  app.addHook("onResponse", async (request, reply) => {
    const route = request.is404 ? "none" : (request.routeOptions.url ?? "none");
    const { method } = request;
    const status = reply.statusCode;
    metrics.httpRequestSeconds.observe({ method, route, status }, reply.elapsedTime / 1000);
    const fields = { method, route, status, durationMs: Math.round(reply.elapsedTime), address: request.ip };
    log[method === "GET" || method === "HEAD" ? "debug" : "info"](fields, "request answered");
  });

  const paths = routes.map((one) => ({ pattern: patternOf(one.path), methods: one.methods }));
  app.setNotFoundHandler((request) => {
    const path = pathOf(request.url);
    const allowed = new Set(
      paths.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods),
    );
    if (allowed.has("GET")) allowed.add("HEAD");
    throw allowed.size > 0 ? new MethodNotAllowedError([...allowed]) : new NotFoundError(path);
  });

  for (const one of routes) {
    for (const [path, hidden] of [
      [one.path, false],
      [one.alias, true],
    ] as const) {
      if (path === undefined) continue;
      app.route({
        method: [...one.methods],
        url: path,
        exposeHeadRoute: !one.methods.includes("HEAD"),
        schema: describeRoute(one, hidden),
        config: { open: one.open === true },
        handler: async (request, reply) => send(reply, await run(one, request, principals.get(request))),
      });
    }
  }
  await app.ready();
  return app;
}

const NOT_HTTP = { status: 400, phrase: "Bad Request", reason: "The request is not HTTP" };
const GARBAGE: Readonly<Record<string, typeof NOT_HTTP>> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    phrase: "Request Timeout",
    reason: "The request did not arrive in time",
  },
  HPE_HEADER_OVERFLOW: {
    status: 431,
    phrase: "Request Header Fields Too Large",
    reason: "The headers are too large",
  },
};

/** What did not even parse as HTTP: there is no request and no reply, only the socket. */
function answerGarbage(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const { status, phrase, reason } = GARBAGE[error.code ?? ""] ?? NOT_HTTP;
  const body = JSON.stringify({ ...errorBody(new MalformedRequestError(reason)), status });
  const head = [
    `HTTP/1.1 ${status} ${phrase}`,
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  if (socket.writable) socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  else socket.destroy();
}

async function run(one: Route, request: FastifyRequest, principal: Principal | undefined): Promise<Answer> {
  const path = pathOf(request.url);
  const params = request.params as Record<string, string>;
  // An account sees itself only; others are as good as not there.
  if (params.AccountSid !== undefined && params.AccountSid !== principal?.accountSid)
    throw new NotFoundError(path);
  const form = formOf(request.body);
  const search = formOf(parseForm(request.url.slice(path.length + 1)));
  return await one.handle({
    method: request.method as Method,
    principal: principal ?? { accountSid: "", keySid: null },
    params,
    body: readFields(one.body ?? NONE, form),
    query: readFields(one.query ?? NONE, search),
    form,
    search,
    path,
    url: request.url,
    headers: request.headers,
    address: request.ip,
  });
}

const NONE: Fields = {};

function formOf(body: unknown): Form {
  if (body instanceof FormProblem) throw new MalformedRequestError(body.message);
  return body instanceof Map ? (body as Form) : EMPTY_FORM;
}

function send(reply: FastifyReply, answer: Answer): FastifyReply {
  const { status, headers = {}, body } = answer;
  reply.code(status).headers(headers);
  if (body !== undefined && headers["content-type"] === undefined)
    reply.type("application/json; charset=utf-8");
  return reply.send(body);
}

const pathOf = (url: string): string => url.split("?", 1)[0] ?? url;

const headerText = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value;

/** `/Accounts/:AccountSid.json` as an expression that matches real paths. */
function patternOf(path: string): RegExp {
  const source = path
    .split(/(:[A-Za-z]+)/)
    .map((part) => (part.startsWith(":") ? "[^/]+" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return new RegExp(`^${source.join("")}$`);
}
