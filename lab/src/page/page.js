"use strict";

const WIRE_LINES = 2000;
const REFRESH_DELAY_MS = 60;
const element = (id) => document.getElementById(id);

const open = { phone: null, conversation: null };
/** Numbers that were made up here and have not written yet. */
const newPhones = [];
/** How many messages of each phone and conversation were looked at. */
const seen = new Map();
const knownConversations = new Set();
let state = { links: [], phones: [], conversations: [], phone: null, conversation: null };

// Text goes into the page as text only: nothing in this file writes markup.
function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Brings a list's items up to date in place, so that focus, scroll position and screen readers are left in peace. */
function reconcile(list, items, keyOf, build, fill) {
  const spare = new Map([...list.children].map((node) => [node.dataset.key, node]));
  let cursor = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let node = spare.get(key);
    spare.delete(key);
    if (!node) {
      node = build(item);
      node.dataset.key = key;
    }
    fill(node, item);
    if (node === cursor) cursor = cursor.nextElementSibling;
    else list.insertBefore(node, cursor);
  }
  for (const node of spare.values()) node.remove();
}

function keepAtEnd(scroller, change) {
  const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
  const before = scroller.scrollHeight;
  change();
  if (atEnd && scroller.scrollHeight !== before) scroller.scrollTop = scroller.scrollHeight;
}

// ---- Reading the state ----

let refreshTimer = null;
let reading = false;
let readAgain = false;

function refreshSoon() {
  if (refreshTimer === null) refreshTimer = setTimeout(refresh, REFRESH_DELAY_MS);
}

async function refresh() {
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
  drawBubbles("phone", state.phone ?? []);
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
  input.disabled = !isOpen;
  input.placeholder = !conversation || isOpen ? "Answer" : "Closed. The next text opens a new conversation.";
  drawBubbles("desk", state.conversation ?? []);
}

function drawBubbles(side, bubbles) {
  const list = element(`${side}-messages`);
  element(`${side}-empty`).hidden = bubbles.length > 0;
  const subject = side === "phone" ? open.phone : open.conversation;
  const scroller = list.parentElement;
  const switched = list.dataset.subject !== subject;
  list.dataset.subject = subject ?? "";
  // How far a text has come is told to the one who wrote it, and to the agent in any case.
  const tells = (bubble) => bubble.side !== "system" && (side === "desk" || bubble.side === "consumer");
  const fill = (item, bubble) => fillBubble(item, bubble, tells(bubble));
  keepAtEnd(scroller, () => reconcile(list, bubbles, (bubble) => bubble.id, buildBubble, fill));
  if (switched) scroller.scrollTop = scroller.scrollHeight;
}

function buildBubble() {
  const item = make("li", "bubble");
  const meta = make("div", "meta");
  meta.append(make("span", "sequence"), make("time"), make("span", "state"), make("span", "note"));
  item.append(make("div", "text"), meta);
  return item;
}

const STATE_WORDS = { pending: "sending", accepted: "sent", delivered: "delivered", failed: "failed" };

function fillBubble(item, bubble, tellsProgress) {
  const [text, meta] = item.children;
  const [sequence, time, progress, note] = meta.children;
  item.dataset.side = bubble.side;
  item.dataset.state = bubble.state ?? "";
  setText(text, bubble.text);
  sequence.hidden = bubble.sequence === null;
  setText(sequence, bubble.sequence === null ? "" : `#${bubble.sequence}`);
  sequence.title = "Sequence number";
  setText(time, clock(bubble.at_ms));
  setText(progress, tellsProgress ? (STATE_WORDS[bubble.state] ?? "") : "");
  progress.hidden = progress.textContent === "";
  note.hidden = !bubble.note;
  setText(note, bubble.note ?? "");
}

function clock(ms) {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

// ---- Doing something ----

async function act(side, path, body) {
  const error = element(`${side}-error`);
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) {
      const answer = await response.json().catch(() => null);
      throw new Error(answer?.error?.message ?? `the lab answered ${response.status}`);
    }
    error.hidden = true;
    refreshSoon();
    return true;
  } catch (problem) {
    error.textContent = problem instanceof TypeError ? "The lab does not answer. Is it still running?" : problem.message;
    error.hidden = false;
    return false;
  }
}

function composer(side, path, bodyOf) {
  let sent = Promise.resolve();
  const form = element(`${side}-form`);
  const input = element(`${side}-input`);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value;
    if (text.trim() === "") {
      input.focus();
      return;
    }
    // Emptied at once, so that Enter twice is not the same text twice; it comes back when it was not taken.
    input.value = "";
    input.focus();
    const scroller = element(`${side}-messages`).parentElement;
    scroller.scrollTop = scroller.scrollHeight;
    // One after the other, so that two quick texts arrive in the order in which they were written.
    const body = bodyOf(text);
    sent = sent.then(() => act(side, path, body));
    if (!(await sent) && input.value === "") input.value = text;
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

function openConversation(id) {
  open.conversation = id;
  state.conversation = null;
  element("desk-error").hidden = true;
  drawConversations();
  drawThread();
  refresh();
}

function openPhone(number) {
  open.phone = number;
  state.phone = null;
  element("phone-error").hidden = true;
  drawPhones();
  refresh();
}

/** A number from the range that is kept free for fiction: 555-0100 to 555-0199 of an area code. */
function addNewPhone() {
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

// ---- The wire log ----

const wire = { list: null, filter: "", run: null };

function addLine(entry) {
  const item = make("li");
  const hasDetail = entry.detail !== null;
  const detail = hasDetail ? JSON.stringify(entry.detail, null, 2) : "";
  const line = make(hasDetail ? "summary" : "div", "line");
  const time = make("time", "", preciseClock(entry.at_ms));
  time.dateTime = new Date(entry.at_ms).toISOString();
  const hop = make("span", "hop");
  for (const name of [entry.from, entry.to]) {
    const part = make("span", "part", name);
    part.dataset.part = name;
    hop.append(part);
  }
  const what = make("span", "what", entry.what);
  what.title = entry.what;
  if (/-> (?:[45]\d\d\b|no |connection lost)/.test(entry.what)) what.classList.add("bad");
  line.append(time, hop, what);
  if (hasDetail) {
    const details = make("details");
    details.append(line);
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(make("pre", "", detail));
      // Whoever opens a line wants to read it.
      if (details.open) element("wire-follow").checked = false;
    });
    item.append(details);
  } else {
    item.append(line);
  }
  item.dataset.search = `${entry.from} ${entry.to} ${entry.what} ${detail}`.toLowerCase();
  item.hidden = !item.dataset.search.includes(wire.filter);
  wire.list.append(item);
  while (wire.list.children.length > WIRE_LINES) wire.list.firstElementChild.remove();
  wireChanged();
}

function preciseClock(ms) {
  return `${clock(ms)}.${String(new Date(ms).getMilliseconds()).padStart(3, "0")}`;
}

let wireFrame = null;

/** Counting and scrolling once per frame is enough, however many lines come. */
function wireChanged() {
  wireFrame ??= requestAnimationFrame(() => {
    wireFrame = null;
    const total = wire.list.children.length;
    const shown = wire.list.querySelectorAll(":scope > li:not([hidden])").length;
    const count = wire.filter === "" ? `${total}` : `${shown} of ${total}`;
    setText(element("wire-count"), total === 1 ? "1 line" : `${count} lines`);
    element("wire-empty").hidden = shown > 0;
    setText(element("wire-empty"), total > 0 ? "No line has this text." : "Nothing has travelled yet.");
    if (element("wire-follow").checked) {
      const scroller = element("wire-scroll");
      scroller.scrollTop = scroller.scrollHeight;
    }
  });
}

function filterWire() {
  wire.filter = element("wire-filter").value.trim().toLowerCase();
  for (const item of wire.list.children) item.hidden = !item.dataset.search.includes(wire.filter);
  wireChanged();
}

function clearWire() {
  wire.list.replaceChildren();
  wireChanged();
}

// ---- Live ----

function connect() {
  const status = element("connection");
  const show = (name, text) => {
    status.dataset.state = name;
    setText(status, text);
  };
  const events = new EventSource("/api/events");
  events.addEventListener("hello", (event) => {
    if (wire.run !== event.data) clearWire();
    wire.run = event.data;
    show("live", "Live");
    refresh();
  });
  events.addEventListener("journal", (event) => addLine(JSON.parse(event.data)));
  events.addEventListener("changed", refreshSoon);
  events.addEventListener("error", () => {
    show("lost", "Not connected");
    // The browser tries again by itself, except after an answer that was no event stream.
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  });
}

function useTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function start() {
  wire.list = element("wire-log");
  const theme = element("theme");
  theme.value = localStorage.getItem("theme") ?? "";
  useTheme(theme.value);
  theme.addEventListener("change", () => {
    localStorage.setItem("theme", theme.value);
    useTheme(theme.value);
  });

  composer("phone", "/api/phones/send", (text) => ({ phone: open.phone, text }));
  composer("desk", "/api/desk/say", (text) => ({ conversation: open.conversation, text }));
  element("desk-close").addEventListener("click", () => act("desk", "/api/desk/close", { conversation: open.conversation }));
  element("phone-select").addEventListener("change", (event) => openPhone(event.target.value));
  element("phone-new").addEventListener("click", () => {
    openPhone(addNewPhone());
    element("phone-input").focus();
  });
  element("wire-filter").addEventListener("input", filterWire);
  element("wire-clear").addEventListener("click", clearWire);
  // Whoever scrolls up wants to read; whoever comes back to the end wants to follow.
  element("wire-scroll").addEventListener("wheel", () => requestAnimationFrame(() => {
    const scroller = element("wire-scroll");
    element("wire-follow").checked = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 8;
  }), { passive: true });
  element("wire-follow").addEventListener("change", wireChanged);
  const addresses = element("addresses");
  document.addEventListener("click", (event) => {
    if (!addresses.contains(event.target)) addresses.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") addresses.open = false;
  });
  connect();
}

start();
