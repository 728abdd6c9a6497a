import { featureTag, hasToken, parseNameAddr, parseSipUri } from "@callfork/protocol/sip";
import { err, ok, type Result } from "@callfork/protocol/text";
import type { Clock, SipFlow } from "../net/index.ts";
import type { Log } from "../observe/index.ts";
import type { Authenticator, HeaderLine, IncomingInvite } from "../signalling/index.ts";
import type { ClientEdge } from "./edges.ts";
import type { ConnectorDirectory } from "./ports.ts";
import { type ConnectorPlan, planOf, type Recorder } from "./recorders.ts";

/** How long a list of connectors is used. */
const REFRESH_MS = 5_000;

export interface RecorderPeersOptions {
  readonly connectors: Pick<ConnectorDirectory, "starters">;
  readonly authenticator?: Authenticator | undefined;
  readonly edges?: readonly ClientEdge[] | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** A recorder that called, and the connector it is of. */
export interface CallingRecorder {
  readonly plan: ConnectorPlan;
  readonly recorder: Recorder;
}

export interface Turned {
  readonly status: number;
  readonly headers?: readonly HeaderLine[];
}

type Peer = Pick<SipFlow, "remoteAddress" | "tls">;

/** Recorders that may start sessions by themselves: those of connectors that allow it. */
export class RecorderPeers {
  readonly #options: RecorderPeersOptions;
  #plans: readonly ConnectorPlan[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(options: RecorderPeersOptions) {
    this.#options = options;
  }

  /** What is known of a peer without waiting; an old list is read anew meanwhile. */
  knows(peer: Peer): boolean {
    void this.#fresh();
    return this.#plans.some((plan) => recorderAt(plan, peer) !== undefined);
  }

  /** Whether somebody may prove by a password that it is a recorder. */
  get authenticates(): boolean {
    return this.#options.authenticator !== undefined && this.#plans.some(hasPassword);
  }

  /**
   * Whose recorder called: by certificate or address first, then by digest with the connector's own user and password.
   *
   * @param accountSid - of the call that is asked for
   */
  async identify(invite: IncomingInvite, accountSid: string): Promise<Result<CallingRecorder, Turned>> {
    await this.#fresh();
    const plans = this.#plans.filter((plan) => plan.accountSid === accountSid);
    for (const plan of plans) {
      const recorder = recorderAt(plan, invite.flow);
      if (recorder !== undefined) return ok({ plan, recorder });
    }
    const { authenticator } = this.#options;
    const users = plans.filter(hasPassword).map((plan) => ({ ...plan.credentials, plan }));
    if (authenticator === undefined || users.length === 0) return err({ status: 403 });
    const proof = authenticator.authenticate(invite.request, users);
    if (!proof.ok) return err({ status: 401, headers: proof.headers });
    const { plan } = proof.user;
    return ok({ plan, recorder: plan.recorders[0]! });
  }

  async #fresh(): Promise<void> {
    const { clock } = this.#options;
    if (clock.now() - this.#readAt < REFRESH_MS) return;
    this.#reading ??= this.#read().finally(() => {
      this.#readAt = clock.now(); // also after a failure: a flood of INVITEs must not become one of queries
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #read(): Promise<void> {
    const { connectors, edges, log } = this.#options;
    try {
      const records = await connectors.starters();
      this.#plans = records.flatMap((record) => {
        try {
          return [planOf(record, { edges: edges ?? [] })];
        } catch {
          return []; // an alert says so whenever it is asked for
        }
      });
    } catch (error) {
      log.error({ err: error }, "siprec: the connectors could not be read; the old list goes on serving");
    }
  }
}

function hasPassword(
  plan: ConnectorPlan,
): plan is ConnectorPlan & { readonly credentials: NonNullable<ConnectorPlan["credentials"]> } {
  // An empty password would let everybody in who guesses the name.
  return plan.credentials !== undefined && plan.credentials.password !== "";
}

/** The recorder of a connector that a peer is: by a certificate for its host, or by its address. */
function recorderAt({ recorders }: ConnectorPlan, { remoteAddress, tls }: Peer): Recorder | undefined {
  const names = tls?.identities ?? [];
  return recorders.find(
    ({ host, address }) => names.includes(host.toLowerCase()) || address === remoteAddress,
  );
}

/**
 * "The SRC … determines that the INVITE is for an RS when both the `+sip.srs` feature tag and the `siprec` option tag
 * are there" (RFC 7866 §6.1.1).
 */
export function isRecorderInvite({ request }: Pick<IncomingInvite, "request">): boolean {
  const [value] = request.headers.list("Contact");
  const contact = value === undefined ? undefined : parseNameAddr(value);
  const isRecorder = contact?.ok === true && featureTag(contact.value.params, "+sip.srs");
  return isRecorder && hasToken(request.headers, "Require", "siprec");
}

/** The call that a recorder asks for: its SID is the user of the Request-URI. */
export function callAskedFor({ request }: Pick<IncomingInvite, "request">): string | undefined {
  const uri = parseSipUri(request.uri);
  const user = uri.ok ? uri.value.user : undefined;
  return user !== undefined && /^CA[0-9a-f]{32}$/i.test(user)
    ? `CA${user.slice(2).toLowerCase()}`
    : undefined;
}
