export {
  AnnouncementError,
  type AnnouncementOptions,
  type Announcements,
  createAnnouncements,
} from "./announcements.ts";
export { createDirector } from "./create-director.ts";
export {
  type CreateDirector,
  DEFAULT_DOCUMENT_LIMITS,
  type DirectorOptions,
  type DocumentLimits,
} from "./options.ts";
export type { DocumentFetcher, FetchedDocument } from "./ports.ts";
