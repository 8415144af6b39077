// The consumers' phones, by channel.
import { act, complain, composer } from "./actions.js";
import { drawBubbles } from "./bubbles.js";
import { element, make, reconcile, scrollToEnd, setText } from "./dom.js";
import { fileButton } from "./files.js";
import { open, refresh, refreshSoon, state } from "./state.js";

/** New phones that have not written yet, each as `{ channel, number }`. */
const newPhones = [];
/** How many messages of each phone were looked at. */
const seen = new Map();
/** The phones whose consumer is typing. */
const typing = new Set();
let typingTimer = null;

const keyOf = ({ channel, number }) => `${number} ${channel}`;
const current = () => ({ channel: open.channel, phone: open.phone });

// ---- Drawing ----

/** All phones: those that the lab knows, and those that were made up here. */
function allPhones() {
  return state.channels.flatMap(({ name, phones }) => {
    const known = phones.map((phone) => ({ channel: name, ...phone }));
    const fresh = newPhones.filter((phone) => phone.channel === name && !phones.some(({ number }) => number === phone.number));
    return [...known, ...fresh.map((phone) => ({ messages: 0, ...phone }))];
  });
}

/** Some phone is open at all times. */
export function choosePhone() {
  const phones = allPhones();
  if (phones.some((phone) => phone.channel === open.channel && phone.number === open.phone)) return;
  const phone = phones[0] ?? (state.channels.length > 0 ? addNewPhone(state.channels[0].name) : null);
  if (!phone) return;
  open.channel = phone.channel;
  open.phone = phone.number;
  refreshSoon();
}

export function drawPhones() {
  const select = element("phone-select");
  const opened = keyOf({ channel: open.channel, number: open.phone });
  if (state.phone) seen.set(opened, state.phone.length);
  reconcile(select, allPhones(), keyOf, () => make("option"), (option, phone) => {
    const key = keyOf(phone);
    const unread = key === opened ? 0 : phone.messages - (seen.get(key) ?? 0);
    option.value = key;
    const name = state.channels.length > 1 ? `${phone.channel} ${phone.number}` : phone.number;
    setText(option, unread > 0 ? `${name} (${unread} new)` : name);
  });
  select.value = opened;
  const channels = element("phone-channel");
  channels.hidden = state.channels.length < 2;
  reconcile(channels, state.channels, ({ name }) => name, ({ name }) => make("option", "", name), () => {});
  drawTools();
  drawTyping();
  drawBubbles("phone", opened, state.phone ?? [], (media) => `/api/phones/media?${new URLSearchParams({ channel: open.channel, id: media })}`);
}

/** Only what the channel has is offered. */
function drawTools() {
  const features = state.channels.find(({ name }) => name === open.channel)?.features ?? {};
  const tools = { read: features.read_receipts, types: features.typing, attach: features.files, place: features.places };
  for (const [tool, there] of Object.entries(tools)) element(`phone-${tool}`).hidden = !there;
  element("phone-tools").hidden = !Object.values(tools).some(Boolean);
  element("phone-types").setAttribute("aria-pressed", `${typing.has(keyOf({ channel: open.channel, number: open.phone }))}`);
  const input = element("phone-input");
  if (features.longest_text) input.maxLength = features.longest_text;
  else input.removeAttribute("maxlength");
}

function drawTyping() {
  clearTimeout(typingTimer);
  const left = (state.brand_types_until_ms ?? 0) - Date.now();
  setText(element("phone-typing"), left > 0 ? "The other side is typing…" : "");
  // No change is reported when the time is over, so the page must draw again by itself.
  if (left > 0) typingTimer = setTimeout(drawTyping, left);
}

// ---- Actions ----

function openPhone({ channel, number }) {
  open.channel = channel;
  open.phone = number;
  state.phone = null;
  state.brand_types_until_ms = null;
  element("phone-error").hidden = true;
  drawPhones();
  refresh();
}

/** A number from the range that is kept free for fiction: 555-0100 to 555-0199 of an area code. */
function addNewPhone(channel) {
  const areas = ["202", "212", "303", "415", "512", "617", "702", "808"];
  const pick = (length) => Math.floor(Math.random() * length);
  const taken = new Set(allPhones().map((phone) => phone.number));
  let number;
  do {
    number = `+1${areas[pick(areas.length)]}55501${String(pick(100)).padStart(2, "0")}`;
  } while (taken.has(number) && taken.size < 400);
  const phone = { channel, number };
  newPhones.push(phone);
  return phone;
}

/** A tap on a button or a row of a list, wherever in the transcript it is. */
function tap(event) {
  const choice = event.target.closest("button.choice");
  const message = choice?.closest(".bubble");
  if (!message) return;
  scrollToEnd("phone");
  act(element("phone-error"), "/api/phones/tap", { ...current(), message: message.dataset.key, choice: choice.dataset.choice });
}

async function toggleTyping() {
  const phone = current();
  const key = keyOf({ channel: phone.channel, number: phone.phone });
  const begins = !typing.has(key);
  if (!(await act(element("phone-error"), "/api/phones/typing", { ...phone, typing: begins }))) return;
  if (begins) typing.add(key);
  else typing.delete(key);
  drawTools();
}

/** The phone that the dialog was opened for: another one may come to the front meanwhile. */
let placeFor = null;

async function sendPlace(event) {
  event.preventDefault();
  const value = (name) => element(`place-${name}`).value;
  const place = {
    latitude: Number(value("latitude")),
    longitude: Number(value("longitude")),
    name: value("name"),
    address: value("address"),
  };
  const button = element("place-send");
  button.disabled = true;
  scrollToEnd("phone");
  const taken = await act(element("place-error"), "/api/phones/place", { ...placeFor, ...place });
  button.disabled = false;
  if (taken) element("place-dialog").close();
}

export function startPhones() {
  composer("phone", "/api/phones/send", (text) => ({ ...current(), text }));
  fileButton("phone", "/api/phones/file", current);
  element("phone-select").addEventListener("change", (event) => {
    const phone = allPhones().find((phone) => keyOf(phone) === event.target.value);
    if (phone) openPhone(phone);
  });
  element("phone-new").addEventListener("click", () => {
    const channel = element("phone-channel").value || state.channels[0]?.name;
    if (!channel) return;
    openPhone(addNewPhone(channel));
    element("phone-input").focus();
  });
  element("phone-messages").addEventListener("click", tap);
  element("phone-read").addEventListener("click", () => act(element("phone-error"), "/api/phones/read", current()));
  element("phone-types").addEventListener("click", toggleTyping);
  element("phone-place").addEventListener("click", () => {
    placeFor = current();
    complain(element("place-error"), null);
    element("place-dialog").showModal();
  });
  element("place-form").addEventListener("submit", sendPlace);
  element("place-cancel").addEventListener("click", () => element("place-dialog").close());
}
