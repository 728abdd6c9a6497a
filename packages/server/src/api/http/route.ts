import type { Readable } from "node:stream";
import type { TSchema } from "typebox";
import type { Principal } from "../ports.ts";
import type { Fields, Values } from "./fields.ts";
import type { Form } from "./form.ts";

export type Method = "GET" | "HEAD" | "POST" | "DELETE";

/** A request as a handler sees it: who asks, and every parameter checked. */
export interface Ask<Body extends Fields, Query extends Fields> {
  readonly method: Method;
  readonly principal: Principal;
  /** Percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly body: Values<Body>;
  readonly query: Values<Query>;
  /** The whole body, for parameters that have no fixed name. */
  readonly form: Form;
  /** The whole query. */
  readonly search: Form;
  /** Path without query, as it came. */
  readonly path: string;
  /** Path and query, as they came. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Where the request came from: an IP address. */
  readonly address: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Objects become JSON; text and streams leave as they are, with the headers' content-type. */
  readonly body?: object | string | Readable;
}

export interface AnswerSchema {
  readonly description: string;
  /** JSON, where there is any. */
  readonly schema?: TSchema;
  /** The media type, where it is not JSON. */
  readonly mediaType?: string;
}

export interface Route {
  readonly methods: readonly Method[];
  readonly path: string;
  /** Another spelling of the path, left out of /openapi.json. */
  readonly alias?: string;
  readonly tag: string;
  readonly summary: string;
  /** Needs no credentials. */
  readonly open?: boolean;
  readonly body?: Fields;
  /** JSON Schema of body fields whose names follow a pattern. */
  readonly bodyPatterns?: Readonly<Record<string, TSchema>>;
  readonly query?: Fields;
  readonly answers: Readonly<Record<number, AnswerSchema>>;
  handle(ask: Ask<Fields, Fields>): Promise<Answer>;
}

type Handler<Body extends Fields, Query extends Fields> = (ask: Ask<Body, Query>) => Promise<Answer>;
type NoFields = Record<never, never>;

/** Ties a handler to the types of its own fields; the mounted route reads exactly these fields before it calls. */
export function route<Body extends Fields = NoFields, Query extends Fields = NoFields>(
  one: Omit<Route, "body" | "query" | "handle"> & {
    readonly body?: Body;
    readonly query?: Query;
    readonly handle: Handler<Body, Query>;
  },
): Route {
  return one as unknown as Route;
}

export const json = (body: object, status = 200): Answer => ({ status, body });
export const NO_CONTENT: Answer = { status: 204 };
