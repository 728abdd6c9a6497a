/** Our own resources. Their paths may end in `.json` or not. */
export const V1 = "/v1";

/** A name from the path; only the final `.json` is not part of it. */
export function named(param: string | undefined): string {
  return (param ?? "").replace(/\.json$/, "");
}
