import Type, { type TSchema } from "typebox";
import type { Page } from "../ports.ts";
import { type Fields, integer, type Values } from "./fields.ts";

/** What every list takes. Twilio: 50 by default, 1,000 at most. */
export const PAGE_FIELDS = {
  PageSize: integer({ code: 20007, min: 1, max: 1000, description: "Entries on a page; 50 by default" }),
  Page: integer({ code: 20422, min: 0, max: 1_000_000, description: "Number of the page, from 0" }),
} as const satisfies Fields;

export interface PageAsked {
  readonly page: number;
  readonly pageSize: number;
  /** One entry more than the page holds, to know whether there is a next one. */
  readonly window: Page;
  /** Path without query. */
  readonly path: string;
  /** The filters of the request, as they came, without paging. */
  readonly filters: readonly (readonly [name: string, value: string])[];
}

export function pageAsked(url: string, query: Values<typeof PAGE_FIELDS>): PageAsked {
  const { Page: page = 0, PageSize: pageSize = 50 } = query;
  const [path = "", search = ""] = url.split("?", 2);
  const filters = [...new URLSearchParams(search)].filter(([name]) => !PAGING.has(name));
  return { page, pageSize, window: { offset: page * pageSize, limit: pageSize + 1 }, path, filters };
}

const PAGING = new Set(["Page", "PageSize", "PageToken"]);

/** A list of the 2010 interface. `rows` is what the store gave for `asked.window`. */
export function twilioPage<Row>(
  asked: PageAsked,
  key: string,
  rows: readonly Row[],
  show: (row: Row) => object,
): object {
  const { page, pageSize } = asked;
  const { here, first, previous, next } = links(asked, rows.length);
  const shown = rows.slice(0, pageSize).map(show);
  const start = page * pageSize;
  return {
    [key]: shown,
    end: start + Math.max(0, shown.length - 1),
    first_page_uri: first,
    next_page_uri: next,
    page,
    page_size: pageSize,
    previous_page_uri: previous,
    start,
    uri: here,
  };
}

/** A list of our own interface: Twilio's v1 `meta`, with whole URLs. */
export function metaPage<Row>(
  asked: PageAsked,
  base: string,
  key: string,
  rows: readonly Row[],
  show: (row: Row) => object,
): object {
  const { page, pageSize } = asked;
  const { here, first, previous, next } = links(asked, rows.length);
  const whole = (uri: string | null) => (uri === null ? null : `${base}${uri}`);
  return {
    [key]: rows.slice(0, pageSize).map(show),
    meta: {
      page,
      page_size: pageSize,
      first_page_url: whole(first),
      previous_page_url: whole(previous),
      url: whole(here),
      next_page_url: whole(next),
      key,
    },
  };
}

function links(asked: PageAsked, rowCount: number) {
  const { page, pageSize, path, filters } = asked;
  const at = (number: number): string => {
    const pairs = [...filters, ["PageSize", String(pageSize)], ["Page", String(number)]];
    return `${path}?${pairs.map((pair) => pair.map((part) => encodeURIComponent(part ?? "")).join("=")).join("&")}`;
  };
  return {
    here: at(page),
    first: at(0),
    previous: page === 0 ? null : at(page - 1),
    next: rowCount > pageSize ? at(page + 1) : null,
  };
}

const nullable = (schema: TSchema) => Type.Union([schema, Type.Null()]);

export function twilioPageSchema(key: string, item: TSchema): TSchema {
  return Type.Object({
    [key]: Type.Array(item),
    end: Type.Integer(),
    first_page_uri: Type.String(),
    next_page_uri: nullable(Type.String()),
    page: Type.Integer(),
    page_size: Type.Integer(),
    previous_page_uri: nullable(Type.String()),
    start: Type.Integer(),
    uri: Type.String(),
  });
}

export function metaPageSchema(key: string, item: TSchema): TSchema {
  return Type.Object({
    [key]: Type.Array(item),
    meta: Type.Object({
      page: Type.Integer(),
      page_size: Type.Integer(),
      first_page_url: Type.String(),
      previous_page_url: nullable(Type.String()),
      url: Type.String(),
      next_page_url: nullable(Type.String()),
      key: Type.String(),
    }),
  });
}
