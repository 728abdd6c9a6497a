import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeApi } from "../testing/fakes.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security?: readonly object[];
  readonly parameters?: readonly {
    readonly in: string;
    readonly name: string;
    readonly required?: boolean;
    readonly schema: object;
  }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<string, { readonly description: string; readonly content?: object }>;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly components: { readonly securitySchemes: Record<string, object> };
  readonly security: readonly Record<string, readonly string[]>[];
  readonly paths: Record<string, Record<string, Operation>>;
}

async function document(): Promise<Document> {
  const { api } = await fakeApi();
  return (await api.inject({ method: "GET", url: "/openapi.json" })).json() as Document;
}

test("the document is OpenAPI 3.1, whole and without dangling references", async () => {
  const doc = await document();
  assert.match(doc.openapi, /^3\.1\.\d+$/);
  assert.equal(doc.info.version, "0.1.0");
  assert.deepEqual(doc.security, [{ basic: [] }]);
  assert.ok(doc.components.securitySchemes.basic);
  assert.ok(!JSON.stringify(doc).includes("$ref"));
  const ids = new Set<string>();
  for (const [path, item] of Object.entries(doc.paths)) {
    assert.match(path, /^\/[^?#:]*$/);
    const names = [...path.matchAll(/\{([A-Za-z]+)\}/g)].map((match) => match[1]);
    for (const [method, operation] of Object.entries(item)) {
      const at = `${method} ${path}`;
      assert.ok(["get", "head", "post", "delete"].includes(method), at);
      assert.ok(!ids.has(`${method} ${operation.operationId}`), `${at}: ${operation.operationId} twice`);
      ids.add(`${method} ${operation.operationId}`);
      assert.ok(operation.summary.length > 3 && operation.tags.length === 1, at);
      const inPath = (operation.parameters ?? []).filter((one) => one.in === "path");
      assert.deepEqual(inPath.map((one) => one.name).sort(), names.sort(), at);
      assert.ok(
        inPath.every((one) => one.required === true),
        at,
      );
      const statuses = Object.keys(operation.responses);
      assert.ok(
        statuses.some((status) => /^20\d$/.test(status)),
        at,
      );
      for (const answer of Object.values(operation.responses)) assert.ok(answer.description.length > 0, at);
      assert.equal(operation.responses.default === undefined, operation.security?.length === 0, at);
    }
  }
});

test("operation ids are unique", async () => {
  const { paths } = await document();
  const ids = Object.values(paths).flatMap((item) =>
    Object.entries(item).flatMap(([method, one]) => (method === "head" ? [] : [one.operationId])),
  );
  assert.equal(new Set(ids).size, ids.length);
});

test("every body is listed as a form and as JSON, with the same schema", async () => {
  const { paths } = await document();
  const posts = Object.entries(paths).flatMap(([path, item]) =>
    item.post === undefined ? [] : [{ path, post: item.post }],
  );
  assert.ok(posts.length >= 10);
  for (const { path, post } of posts) {
    const content = post.requestBody?.content ?? {};
    assert.deepEqual(
      Object.keys(content).sort(),
      ["application/json", "application/x-www-form-urlencoded"],
      path,
    );
    assert.deepEqual(content["application/json"], content["application/x-www-form-urlencoded"]);
  }
});

test("the routes of the design are there", async () => {
  const { paths } = await document();
  const root = "/2010-04-01/Accounts/{AccountSid}";
  const wanted: Record<string, string> = {
    "/": "get",
    "/healthz": "get",
    "/readyz": "get",
    "/metrics": "get",
    "/openapi.json": "get",
    [`${root}.json`]: "get",
    [`${root}/Calls.json`]: "get,post",
    [`${root}/Calls/{CallSid}.json`]: "delete,get,post",
    [`${root}/Calls/{CallSid}/Siprec.json`]: "get,post",
    [`${root}/Calls/{CallSid}/Siprec/{SidOrName}.json`]: "get,post",
    [`${root}/IncomingPhoneNumbers.json`]: "get,post",
    [`${root}/IncomingPhoneNumbers/{NumberSid}.json`]: "delete,get,post",
    [`${root}/Keys.json`]: "get,post",
    [`${root}/Keys/{KeySid}.json`]: "delete,get",
    "/v1/Connectors": "get,post",
    "/v1/Connectors/{SidOrName}": "delete,get,post",
    "/v1/Edges": "get",
    "/v1/Edges/{Name}": "get",
    "/v1/Trunks": "get,post",
    "/v1/Trunks/{SidOrName}": "delete,get,post",
    "/v1/Recordings": "get",
    "/v1/Recordings/{RecordingSid}": "delete,get,post",
    "/v1/Recordings/{RecordingSid}/Audit": "get",
    "/v1/Recordings/Reconciliation": "get",
    "/v1/Recordings/{RecordingSid}/Media.wav": "get,head",
    "/v1/Recordings/{RecordingSid}/Tracks/{Label}.wav": "get,head",
    "/v1/Recordings/{RecordingSid}/Tracks/{Label}.pcap": "get,head",
    "/v1/Recordings/{RecordingSid}/Tracks/{Label}.cfp": "get,head",
    "/v1/Recordings/{RecordingSid}/Tracks/{Label}.opus": "get,head",
    "/v1/Recordings/{RecordingSid}/Media.opus": "get,head",
    "/v1/Recordings/{RecordingSid}/Metadata.xml": "get",
    "/v1/Recordings/{RecordingSid}/Metadata.json": "get",
    "/v1/Recordings/{RecordingSid}/Vcon.json": "get",
    "/v1/Recordings/{RecordingSid}/Whole.json": "get",
    "/v1/Recordings/{RecordingSid}/Whole.wav": "get,head",
    "/v1/Recordings/{RecordingSid}/Streams": "get,post",
    "/v1/Recordings/{RecordingSid}/Streams/{SidOrName}": "get,post",
    "/v1/RetentionRules": "get,post",
    "/v1/RetentionRules/{RuleSid}": "delete",
    "/v1/Alerts": "get",
    "/v1/Alerts/{AlertSid}": "get",
  };
  const found = Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [path, Object.keys(item).sort().join(",")]),
  );
  assert.deepEqual(found, wanted);
});
