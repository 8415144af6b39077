// The agent's desk: the list of conversations, and the one that is open.
import { act, composer } from "./actions.js";
import { drawBubbles } from "./bubbles.js";
import { clock, element, make, reconcile, setText } from "./dom.js";
import { fileButton } from "./files.js";
import { open, refresh, refreshSoon, state } from "./state.js";

const DIALOG_NAMES = { main: "Main dialog", survey: "Survey" };
const PLACEHOLDERS = {
  open: "Answer",
  survey: "The agent is done. The consumer’s next text answers the survey.",
  closed: "Closed. The next text opens a new conversation.",
};

/** How many messages of each conversation were looked at. */
const seen = new Map();
const known = new Set();
/** The conversations in which the agent is typing. */
const typing = new Set();

const current = () => ({ conversation: open.conversation });
const error = () => element("desk-error");

// ---- Drawing ----

/** Some conversation is open if there is any; a new one takes the place of a closed one. */
export function chooseConversation() {
  const shown = state.conversations.find((conversation) => conversation.id === open.conversation);
  const newest = state.conversations[0];
  const isNew = newest?.state === "open" && !known.has(newest.id);
  for (const conversation of state.conversations) known.add(conversation.id);
  if (newest && (!shown || (isNew && shown.state === "closed"))) {
    open.conversation = newest.id;
    state.conversation = null;
    refreshSoon();
  }
}

export function drawDesk() {
  element("desk-survey-label").hidden = state.survey === null;
  element("desk-survey").checked = state.survey === true;
  drawConversations();
  drawThread();
}

function drawConversations() {
  if (state.conversation) seen.set(open.conversation, state.conversation.length);
  element("conversations-empty").hidden = state.conversations.length > 0;
  reconcile(element("conversations"), state.conversations, (item) => item.id, buildConversation, fillConversation);
}

function buildConversation(conversation) {
  const item = make("li");
  const button = make("button", "conversation");
  button.type = "button";
  button.append(make("span", "title"), make("span", "badge"), make("span", "last"), make("span", "when"), make("span", "unread"));
  button.addEventListener("click", () => openConversation(conversation.id));
  item.append(button);
  return item;
}

function fillConversation(item, conversation) {
  const button = item.firstElementChild;
  const [title, badge, last, when, unread] = button.children;
  const isOpen = conversation.id === open.conversation;
  const count = isOpen ? 0 : conversation.messages - (seen.get(conversation.id) ?? 0);
  item.dataset.state = conversation.state;
  item.dataset.conversation = conversation.id;
  button.title = conversation.id;
  if (isOpen) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  setText(title, conversation.title);
  badge.dataset.state = conversation.state;
  setText(badge, conversation.state);
  setText(last, conversation.consumer_is_typing ? "typing…" : (conversation.last_text ?? ""));
  setText(when, clock(conversation.opened_at_ms));
  when.hidden = count > 0;
  unread.hidden = count <= 0;
  setText(unread, `${count}`);
  unread.setAttribute("aria-label", `${count} new`);
}

function drawThread() {
  const conversation = state.conversations.find((item) => item.id === open.conversation);
  const isOpen = conversation?.state === "open";
  const badge = element("desk-state");
  const input = element("desk-input");
  setText(element("desk-title"), conversation?.title ?? "No conversation");
  element("desk-title").title = conversation?.id ?? "";
  badge.hidden = !conversation;
  badge.dataset.state = conversation?.state ?? "";
  setText(badge, conversation?.state ?? "");
  element("desk-close").disabled = !isOpen;
  element("desk-send").disabled = !isOpen;
  element("desk-tools").hidden = !isOpen;
  element("desk-hand-over").hidden = !isOpen;
  element("desk-types").setAttribute("aria-pressed", `${typing.has(open.conversation)}`);
  input.disabled = !isOpen;
  input.placeholder = PLACEHOLDERS[conversation?.state ?? "open"];
  setText(element("desk-typing"), conversation?.consumer_is_typing ? "The consumer is typing…" : "");
  const facts = conversation ? factsOf(conversation) : [];
  element("desk-facts").hidden = facts.length === 0;
  reconcile(element("desk-facts"), facts, (fact) => fact.key, () => make("li"), (item, fact) => {
    item.dataset.state = fact.state ?? "";
    setText(item, fact.text);
  });
  drawBubbles("desk", open.conversation, state.conversation ?? [], (media) => `/api/desk/media?${new URLSearchParams({ id: media })}`);
}

function factsOf(conversation) {
  const facts = [];
  if (conversation.skill !== null) facts.push({ key: "skill", text: `Skill ${conversation.skill}` });
  facts.push({ key: "agent", text: conversation.agent_joined ? "Agent joined" : "No agent yet" });
  for (const dialog of conversation.dialogs) {
    const [text, how] = [DIALOG_NAMES[dialog.kind], dialog.open ? "open" : "closed"];
    facts.push({ key: `dialog ${dialog.id}`, state: how, text: `${text}: ${how}` });
  }
  if (conversation.satisfaction !== null) facts.push({ key: "csat", text: `Satisfaction: ${conversation.satisfaction} of 5` });
  return facts;
}

// ---- Actions ----

function openConversation(id) {
  open.conversation = id;
  state.conversation = null;
  error().hidden = true;
  drawDesk();
  refresh();
}

async function toggleTyping() {
  const { conversation } = current();
  const begins = !typing.has(conversation);
  if (!(await act(error(), "/api/desk/typing", { conversation, typing: begins }))) return;
  if (begins) typing.add(conversation);
  else typing.delete(conversation);
  drawThread();
}

async function setSurvey(event) {
  if (!(await act(error(), "/api/desk/survey", { on: event.target.checked }))) drawDesk();
  else refresh();
}

async function transfer(event) {
  event.preventDefault();
  const skill = element("desk-skill").value;
  element("desk-hand-over").open = false;
  if (await act(error(), "/api/desk/transfer", { ...current(), skill })) element("desk-skill").value = "";
}

export function startDesk() {
  composer("desk", "/api/desk/say", (text) => ({ ...current(), text }));
  fileButton("desk", "/api/desk/file", current);
  element("desk-close").addEventListener("click", () => act(error(), "/api/desk/close", current()));
  element("desk-read").addEventListener("click", () => act(error(), "/api/desk/read", current()));
  element("desk-survey").addEventListener("change", setSurvey);
  element("desk-types").addEventListener("click", toggleTyping);
  element("desk-transfer-form").addEventListener("submit", transfer);
  element("desk-leave").addEventListener("click", () => {
    element("desk-hand-over").open = false;
    act(error(), "/api/desk/leave", current());
  });
}
