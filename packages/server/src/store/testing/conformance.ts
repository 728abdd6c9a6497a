import assert from "node:assert/strict";
import { afterEach, beforeEach, suite, test } from "node:test";
import type { CallRecord } from "../../calls/index.ts";
import { DuplicateNameError } from "../errors.ts";
import type { Retention, Store } from "../types.ts";
import {
  ACCOUNT,
  callRecord,
  keepingLog,
  OTHER_ACCOUNT,
  recordingRecord,
  sid,
  siprecRecord,
  tickingClock,
} from "./fixtures.ts";

/** How the suite opens an empty store on the engine under test. */
export type OpenForTest = (options: {
  readonly now: () => number;
  readonly log: ReturnType<typeof keepingLog>;
  readonly retention?: Partial<Retention>;
}) => Promise<Store>;

const PAGE = { offset: 0, limit: 50 };

/** What every engine must do; run by a test file of that engine. */
export function storeConformance(engineName: string, open: OpenForTest): void {
  suite(`store on ${engineName}`, () => {
    let store: Store;
    let clock: ReturnType<typeof tickingClock>;
    let log: ReturnType<typeof keepingLog>;

    beforeEach(async () => {
      clock = tickingClock();
      log = keepingLog();
      store = await open({ now: clock.now, log });
    });
    afterEach(() => store.close());

    test("a call comes back as it was saved, and saving it again replaces it", async () => {
      const call = callRecord(1, { callerName: "Zoë", sipStatus: 180, parentCallSid: sid("CA", 9) });
      await store.calls.saveCall(call, []);
      assert.deepEqual(await store.api.call(ACCOUNT, call.sid), call);
      const answered = { ...call, status: "in-progress" as const, startTime: 1_700_000_000_500 };
      await store.calls.saveCall(answered, []);
      assert.deepEqual(await store.api.call(ACCOUNT, call.sid), answered);
      assert.equal((await store.api.calls(ACCOUNT, {}, PAGE)).length, 1);
      assert.equal(await store.api.call(OTHER_ACCOUNT, call.sid), undefined);
    });

    test("calls are listed newest first, filtered and paged", async () => {
      for (let i = 1; i <= 7; i++) {
        const startTime = i % 2 === 0 ? 1000 * i : null;
        const status = i === 3 ? "completed" : "in-progress";
        await store.calls.saveCall(callRecord(i, { startTime, status, to: `+1555010${i}`, endTime: i }), []);
      }
      // Saving an old one again does not make it new.
      await store.calls.saveCall(callRecord(1, { to: "+15550101" }), []);
      const numbers = async (filter: Parameters<Store["api"]["calls"]>[1], page = PAGE) =>
        (await store.api.calls(ACCOUNT, filter, page)).map((call) => Number(`0x${call.sid.slice(2)}`));
      assert.deepEqual(await numbers({}), [7, 6, 5, 4, 3, 2, 1]);
      assert.deepEqual(await numbers({}, { offset: 2, limit: 2 }), [5, 4]);
      assert.deepEqual(await numbers({ status: "completed" }), [3]);
      assert.deepEqual(await numbers({ to: "+15550104" }), [4]);
      assert.deepEqual(await numbers({ from: "nobody" }), []);
      assert.deepEqual(await numbers({ startTimeFrom: 4000, startTimeTo: 6000 }), [6, 4]);
      assert.deepEqual(await numbers({ endTimeTo: 3 }), [3, 2]);
      assert.deepEqual(await store.api.calls(OTHER_ACCOUNT, {}, PAGE), []);
    });

    test("an ended call can be deleted with its forks, a live one cannot", async () => {
      await store.calls.saveCall(callRecord(1), []);
      await store.siprecs.saveSiprec(siprecRecord(1), []);
      assert.equal(await store.api.deleteCall(ACCOUNT, sid("CA", 1)), false);
      await store.calls.saveCall(callRecord(1, { status: "completed" }), []);
      assert.equal(await store.api.deleteCall(OTHER_ACCOUNT, sid("CA", 1)), false);
      assert.equal(await store.api.deleteCall(ACCOUNT, sid("CA", 1)), true);
      assert.equal(await store.api.deleteCall(ACCOUNT, sid("CA", 1)), false);
      assert.equal(await store.siprecs.findSiprec(sid("CA", 1), sid("SR", 1)), undefined);
      assert.equal(await store.siprecs.callExists(undefined, sid("CA", 1)), false);
    });

    test("what was live when the process died is closed and returned, once", async () => {
      await store.calls.saveCall(callRecord(1, { status: "queued" }), []);
      await store.calls.saveCall(callRecord(2, { status: "in-progress", startTime: 5 }), []);
      await store.calls.saveCall(callRecord(3, { status: "busy", endTime: 6 }), []);
      await store.siprecs.saveSiprec(siprecRecord(1), []);
      await store.siprecs.saveSiprec(siprecRecord(2, { status: "stopped" }), []);
      const calls = await store.calls.closeOrphanedCalls(99);
      assert.deepEqual(
        calls.map(({ sid, status, startTime, endTime, dateUpdated }) => [
          sid,
          status,
          startTime,
          endTime,
          dateUpdated,
        ]),
        [
          [sid("CA", 1), "failed", null, 99, 99],
          [sid("CA", 2), "failed", 5, 99, 99],
        ],
      );
      const siprecs = await store.siprecs.closeOrphanedSiprecs(99);
      assert.deepEqual(siprecs, [siprecRecord(1, { status: "stopped", endTime: 99, dateUpdated: 99 })]);
      assert.deepEqual(await store.calls.closeOrphanedCalls(100), []);
      assert.deepEqual(await store.siprecs.closeOrphanedSiprecs(100), []);
    });

    test("callbacks that an orphaned call owes are saved with its end, once", async () => {
      const reporting = {
        url: "https://a.example/status",
        method: "POST",
        events: ["completed"],
        sip: [["SipCallId", "x"]],
        sequence: 2,
      } as const;
      await store.calls.saveCall(callRecord(1, { status: "in-progress", reporting }), []);
      await store.calls.saveCall(callRecord(2, { status: "in-progress" }), []);
      const asked: unknown[] = [];
      const owed = (call: CallRecord) => {
        asked.push(call.reporting ?? null);
        const { accountSid, sid: callSid } = call;
        const told = { accountSid, callSid, kind: "call-status", url: "https://a.example/status" };
        return call.reporting
          ? [{ ...told, method: "POST", parameters: [["CallStatus", call.status]] } as const]
          : [];
      };
      await store.calls.closeOrphanedCalls(99, owed);
      assert.deepEqual(asked, [reporting, null]);
      assert.equal(await store.outbox.pending(), 1);
      await store.calls.closeOrphanedCalls(100, owed);
      assert.equal(await store.outbox.pending(), 1);
      assert.equal((await store.api.call(ACCOUNT, sid("CA", 1)))?.reporting ?? null, null);
    });

    test("a fork is found by its SID and, newest first, by its name", async () => {
      await store.calls.saveCall(callRecord(1), []);
      for (const number of [1, 2, 3]) await store.siprecs.saveSiprec(siprecRecord(number), []);
      await store.siprecs.saveSiprec(siprecRecord(4, { callSid: sid("CA", 2) }), []);
      await store.siprecs.saveSiprec(siprecRecord(1, { status: "stopped", errorCode: 32011 }), []);
      const found = await store.siprecs.findSiprec(sid("CA", 1), "my fork");
      assert.deepEqual(found, siprecRecord(3));
      const first = await store.api.siprec(ACCOUNT, sid("CA", 1), sid("SR", 1));
      assert.deepEqual(first, siprecRecord(1, { status: "stopped", errorCode: 32011 }));
      assert.equal(await store.api.siprec(OTHER_ACCOUNT, sid("CA", 1), sid("SR", 1)), undefined);
      assert.equal(await store.siprecs.findSiprec(sid("CA", 1), "another"), undefined);
      const listed = await store.api.siprecs(ACCOUNT, sid("CA", 1), { offset: 1, limit: 5 });
      assert.deepEqual(
        listed.map(({ sid }) => sid),
        [sid("SR", 2), sid("SR", 1)],
      );
      assert.equal(await store.siprecs.callExists(ACCOUNT, sid("CA", 1)), true);
      assert.equal(await store.siprecs.callExists(undefined, sid("CA", 1)), true);
      assert.equal(await store.siprecs.callExists(OTHER_ACCOUNT, sid("CA", 1)), false);
      assert.deepEqual(await store.siprecs.findCall(sid("CA", 1)), callRecord(1));
      assert.equal(await store.siprecs.findCall(sid("CA", 9)), undefined);
    });

    test("numbers: defaults, change, look-up of any account, unique everywhere", async () => {
      const made = await store.api.createNumber(ACCOUNT, {
        phoneNumber: "+15550100",
        voiceUrl: "https://a.example/",
      });
      assert.match(made.sid, /^PN[0-9a-f]{32}$/);
      assert.equal(made.friendlyName, "+15550100");
      assert.equal(made.voiceMethod, "POST");
      await assert.rejects(store.api.createNumber(OTHER_ACCOUNT, { phoneNumber: "+15550100" }), (error) => {
        assert.ok(error instanceof DuplicateNameError);
        assert.deepEqual([error.publicCode, error.httpStatus], [20409, 409]);
        return true;
      });
      clock.advance(10);
      const changed = await store.api.updateNumber(ACCOUNT, made.sid, {
        voiceUrl: null,
        voiceTwiml: "<Response/>",
        recordingNotice: "tone",
        recordingAnnouncementUrl: "https://a.example/recorded.wav",
      });
      assert.deepEqual(changed, {
        ...made,
        voiceUrl: null,
        voiceTwiml: "<Response/>",
        recordingNotice: "tone",
        recordingAnnouncementUrl: "https://a.example/recorded.wav",
        dateUpdated: made.dateUpdated + 10,
      });
      assert.deepEqual(await store.calls.findNumber("+15550100"), changed);
      assert.equal(await store.calls.findNumber("+1555010"), undefined);
      await store.api.createNumber(ACCOUNT, { phoneNumber: "200" });
      await assert.rejects(
        store.api.updateNumber(ACCOUNT, made.sid, { phoneNumber: "200" }),
        DuplicateNameError,
      );
      assert.deepEqual(await store.api.numbers(ACCOUNT, { phoneNumber: "+15550100" }, PAGE), [changed]);
      assert.equal((await store.api.numbers(ACCOUNT, {}, PAGE)).length, 2);
      assert.equal(await store.api.updateNumber(OTHER_ACCOUNT, made.sid, { friendlyName: "x" }), undefined);
      assert.equal(await store.api.deleteNumber(OTHER_ACCOUNT, made.sid), false);
      assert.equal(await store.api.deleteNumber(ACCOUNT, made.sid), true);
      assert.equal(await store.api.number(ACCOUNT, made.sid), undefined);
    });

    test("connectors: views never hold secrets, the directory opens them", async () => {
      const view = await store.api.createConnector(ACCOUNT, {
        uniqueName: "recorder one",
        sipUris: ["sip:a@b.example;secure=true&edge=x", "sip:c@d.example"],
        credentialsHeaderName: "X-Auth-Token",
        credentials: "the-header-secret",
        password: "the-password",
        username: "user",
      });
      assert.match(view.sid, /^XE[0-9a-f]{32}$/);
      assert.deepEqual([view.hasCredentials, view.hasPassword], [true, true]);
      assert.doesNotMatch(JSON.stringify(view), /secret|the-password/);
      const record = await store.connectors.find(ACCOUNT, "recorder one");
      assert.equal(record?.credentials, "the-header-secret");
      assert.equal(record?.password, "the-password");
      assert.deepEqual(record?.sipUris, ["sip:a@b.example;secure=true&edge=x", "sip:c@d.example"]);
      assert.equal(await store.connectors.find(OTHER_ACCOUNT, "recorder one"), undefined);
      assert.equal(await store.connectors.find(ACCOUNT, view.sid), undefined);

      assert.deepEqual(await store.api.connector(ACCOUNT, view.sid), view);
      assert.deepEqual(await store.api.connector(ACCOUNT, "recorder one"), view);
      clock.advance(5);
      const changed = await store.api.updateConnector(ACCOUNT, "recorder one", {
        credentials: null,
        uniqueName: "two",
      });
      assert.deepEqual(
        [changed?.hasCredentials, changed?.hasPassword, changed?.uniqueName],
        [false, true, "two"],
      );
      const reread = await store.connectors.find(ACCOUNT, "two");
      assert.deepEqual([reread?.credentials, reread?.password], [null, "the-password"]);
    });

    test("connectors whose recorders may call are found in all accounts, secrets opened", async () => {
      assert.deepEqual(await store.connectors.starters(), []);
      const sipUris = ["sip:r@192.0.2.1"];
      await store.api.createConnector(ACCOUNT, { uniqueName: "silent", sipUris });
      const settings = { recorderStarts: true };
      const both = { sipUris, settings, username: "u", password: "hush" };
      await store.api.createConnector(ACCOUNT, { ...both, uniqueName: "one" });
      await store.api.createConnector(OTHER_ACCOUNT, { ...both, uniqueName: "two" });
      const found = await store.connectors.starters();
      assert.deepEqual(
        found.map(({ accountSid, uniqueName, password }) => [accountSid, uniqueName, password]),
        [
          [ACCOUNT, "one", "hush"],
          [OTHER_ACCOUNT, "two", "hush"],
        ],
      );
      await store.api.updateConnector(ACCOUNT, "one", { settings: { recorderStarts: false } });
      assert.equal((await store.connectors.starters()).length, 1);
    });

    test("certificates of connectors and trunks: the key is for connections alone, the rest is shown", async () => {
      const own = {
        certificate: "PEM of us",
        privateKey: "PEM of our key",
        certificateAuthority: "PEM of theirs",
      };
      const { privateKey: _, ...shown } = own;
      const none = { certificate: null, hasPrivateKey: false, certificateAuthority: null };
      const partOf = (view: object | undefined): object => {
        assert.ok(view && !("privateKey" in view));
        return Object.fromEntries(Object.keys(none).map((name) => [name, Reflect.get(view, name)]));
      };
      const sipUris = ["sip:a@b.example;transport=tls"];
      const connector = await store.api.createConnector(ACCOUNT, { uniqueName: "tls", sipUris, ...own });
      assert.deepEqual(partOf(connector), { ...shown, hasPrivateKey: true });
      const record = await store.connectors.find(ACCOUNT, "tls");
      assert.deepEqual({ ...record, ...own }, record);
      const names = ["pbx.example.com"];
      const trunk = await store.api.createTrunk(ACCOUNT, {
        uniqueName: "tls",
        allowedCertificateNames: names,
        ...own,
      });
      assert.deepEqual(partOf(trunk), { ...shown, hasPrivateKey: true });
      const [listed] = await store.calls.listTrunks();
      assert.deepEqual({ ...listed, ...own, allowedCertificateNames: names }, listed);
      // What is not named stays.
      await store.api.updateTrunk(ACCOUNT, "tls", { sipUri: "sip:gw.example" });
      assert.equal((await store.calls.listTrunks())[0]?.privateKey, own.privateKey);
      const nothing = { certificate: null, privateKey: null, certificateAuthority: null };
      assert.deepEqual(partOf(await store.api.updateConnector(ACCOUNT, "tls", nothing)), none);
      const cleared = await store.api.updateTrunk(ACCOUNT, "tls", {
        ...nothing,
        allowedCertificateNames: [],
      });
      assert.deepEqual(partOf(cleared), none);
      assert.deepEqual(cleared?.allowedCertificateNames, []);
      assert.equal((await store.connectors.find(ACCOUNT, "tls"))?.privateKey, null);
    });

    test("connector and trunk names are unique within an account, not beyond", async () => {
      const sipUris = ["sip:a@b.example"];
      await store.api.createConnector(ACCOUNT, { uniqueName: "one", sipUris });
      await store.api.createConnector(OTHER_ACCOUNT, { uniqueName: "one", sipUris });
      await store.api.createConnector(ACCOUNT, { uniqueName: "two", sipUris });
      await assert.rejects(
        store.api.createConnector(ACCOUNT, { uniqueName: "one", sipUris }),
        DuplicateNameError,
      );
      await assert.rejects(
        store.api.updateConnector(ACCOUNT, "two", { uniqueName: "one" }),
        DuplicateNameError,
      );
      await store.api.createTrunk(ACCOUNT, { uniqueName: "one" });
      await assert.rejects(store.api.createTrunk(ACCOUNT, { uniqueName: "one" }), DuplicateNameError);
      const names = (await store.api.connectors(ACCOUNT, PAGE)).map(({ uniqueName }) => uniqueName);
      assert.deepEqual(names, ["two", "one"]);
      assert.equal(await store.api.deleteConnector(ACCOUNT, "one"), true);
      assert.equal(await store.api.deleteConnector(ACCOUNT, "one"), false);
      assert.equal((await store.api.connectors(OTHER_ACCOUNT, PAGE)).length, 1);
    });

    test("of many that want one name at the same time, one gets it", async () => {
      const wishes = Array.from({ length: 20 }, () =>
        store.api.createConnector(ACCOUNT, { uniqueName: "race", sipUris: ["sip:a@b.example"] }),
      );
      const outcomes = await Promise.allSettled(wishes);
      const refused = outcomes.filter((outcome) => outcome.status === "rejected");
      assert.equal(refused.length, 19);
      for (const { reason } of refused) assert.ok(reason instanceof DuplicateNameError);
    });

    test("trunks: the password is for calls alone", async () => {
      const view = await store.api.createTrunk(ACCOUNT, {
        uniqueName: "carrier",
        sipUri: "sip:gw.example",
        allowedAddresses: ["192.0.2.0/24"],
        username: "u",
        password: "trunk-secret",
      });
      assert.match(view.sid, /^TK[0-9a-f]{32}$/);
      assert.equal(view.hasPassword, true);
      assert.equal("password" in view, false);
      const { hasPassword: _, hasPrivateKey: __, ...common } = view;
      assert.deepEqual(await store.calls.listTrunks(), [
        { ...common, password: "trunk-secret", privateKey: null },
      ]);
      const changed = await store.api.updateTrunk(ACCOUNT, view.sid, { password: "", sipUri: null });
      assert.deepEqual([changed?.hasPassword, changed?.sipUri], [false, null]);
      assert.equal(await store.api.updateTrunk(ACCOUNT, "nobody", {}), undefined);
      assert.deepEqual(await store.api.trunk(ACCOUNT, "carrier"), changed);
      assert.equal(await store.api.deleteTrunk(ACCOUNT, "carrier"), true);
      assert.deepEqual(await store.api.trunks(ACCOUNT, PAGE), []);
    });

    test("recordings come back with their tracks in order; metadata versions as they came", async () => {
      const record = recordingRecord(1);
      await store.recordings.saveRecording(record);
      await store.recordings.saveRecording(recordingRecord(2, { status: "completed" }));
      await store.recordings.saveRecording(recordingRecord(3, { accountSid: OTHER_ACCOUNT, tracks: [] }));
      assert.deepEqual(await store.recordings.findRecording(record.sid), record);
      const shorter = { ...record, status: "interrupted" as const, tracks: record.tracks.slice(1) };
      assert.deepEqual(await store.recordings.listUnfinishedRecordings(), [
        record,
        recordingRecord(3, { accountSid: OTHER_ACCOUNT, tracks: [] }),
      ]);
      await store.recordings.saveRecording(shorter);
      assert.deepEqual(await store.recordings.findRecording(record.sid), shorter);
      const listed = await store.recordings.listRecordings({ accountSid: ACCOUNT, ...PAGE });
      assert.deepEqual(listed, [recordingRecord(2, { status: "completed" }), shorter]);
      const completed = await store.recordings.listRecordings({
        accountSid: ACCOUNT,
        ...PAGE,
        status: "completed",
      });
      assert.deepEqual(
        completed.map(({ sid }) => sid),
        [sid("RE", 2)],
      );

      const due = await store.outbox.claim({ limit: 10, leaseMs: 1_000 });
      assert.deepEqual(due, []);
      await store.recordings.saveRecording(shorter, [
        { ...recordingNews(record.sid), parameters: [["RecordingStatus", "in-progress"]] },
        { ...recordingNews(record.sid), parameters: [["RecordingStatus", "completed"]] },
      ]);
      const [first, ...others] = await store.outbox.claim({ limit: 10, leaseMs: 1_000 });
      assert.deepEqual(others, [], "callbacks of one recording leave one after the other");
      assert.deepEqual(first?.parameters, [["RecordingStatus", "in-progress"]]);
      await store.outbox.complete(first?.id ?? "");
      const [second] = await store.outbox.claim({ limit: 10, leaseMs: 1_000 });
      assert.deepEqual(second?.parameters, [["RecordingStatus", "completed"]]);

      const version = {
        recordingSid: record.sid,
        version: 1,
        time: 7,
        carrier: "INVITE",
        document: "<bad\r\n&\u{1F4A9}",
      };
      await store.recordings.addMetadataVersion(version);
      await store.recordings.addMetadataVersion({ ...version, version: 2, carrier: "UPDATE" });
      assert.deepEqual(await store.recordings.listMetadataVersions(record.sid), [
        version,
        { ...version, version: 2, carrier: "UPDATE" },
      ]);
      await store.recordings.deleteRecording(record.sid);
      assert.equal(await store.recordings.findRecording(record.sid), undefined);
      assert.deepEqual(await store.recordings.listMetadataVersions(record.sid), []);
    });

    test("the first account is made once; its token authenticates and nothing else does", async () => {
      const made = await store.accounts.ensureAccount({});
      assert.equal(made.created, true);
      assert.match(made.account.sid, /^AC[0-9a-f]{32}$/);
      assert.match(made.authToken, /^[0-9a-f]{32}$/);
      const again = await store.accounts.ensureAccount({});
      assert.deepEqual(again, { ...made, created: false });
      const { sid: accountSid } = made.account;
      assert.deepEqual(await store.credentials.authenticate(accountSid, made.authToken), {
        accountSid,
        keySid: null,
      });
      assert.equal(await store.credentials.authenticate(accountSid, `${made.authToken}0`), undefined);
      assert.equal(await store.credentials.authenticate(accountSid, ""), undefined);
      assert.equal(await store.credentials.authenticate(OTHER_ACCOUNT, made.authToken), undefined);
      assert.equal(await store.accounts.authToken(accountSid), made.authToken);
      assert.equal(await store.accounts.authToken(OTHER_ACCOUNT), undefined);
      assert.deepEqual(await store.api.account(accountSid), made.account);
    });

    test("a configured account gets the configured token, a changed one too", async () => {
      const first = await store.accounts.ensureAccount({
        sid: ACCOUNT,
        authToken: "one",
        friendlyName: "Mine",
      });
      assert.deepEqual(
        [first.created, first.account.sid, first.account.friendlyName],
        [true, ACCOUNT, "Mine"],
      );
      const second = await store.accounts.ensureAccount({ sid: ACCOUNT, authToken: "two" });
      assert.deepEqual([second.created, second.authToken], [false, "two"]);
      assert.equal(await store.accounts.authToken(ACCOUNT), "two");
      assert.equal((await store.accounts.ensureAccount({ sid: ACCOUNT })).authToken, "two");
    });

    test("an API key authenticates, again and again, until it is deleted", async () => {
      await store.accounts.ensureAccount({ sid: ACCOUNT });
      const key = await store.api.createKey(ACCOUNT, "console");
      assert.match(key.sid, /^SK[0-9a-f]{32}$/);
      const principal = { accountSid: ACCOUNT, keySid: key.sid };
      assert.deepEqual(await store.credentials.authenticate(key.sid, key.secret), principal);
      assert.deepEqual(await store.credentials.authenticate(key.sid, key.secret), principal);
      assert.equal(await store.credentials.authenticate(key.sid, "wrong"), undefined);
      assert.equal(await store.credentials.authenticate(sid("SK", 1), key.secret), undefined);
      const { secret: _, ...shown } = key;
      assert.deepEqual(await store.api.keys(ACCOUNT, PAGE), [{ ...shown, dateUpdated: key.dateCreated }]);
      assert.equal(await store.api.deleteKey(OTHER_ACCOUNT, key.sid), false);
      assert.equal(await store.api.deleteKey(ACCOUNT, key.sid), true);
      assert.equal(await store.credentials.authenticate(key.sid, key.secret), undefined);
    });

    test("alerts are kept, cut to size, listed newest first and filtered", async () => {
      store.alerts.raise({
        accountSid: ACCOUNT,
        errorCode: 11200,
        level: "error",
        text: "one",
        callSid: sid("CA", 1),
      });
      clock.advance(10);
      store.alerts.raise({
        accountSid: ACCOUNT,
        errorCode: 12200,
        level: "warning",
        text: "two",
        resourceSid: sid("SR", 1),
        responseStatus: 404,
        responseBody: "x".repeat(9000),
      });
      store.alerts.raise({ accountSid: OTHER_ACCOUNT, errorCode: 1, level: "notice", text: "theirs" });
      await store.alerts.flush();
      const [two, one, ...more] = await store.api.alerts(ACCOUNT, {}, PAGE);
      assert.deepEqual([one?.text, two?.text, more], ["one", "two", []]);
      assert.match(one?.sid ?? "", /^NO[0-9a-f]{32}$/);
      assert.equal(two?.responseBody?.length, 4096);
      assert.deepEqual(await store.api.alerts(ACCOUNT, { callSid: sid("CA", 1) }, PAGE), [one]);
      assert.deepEqual(await store.api.alerts(ACCOUNT, { resourceSid: sid("SR", 1) }, PAGE), [two]);
      assert.deepEqual(await store.api.alerts(ACCOUNT, { level: "warning" }, PAGE), [two]);
      assert.deepEqual(await store.api.alerts(ACCOUNT, { to: clock.now() - 1 }, PAGE), [one]);
      assert.deepEqual(await store.api.alert(ACCOUNT, two?.sid ?? ""), two);
      assert.equal(await store.api.alert(OTHER_ACCOUNT, two?.sid ?? ""), undefined);
    });

    test("alerts are bounded by count and by age", async () => {
      await store.close();
      store = await open({ now: clock.now, log, retention: { alerts: 1500, alertAgeMs: 1000 } });
      const raise = async (count: number) => {
        for (let i = 0; i < count; i++)
          store.alerts.raise({ accountSid: ACCOUNT, errorCode: i, level: "notice", text: "t" });
        await store.alerts.flush();
      };
      for (let round = 0; round < 4; round++) await raise(500);
      assert.equal((await store.api.alerts(ACCOUNT, {}, { offset: 0, limit: 5000 })).length, 1500);
      clock.advance(2000);
      await raise(1000);
      assert.equal((await store.api.alerts(ACCOUNT, {}, { offset: 0, limit: 5000 })).length, 1000);
    });

    test("a storm of alerts is dropped beyond the buffer, counted and logged", async () => {
      for (let i = 0; i < 1200; i++)
        store.alerts.raise({ accountSid: ACCOUNT, errorCode: i, level: "notice", text: "t" });
      await store.alerts.flush();
      assert.equal((await store.api.alerts(ACCOUNT, {}, { offset: 0, limit: 5000 })).length, 1000);
      assert.deepEqual(
        log.lines.filter(({ level }) => level === "error").map(({ fields }) => fields),
        [{ dropped: 200 }],
      );
    });

    test("the store is healthy until it is closed, and then says so", async () => {
      assert.equal(await store.api.healthy(), true);
      await store.close();
      assert.equal(await store.api.healthy(), false);
      await assert.rejects(store.calls.saveCall(callRecord(1), []), { code: "STORE_UNAVAILABLE" });
      store = await open({ now: clock.now, log });
    });
  });
}

function recordingNews(resourceSid: string) {
  const url = "https://example.com/recordings";
  return {
    accountSid: ACCOUNT,
    callSid: null,
    resourceSid,
    kind: "recording-status" as const,
    url,
    method: "POST" as const,
  };
}
