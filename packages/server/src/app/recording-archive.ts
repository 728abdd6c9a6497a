import { createSecretKey, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Config } from "../config/index.ts";
import type { Clock } from "../net/index.ts";
import type { Alerts, Log } from "../observe/index.ts";
import {
  Archive,
  createVconSigner,
  type MetadataPolicy,
  Mover,
  type ObjectStore,
  openS3,
  RecordingFiles,
  type VconSigner,
} from "../recording-server/index.ts";
import type { Store } from "../store/index.ts";

/** How recordings are kept, as the configuration says: where their files are, and what becomes of them. */
export function createRecordingArchive({
  config: { recordings: settings },
  folder,
  store,
  clock,
  log,
  alerts,
  accountSid,
  masterKey,
  isOwnRecorder,
}: {
  readonly config: Pick<Config, "recordings">;
  readonly folder: string;
  readonly store: Pick<Store, "recordings" | "keeping">;
  readonly clock: Clock;
  readonly log: Log;
  readonly alerts: Alerts;
  readonly accountSid: string;
  readonly masterKey: Uint8Array;
  readonly isOwnRecorder: (uri: string) => boolean;
}): {
  readonly files: RecordingFiles;
  readonly archive: Archive;
  readonly vconSigner: VconSigner | undefined;
  readonly metadataPolicy: MetadataPolicy;
} {
  const { keeping } = store;
  const objects = objectStoreOf(settings);
  const files = new RecordingFiles({ folder, keeping, objects, isSealing: settings.encryption });
  const alert: ConstructorParameters<typeof Archive>[0]["alert"] = (level, errorCode, resourceSid, text) =>
    alerts.raise({ accountSid, level, errorCode, text, resourceSid });
  const mover = objects === undefined ? undefined : new Mover({ files, objects, keeping, clock, log, alert });
  const { retentionDays, auditDays } = settings;
  const archive = new Archive({
    store: store.recordings,
    keeping,
    files,
    mover,
    clock,
    log,
    alert,
    isOwnRecorder,
    retentionDays,
    auditDays,
  });
  const { participants, extensionData, documents } = settings;
  // A key of its own: pseudonyms tell nothing of the master key.
  const octets = hkdfSync("sha256", masterKey, "", "callfork pseudonyms", 32);
  const pseudonymKey = createSecretKey(new Uint8Array(octets));
  const metadataPolicy = { participants, extensionData, documents, pseudonymKey };
  return { files, archive, vconSigner: vconSignerOf(settings), metadataPolicy };
}

function vconSignerOf({ vconCertificate, vconKey }: Config["recordings"]): VconSigner | undefined {
  if (vconCertificate === undefined || vconKey === undefined) return undefined;
  return createVconSigner({
    certificate: readFileSync(vconCertificate, "utf8"),
    key: readFileSync(vconKey, "utf8"),
  });
}

/** Secrets are there when the URL is: the configuration was checked. */
function objectStoreOf(settings: Config["recordings"]): ObjectStore | undefined {
  const { url, endpoint, region, accessKeyId = "", secretAccessKey = "" } = settings;
  if (url === undefined) return undefined;
  return openS3({
    ...url,
    endpoint: endpoint ?? `https://s3.${region}.amazonaws.com`,
    region,
    accessKeyId,
    secretAccessKey,
  });
}

/** Whether a SIP URI leads to this node's recorder, by its user, host and port. */
export function ownRecorder(
  config: Pick<Config, "recorder" | "rtpAddress">,
  sip: readonly { readonly address: string; readonly port: number }[],
): (uri: string) => boolean {
  const hosts = new Set(["127.0.0.1", "::1", "localhost", ...sip.map(({ address }) => address)]);
  if (config.rtpAddress !== undefined) hosts.add(config.rtpAddress);
  const ports = new Set(sip.map(({ port }) => port));
  return (uri) => {
    const [, user, bracketed, host, port = "5060"] =
      /^sips?:([^@;]+)@(?:\[([^\]]+)\]|([^:;?]+))(?::(\d+))?/i.exec(uri) ?? [];
    return user === config.recorder.user && hosts.has(bracketed ?? host ?? "") && ports.has(Number(port));
  };
}
