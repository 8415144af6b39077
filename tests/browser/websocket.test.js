// Plays LivePerson's Messaging Window API tutorial against the lab, with the WebSocket client `ws` from npm: sign up, connect, request a
// conversation, publish, subscribe, read the agent's answer, close. Then again, thrown out with 4401 in between.
//
//   npm ci && node --test websocket.test.js     starts the lab with cargo, or the one of LAB_BINARY
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import { after, before, test } from "node:test";

import WebSocket from "ws";

import { openLab } from "./lab.js";

const STEP_MS = 20_000;

let lab;
let idp;
let messaging;

before(async () => {
  lab = await openLab(undefined, ["--tls"]);
  const answer = await fetch(`${lab.domainApi}/api/account/${lab.account}/service/baseURI.json?version=1.0`);
  const { baseURIs } = await answer.json();
  const host = (service) => baseURIs.find((entry) => entry.service === service).baseURI;
  idp = host("idp");
  messaging = host("asyncMessagingEnt").replace(/^http/, "ws");
});

after(() => lab?.stop());

async function post(url, body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(STEP_MS) });
  assert.ok(answer.ok, `${url}: ${answer.status}`);
  return answer.status === 204 ? undefined : answer.json();
}

const signUp = async () => (await post(`${idp}/api/account/${lab.account}/signup`, {})).jwt;
const authenticate = async (authCode) => (await post(`${idp}/api/account/${lab.account}/authenticate`, { authCode })).jwt;
const anonymous = async (body) => (await post(`${idp}/api/account/${lab.account}/anonymous/authorize`, body)).token;
const agent = (action, body) => post(`${lab.url}api/desk/${action}`, body);
const claims = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[1], "base64url"));

/** A consumer's connection: requests are answered, and notifications are kept until somebody waits for them. */
class Consumer {
  #socket;
  #requests = 0;
  #waiting = [];
  #notifications = [];

  /** Without `tls` over plain HTTP. With it to this host, whose certificate must be signed by this authority. */
  static async connect(authorization, tls) {
    const consumer = new Consumer();
    const path = `/ws_api/account/${lab.account}/messaging/consumer?v=3`;
    const options = { ...(authorization && { headers: { authorization } }), ...(tls && { ca: tls.ca }) };
    consumer.#socket = new WebSocket(`${tls ? `wss://${tls.host}` : messaging}${path}`, options);
    consumer.closed = once(consumer.#socket, "close").then(([code]) => code);
    consumer.#socket.on("message", (data) => consumer.#received(JSON.parse(data)));
    await once(consumer.#socket, "open", { signal: AbortSignal.timeout(STEP_MS) });
    return consumer;
  }

  send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #received(frame) {
    const waiter = this.#waiting.findIndex(({ wants }) => wants(frame));
    if (waiter >= 0) this.#waiting.splice(waiter, 1)[0].resolve(frame);
    else if (frame.kind === "notification") this.#notifications.push(frame);
  }

  #next(what, wants) {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`no ${what} in time`)), STEP_MS);
      this.#waiting.push({ wants, resolve: (frame) => (clearTimeout(limit), resolve(frame)) });
    });
  }

  async request(type, body) {
    const id = `${++this.#requests}`;
    const answer = this.#next(`answer to ${type}`, (frame) => frame.kind === "resp" && frame.reqId === id);
    this.send({ kind: "req", id, type, body });
    return answer;
  }

  /** The next notification with a change for which this is true. */
  async change(what, wanted) {
    const has = (frame) => frame.kind === "notification" && frame.body.changes.some(wanted);
    const kept = this.#notifications.findIndex(has);
    const frame = kept >= 0 ? this.#notifications.splice(kept, 1)[0] : await this.#next(what, has);
    return frame.body.changes.find(wanted);
  }

  text(message) {
    return this.change(message, (change) => change.event?.message === message);
  }

  ping() {
    const pong = once(this.#socket, "pong", { signal: AbortSignal.timeout(STEP_MS) });
    this.#socket.ping();
    return pong;
  }

  close() {
    this.#socket.close();
    return this.closed;
  }
}

const text = (message) => ({ type: "ContentEvent", contentType: "text/plain", message });

async function openConversation(consumer) {
  const opened = await consumer.request("cm.ConsumerRequestConversation", {});
  assert.equal(opened.code, 200);
  assert.equal(opened.type, "cm.RequestConversationResponse");
  return opened.body.conversationId;
}

test("the tutorial's sequence, from the sign-up to the close", async () => {
  const jwt = await signUp();
  const consumer = await Consumer.connect(jwt);
  const filter = { minLastUpdatedTime: 0, convState: ["OPEN", "CLOSE"], stage: ["OPEN", "CLOSE"] };
  const subscribed = await consumer.request("cqm.SubscribeExConversations", filter);
  assert.ok(subscribed.body.subscriptionId);

  const conversation = await openConversation(consumer);
  await consumer.change("open conversation", (change) => change.result?.convId === conversation);
  const published = await consumer.request("ms.PublishEvent", { dialogId: conversation, event: text("My first message") });
  assert.deepEqual([published.code, published.body.sequence], [200, 0]);
  await consumer.request("ms.SubscribeMessagingEvents", { fromSeq: 0, dialogId: conversation });
  const echo = await consumer.text("My first message");
  assert.equal(echo.originatorId, claims(jwt).sub);

  await agent("say", { conversation, text: "Hello from the desk" });
  const answer = await consumer.text("Hello from the desk");
  assert.equal(answer.originatorMetadata.role, "ASSIGNED_AGENT");
  const read = { type: "AcceptStatusEvent", status: "READ", sequenceList: [answer.sequence] };
  assert.equal((await consumer.request("ms.PublishEvent", { dialogId: conversation, event: read })).code, 200);
  assert.ok((await consumer.request(".GetClock", {})).body.currentTime > 0);
  await consumer.ping();

  const conversationField = [{ field: "ConversationStateField", conversationState: "CLOSE" }];
  const closed = await consumer.request("cm.UpdateConversationField", { conversationId: conversation, conversationField });
  assert.equal(closed.body, "OK Conversation resolved successfully");
  await consumer.change("close", (change) => change.result?.conversationDetails.stage === "CLOSE");
  await consumer.close();
});

test("a consumer who is thrown out with 4401 comes back to the same conversation", async () => {
  const jwt = await authenticate("customer-17");
  const consumer = await Consumer.connect(`jwt ${jwt}`);
  const conversation = await openConversation(consumer);
  await consumer.request("ms.PublishEvent", { dialogId: conversation, event: text("before") });
  await agent("expire_window_tokens", {});
  assert.equal(await consumer.closed, 4401);
  await agent("say", { conversation, text: "missed" });
  assert.equal(await (await Consumer.connect(`jwt ${jwt}`)).closed, 4401, "the old token stays invalid");

  // As a browser, without headers. The brand has authenticated its consumer again.
  const back = await Consumer.connect();
  const renewed = await authenticate("customer-17");
  assert.equal(claims(renewed).sub, claims(jwt).sub);
  back.send({
    kind: "req", id: "0", type: "InitConnection",
    headers: [{ type: ".ams.headers.ClientProperties" }, { type: ".ams.headers.ConsumerAuthentication", jwt: renewed }],
  });
  await back.request("ms.SubscribeMessagingEvents", { fromSeq: 1, dialogId: conversation });
  assert.equal((await back.text("missed")).sequence, 1);
  const published = await back.request("ms.PublishEvent", { dialogId: conversation, event: text("after") });
  assert.equal(published.body.sequence, 2);
  await back.close();
});

test("an anonymous consumer is thrown out with 4407, and IDP extends the identity", async () => {
  const jwt = await anonymous({});
  const consumer = await Consumer.connect(`jwt ${jwt}`);
  const conversation = await openConversation(consumer);
  await agent("expire_window_tokens", {});
  assert.equal(await consumer.closed, 4407);
  const extended = await anonymous({ id_token: jwt });
  const back = await Consumer.connect(`jwt ${extended}`);
  const published = await back.request("ms.PublishEvent", { dialogId: conversation, event: text("still me") });
  assert.equal(published.code, 200);
  await back.close();
});

/** A request over TLS, by a client that trusts only this authority. */
function secure(method, url, ca) {
  return new Promise((resolve, reject) => {
    const request = https.request(url, { method, ca, headers: { "content-type": "application/json" } }, (answer) => {
      let body = "";
      answer.on("data", (part) => (body += part)).on("end", () => resolve(JSON.parse(body)));
    });
    request.on("error", reject).end(method === "POST" ? "{}" : undefined);
  });
}

test("over TLS the bare hosts of the Domain API are called by https and wss", async () => {
  const ca = readFileSync(lab.tls.authority);
  const domainApi = `https://${lab.tls.host}/api/account/${lab.account}/service`;
  const host = async (service) => (await secure("GET", `${domainApi}/${service}/baseURI.json?version=1.0`, ca)).baseURI;
  const { jwt } = await secure("POST", `https://${await host("idp")}/api/account/${lab.account}/signup`, ca);
  const consumer = await Consumer.connect(`jwt ${jwt}`, { host: await host("asyncMessagingEnt"), ca });
  const conversation = await openConversation(consumer);
  await consumer.request("ms.SubscribeMessagingEvents", { fromSeq: 0, dialogId: conversation });
  await agent("say", { conversation, text: "Hello over TLS" });
  await consumer.text("Hello over TLS");
  await consumer.close();
});

test("a client that doesn't trust the lab's authority gets no connection", async () => {
  await assert.rejects(secure("GET", `https://${lab.tls.host}/`), /certificate/);
});
