import { availableParallelism } from "node:os";
import { isLoopback } from "./syntax.ts";
import type { Config } from "./types.ts";

/** What of a configuration depends on the rest of it or on the machine. */
export function derive(found: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const listen = found.httpListen as Config["httpListen"];
  return {
    publicUrl: publicUrlOf(listen),
    mediaWorkers: Math.max(1, Math.min(64, availableParallelism() - 1)),
    "webhooks.allowedAddresses": isLoopback(listen.address) ? ["127.0.0.0/8", "::1"] : [],
  };
}

/** Settings that are right alone and wrong together. */
export function contradictions(
  found: Readonly<Record<string, unknown>>,
): readonly { readonly path: string; readonly message: string }[] {
  const certificates = found["tls.certificate"] as Config["tls"]["certificate"];
  const keys = found["tls.key"] as Config["tls"]["key"];
  const edges = found.edges as Config["edges"];
  const secure = [
    ...(found.sipListen as Config["sipListen"]),
    ...edges.flatMap((edge) => edge.sipListen),
  ].find(({ transport }) => transport === "tls" || transport === "wss");
  const problems: { path: string; message: string }[] = [];
  if (secure !== undefined && certificates.length === 0) {
    problems.push({ path: "tls.certificate", message: `is needed for the ${secure.transport}: listener` });
  }
  if (keys.length !== certificates.length) {
    const message = `must name one key for each certificate: ${keys.length} for ${certificates.length}`;
    problems.push({ path: "tls.key", message });
  }
  if (found["tls.clientCertificates"] !== "none" && found["tls.ca"] === undefined) {
    const message = "is needed for tls.clientCertificates: it says who may vouch for clients";
    problems.push({ path: "tls.ca", message });
  }
  const names = found["recorder.allowedCertificateNames"] as readonly string[];
  if (names.length > 0 && found["tls.clientCertificates"] === "none") {
    const message = "is needed for recorder.allowedCertificateNames: clients are not asked for certificates";
    problems.push({ path: "tls.clientCertificates", message });
  }
  const { "recorder.username": username, "recorder.password": password } = found;
  if ((username === undefined) !== (password === undefined)) {
    const [path, other] = username === undefined ? ["username", "password"] : ["password", "username"];
    problems.push({ path: `recorder.${path}`, message: `is needed beside recorder.${other}` });
  }
  problems.push(...storageContradictions(found));
  return problems;
}

function storageContradictions(
  found: Readonly<Record<string, unknown>>,
): readonly { readonly path: string; readonly message: string }[] {
  const problems: { path: string; message: string }[] = [];
  const isNeeded = found["recordings.url"] !== undefined;
  for (const name of ["accessKeyId", "secretAccessKey"]) {
    const path = `recordings.${name}`;
    if (isNeeded && found[path] === undefined)
      problems.push({ path, message: "is needed beside recordings.url" });
  }
  if ((found["recordings.vconKey"] === undefined) !== (found["recordings.vconCertificate"] === undefined)) {
    const path = found["recordings.vconKey"] === undefined ? "vconKey" : "vconCertificate";
    problems.push({ path: `recordings.${path}`, message: "is needed: certificate and key go together" });
  }
  return problems;
}

/** The base URL for a listen address: a wildcard becomes localhost, IPv6 gets its brackets. */
export function publicUrlOf(listen: { readonly address: string; readonly port: number }): string {
  const { address, port } = listen;
  const wild = address === "0.0.0.0" || address === "::";
  const host = wild ? "localhost" : address.includes(":") ? `[${address}]` : address;
  return `http://${host}:${port}`;
}
