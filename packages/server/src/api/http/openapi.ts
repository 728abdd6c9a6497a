import type { FastifySchema } from "fastify";
import Type, { type TSchema } from "typebox";
import type { Fields } from "./fields.ts";
import type { AnswerSchema, Route } from "./route.ts";

const ERROR = Type.Object(
  {
    code: Type.Integer({ description: "Twilio's error code, or one of docs/errors.md" }),
    message: Type.String(),
    more_info: Type.String(),
    status: Type.Integer({ description: "The HTTP status" }),
    detail: Type.Optional(Type.String()),
  },
  { description: "Any error" },
);

/** The head of /openapi.json; routes add themselves. */
export function openApiDocument(version: string) {
  return {
    openapi: "3.1.0",
    info: {
      title: "Callfork",
      version,
      description:
        "Twilio's REST resources under /2010-04-01, our own under /v1. Bodies are forms or flat JSON objects with " +
        "the same names; in forms, lists are repeated names.",
    },
    components: {
      securitySchemes: {
        basic: {
          type: "http" as const,
          scheme: "basic",
          description: "AccountSid and AuthToken, or the SID and secret of an API key",
        },
      },
    },
    security: [{ basic: [] }],
  };
}

/** What @fastify/swagger makes an operation of. */
export function describeRoute(one: Route, hidden: boolean): FastifySchema {
  const names = [...one.path.matchAll(/:([A-Za-z]+)/g)].map((match) => match[1]!);
  const takesBody = one.methods.includes("POST");
  const described = {
    hide: hidden,
    operationId: operationId(one),
    summary: one.summary,
    tags: [one.tag],
    ...(one.open === true ? { security: [] } : {}),
    ...(takesBody ? { consumes: ["application/x-www-form-urlencoded", "application/json"] } : {}),
    ...(takesBody ? { body: bodySchema(one) } : {}),
    ...(one.query === undefined ? {} : { querystring: objectSchema(one.query) }),
    ...(names.length === 0
      ? {}
      : { params: Type.Object(Object.fromEntries(names.map((name) => [name, Type.String()]))) }),
    response: {
      ...Object.fromEntries(
        Object.entries(one.answers).map(([status, answer]) => [status, answerSchema(answer)]),
      ),
      ...(one.open === true ? {} : { default: ERROR }),
    },
  };
  return described;
}

function operationId(one: Route): string {
  const words = one.path
    .replace(/^\/(2010-04-01\/Accounts\/:AccountSid|v1)/, (prefix) => (prefix === "/v1" ? "v1" : "account"))
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "");
  return [one.methods[0]!.toLowerCase(), ...words].join("_");
}

function objectSchema(fields: Fields): TSchema {
  const properties = Object.entries(fields).map(([name, field]) => [
    name,
    field.required ? field.schema : Type.Optional(field.schema),
  ]);
  return Type.Object(Object.fromEntries(properties));
}

function bodySchema(one: Route): TSchema {
  const schema = objectSchema(one.body ?? {});
  return one.bodyPatterns === undefined ? schema : { ...schema, patternProperties: one.bodyPatterns };
}

function answerSchema(answer: AnswerSchema): object {
  const { description, schema, mediaType } = answer;
  if (mediaType !== undefined)
    return { description, content: { [mediaType]: { schema: schema ?? Type.String({ format: "binary" }) } } };
  return schema === undefined ? Type.Null({ description }) : { ...schema, description };
}
