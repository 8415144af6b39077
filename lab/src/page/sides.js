// Reading the state, and drawing both sides from it.
import { drawBubbles } from "./bubbles.js";
import { clock, element, make, reconcile, setText } from "./dom.js";

const REFRESH_DELAY_MS = 60;

export const open = { phone: null, conversation: null };
/** Numbers that were made up here and have not written yet. */
const newPhones = [];
/** How many messages of each phone and conversation were looked at. */
const seen = new Map();
const knownConversations = new Set();
let state = { links: [], phones: [], conversations: [], phone: null, conversation: null };

// ---- Reading the state ----

let refreshTimer = null;
let reading = false;
let readAgain = false;

export function refreshSoon() {
  if (refreshTimer === null) refreshTimer = setTimeout(refresh, REFRESH_DELAY_MS);
}

export async function refresh() {
  clearTimeout(refreshTimer);
  refreshTimer = null;
  if (reading) {
    readAgain = true;
    return;
  }
  reading = true;
  const asked = { ...open };
  try {
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== null));
    const response = await fetch(`/api/state?${query}`);
    if (!response.ok) throw new Error(`the lab answered ${response.status}`);
    const answer = await response.json();
    // The person may have opened something else meanwhile: then this answer has the wrong transcript.
    if (asked.phone === open.phone && asked.conversation === open.conversation) {
      state = answer;
      draw();
    } else {
      readAgain = true;
    }
  } catch {
    // The event stream notices the same and says so in the header; it asks again once it is back.
  } finally {
    reading = false;
    if (readAgain) {
      readAgain = false;
      refresh();
    }
  }
}

// ---- Drawing ----

function draw() {
  chooseWhatIsOpen();
  drawLinks();
  drawPhones();
  drawConversations();
  drawThread();
}

/** Something is open on both sides at all times; a new conversation takes the place of a closed one. */
function chooseWhatIsOpen() {
  const numbers = [...state.phones.map((phone) => phone.number), ...newPhones];
  if (open.phone === null || !numbers.includes(open.phone)) {
    open.phone = numbers[0] ?? addNewPhone();
    refreshSoon();
  }
  const current = state.conversations.find((conversation) => conversation.id === open.conversation);
  const newest = state.conversations[0];
  const isNew = newest?.state === "open" && !knownConversations.has(newest.id);
  for (const conversation of state.conversations) knownConversations.add(conversation.id);
  if (newest && (!current || (isNew && current.state === "closed"))) {
    open.conversation = newest.id;
    state.conversation = null;
    refreshSoon();
  }
}

function drawLinks() {
  element("addresses").hidden = state.links.length === 0;
  const rows = state.links.flatMap((link) => [
    { key: `name ${link.name}`, tag: "dt", text: link.name },
    { key: `url ${link.name}`, tag: "dd", text: link.url },
  ]);
  reconcile(element("links"), rows, (row) => row.key, (row) => make(row.tag), (node, row) => setText(node, row.text));
}

function drawPhones() {
  const select = element("phone-select");
  if (state.phone) seen.set(`p ${open.phone}`, state.phone.length);
  const known = state.phones.map((phone) => phone.number);
  const phones = [
    ...state.phones,
    ...newPhones.filter((number) => !known.includes(number)).map((number) => ({ number, messages: 0 })),
  ];
  reconcile(select, phones, (phone) => phone.number, () => make("option"), (option, phone) => {
    const unread = phone.number === open.phone ? 0 : phone.messages - (seen.get(`p ${phone.number}`) ?? 0);
    option.value = phone.number;
    setText(option, unread > 0 ? `${phone.number} (${unread} new)` : phone.number);
  });
  select.value = open.phone;
  drawBubbles("phone", open.phone, state.phone ?? []);
}

function drawConversations() {
  if (state.conversation) seen.set(`c ${open.conversation}`, state.conversation.length);
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
  const count = isOpen ? 0 : conversation.messages - (seen.get(`c ${conversation.id}`) ?? 0);
  item.dataset.state = conversation.state;
  item.dataset.conversation = conversation.id;
  button.title = conversation.id;
  if (isOpen) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  setText(title, conversation.title);
  badge.dataset.state = conversation.state;
  setText(badge, conversation.state);
  setText(last, conversation.last_text ?? "");
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
  element("card-menu").hidden = !isOpen;
  input.disabled = !isOpen;
  input.placeholder = !conversation || isOpen ? "Answer" : "Closed. The next text opens a new conversation.";
  drawBubbles("desk", open.conversation, state.conversation ?? []);
}

function openConversation(id) {
  open.conversation = id;
  state.conversation = null;
  element("desk-error").hidden = true;
  drawConversations();
  drawThread();
  refresh();
}

export function openPhone(number) {
  open.phone = number;
  state.phone = null;
  element("phone-error").hidden = true;
  drawPhones();
  refresh();
}

/** A number from the range that is kept free for fiction: 555-0100 to 555-0199 of an area code. */
export function addNewPhone() {
  const areas = ["202", "212", "303", "415", "512", "617", "702", "808"];
  const pick = (length) => Math.floor(Math.random() * length);
  const taken = new Set([...newPhones, ...state.phones.map((phone) => phone.number)]);
  let number;
  do {
    number = `+1${areas[pick(areas.length)]}55501${String(pick(100)).padStart(2, "0")}`;
  } while (taken.has(number) && taken.size < 400);
  newPhones.push(number);
  return number;
}
