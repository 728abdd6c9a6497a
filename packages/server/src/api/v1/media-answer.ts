import type { MediaFile } from "../../recording-server/index.ts";
import { NotFoundError } from "../http/errors.ts";
import type { Fields } from "../http/fields.ts";
import { fileAnswer } from "../http/media.ts";
import type { Answer, Ask } from "../http/route.ts";

/** What of a request matters to a file's answer and to the audit trail. */
export type Asked = Pick<
  Ask<Fields, Fields>,
  "principal" | "params" | "address" | "headers" | "method" | "path"
>;

/**
 * A file with ranges.
 *
 * @param note - writes down who heard it; nothing leaves before that is durable
 */
export async function fileOf(
  file: MediaFile | undefined,
  name: string,
  { method, headers, path }: Asked,
  note: () => Promise<void>,
): Promise<Answer> {
  const header = (key: string) => {
    const value = headers[key];
    return Array.isArray(value) ? value[0] : value;
  };
  if (file === undefined) throw new NotFoundError(path);
  const asked = { method, range: header("range"), ifRange: header("if-range") };
  if (method === "HEAD") return fileAnswer(file, name, asked);
  // Refused before it is noted, noted before it is opened.
  fileAnswer(file, name, { ...asked, method: "HEAD" });
  await note();
  return fileAnswer(file, name, asked);
}
