// LivePerson's `node-agent-sdk`, unmodified, is an agent in the lab: it logs in, is online, accepts the ring of a consumer of the Messaging
// Window API, reads, answers and closes.
//
//   npm ci && npm test                          starts the lab with cargo, or the one of LAB_BINARY
//
// The SDK speaks only HTTPS, and the lab serves TLS.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import tls from "node:tls";

import { openLab } from "../browser/lab.js";

const { Agent } = createRequire(import.meta.url)("node-agent-sdk");
const STEP_MS = 20_000;

let lab;

before(async () => {
  lab = await openLab(undefined, ["--tls"]);
  // The SDK has no option for a certificate authority, and NODE_EXTRA_CA_CERTS is read before the lab has one. So every connection of this
  // process trusts the lab's authority, and no other.
  const ca = readFileSync(lab.tls.authority);
  const { createSecureContext } = tls;
  tls.createSecureContext = (options) => createSecureContext({ ...options, ca });
});

after(() => lab?.stop());

/** Waits until this returns something. */
async function until(what, find) {
  for (const end = Date.now() + STEP_MS; Date.now() < end; ) {
    const found = await find();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not in time`);
}

/** A consumer of the Messaging Window API, with the WebSocket of the SDK's own dependency. */
async function consumer() {
  const WebSocket = createRequire(createRequire(import.meta.url).resolve("node-agent-sdk"))("ws");
  const signUp = await fetch(`${lab.domainApi}/api/account/${lab.account}/signup`, { method: "POST" });
  const { jwt } = await signUp.json();
  const url = `${lab.domainApi.replace(/^http/, "ws")}/ws_api/account/${lab.account}/messaging/consumer?v=3`;
  const socket = new WebSocket(url, { headers: { Authorization: `jwt ${jwt}` } });
  const received = [];
  socket.on("message", (data) => received.push(JSON.parse(data)));
  await once(socket, "open");
  let requests = 0;
  const request = async (type, body) => {
    const id = `${++requests}`;
    socket.send(JSON.stringify({ kind: "req", id, type, body }));
    return until(type, () => received.find((frame) => frame.kind === "resp" && frame.reqId === id));
  };
  return { socket, received, request };
}

test("the SDK logs in, accepts a ring, answers and closes", async () => {
  const { host } = lab.tls;
  const agent = new Agent({
    accountId: lab.account,
    username: "lab-agent",
    password: "lab-agent",
    csdsDomain: host,
  });
  const errors = [];
  agent.on("error", (error) => errors.push(error));
  const call = (name, body) =>
    new Promise((resolve, reject) => agent[name](body, (error, answer) => (error ? reject(new Error(JSON.stringify(error))) : resolve(answer))));
  await once(agent, "connected", { signal: AbortSignal.timeout(STEP_MS) });
  assert.ok((await call("getClock", {})).currentTime > 0);
  await call("setAgentState", { availability: "ONLINE" });

  const rings = [];
  agent.on("routing.RoutingTaskNotification", (body) => rings.push(...body.changes));
  const conversations = [];
  agent.on("cqm.ExConversationChangeNotification", (body) => conversations.push(...body.changes));
  const events = [];
  agent.on("ms.MessagingEventNotification", (body) => events.push(...body.changes));
  await call("subscribeRoutingTasks", {});
  await call("subscribeExConversations", { convState: ["OPEN"], agentIds: [agent.agentId] });

  const { socket, received, request } = await consumer();
  const opened = await request("cm.ConsumerRequestConversation", {});
  const conversation = opened.body.conversationId;
  const publish = (message) =>
    request("ms.PublishEvent", { dialogId: conversation, event: { type: "ContentEvent", contentType: "text/plain", message } });
  await publish("Is anybody there?");
  await request("ms.SubscribeMessagingEvents", { dialogId: conversation, fromSeq: 0 });

  const ring = await until("ring", () => rings.find((change) => change.type === "UPSERT"));
  assert.equal(ring.result.conversationId, conversation);
  await call("updateRingState", { ringId: ring.result.ringsDetails[0].ringId, ringState: "ACCEPTED" });
  await until("end of the ring", () => rings.find((change) => change.type === "DELETE"));
  const mine = await until("conversation", () => conversations.find((change) => change.result.convId === conversation));
  assert.equal(mine.result.conversationDetails.getMyRole(), "ASSIGNED_AGENT");
  const participant = mine.result.conversationDetails.participants.find(({ role }) => role === "ASSIGNED_AGENT");
  assert.equal(participant.id, agent.agentId);

  await call("subscribeMessagingEvents", { dialogId: conversation, fromSeq: 0 });
  const first = await until("first text", () => events.find((change) => change.event.message === "Is anybody there?"));
  assert.equal(first.isMe(), false);
  const answer = { type: "ContentEvent", contentType: "text/plain", message: "Yes, I am." };
  assert.equal((await call("publishEvent", { dialogId: conversation, event: answer })).sequence, 1);
  await until("answer", () => received.find((frame) => frame.body?.changes?.[0].event?.message === "Yes, I am."));
  const own = await until("echo", () => events.find((change) => change.event.message === "Yes, I am."));
  assert.equal(own.isMe(), true);
  await publish("Thanks");
  await until("next text", () => events.find((change) => change.event.message === "Thanks"));

  const desk = await (await fetch(`${lab.url}api/state?conversation=${conversation}`)).json();
  assert.equal(desk.conversation.length, 3, "the desk shows the same texts");

  const conversationField = [{ field: "ConversationStateField", conversationState: "CLOSE" }];
  await call("updateConversationField", { conversationId: conversation, conversationField });
  await until("close", () => conversations.find((change) => change.type === "DELETE"));
  assert.equal((await publish("too late").catch((error) => error)).code, 400);
  assert.deepEqual(errors, []);
  socket.close();
  agent.dispose();
});
