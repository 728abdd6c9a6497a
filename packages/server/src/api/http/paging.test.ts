import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { metaPage, pageAsked, twilioPage } from "./paging.ts";

interface TwilioPage {
  readonly rows: { n: number }[];
  readonly end: number;
  readonly start: number;
  readonly page: number;
  readonly page_size: number;
  readonly uri: string;
  readonly first_page_uri: string;
  readonly next_page_uri: string | null;
  readonly previous_page_uri: string | null;
}

/** Asks a list of `total` rows as a client does: by the link it was given. */
function ask(total: number, url: string): TwilioPage {
  const search = new URLSearchParams(url.split("?")[1]);
  const number = (name: string) => (search.has(name) ? Number(search.get(name)) : undefined);
  const asked = pageAsked(url, { Page: number("Page"), PageSize: number("PageSize") });
  const { offset, limit } = asked.window;
  const rows = Array.from({ length: total }, (_, n) => ({ n })).slice(offset, offset + limit);
  return twilioPage(asked, "rows", rows, (row) => row) as TwilioPage;
}

test("following next_page_uri visits every row once, in order, and ends", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 120 }), fc.integer({ min: 1, max: 50 }), (total, size) => {
      const seen: number[] = [];
      let url: string | null = `/list.json?To=%2B1&PageSize=${size}`;
      for (let pages = 0; url !== null; pages += 1) {
        assert.ok(pages <= total, "the list does not end");
        const page = ask(total, url);
        assert.equal(page.page, pages);
        assert.equal(page.page_size, size);
        assert.equal(page.start, pages * size);
        assert.equal(page.end, page.start + Math.max(0, page.rows.length - 1));
        assert.equal(new URLSearchParams(page.uri.split("?")[1]).get("To"), "+1");
        assert.equal(ask(total, page.first_page_uri).page, 0);
        assert.equal(page.previous_page_uri === null, pages === 0);
        if (page.previous_page_uri !== null) assert.equal(ask(total, page.previous_page_uri).page, pages - 1);
        seen.push(...page.rows.map((row) => row.n));
        url = page.next_page_uri;
      }
      assert.deepEqual(
        seen,
        Array.from({ length: total }, (_, n) => n),
      );
    }),
  );
});

test("the exact shape of a 2010 list, 50 entries a page by default", () => {
  assert.deepEqual(ask(0, "/Calls.json"), {
    rows: [],
    end: 0,
    first_page_uri: "/Calls.json?PageSize=50&Page=0",
    next_page_uri: null,
    page: 0,
    page_size: 50,
    previous_page_uri: null,
    start: 0,
    uri: "/Calls.json?PageSize=50&Page=0",
  });
  assert.equal(ask(51, "/Calls.json").next_page_uri, "/Calls.json?PageSize=50&Page=1");
  assert.equal(ask(50, "/Calls.json").next_page_uri, null);
});

test("filters survive in links, operators and blanks encoded; paging of the request does not", () => {
  const page = ask(9, "/Calls.json?StartTime%3E=2024-01-02&Page=1&To=a+b&PageSize=2&PageToken=x");
  assert.equal(page.next_page_uri, "/Calls.json?StartTime%3E=2024-01-02&To=a%20b&PageSize=2&Page=2");
});

test("our own lists carry Twilio's meta with whole URLs", () => {
  const asked = pageAsked("/v1/Trunks?PageSize=1", { Page: undefined, PageSize: 1 });
  assert.deepEqual(
    metaPage(asked, "https://x.example", "trunks", [1, 2], (n) => ({ n })),
    {
      trunks: [{ n: 1 }],
      meta: {
        page: 0,
        page_size: 1,
        first_page_url: "https://x.example/v1/Trunks?PageSize=1&Page=0",
        previous_page_url: null,
        url: "https://x.example/v1/Trunks?PageSize=1&Page=0",
        next_page_url: "https://x.example/v1/Trunks?PageSize=1&Page=1",
        key: "trunks",
      },
    },
  );
});
