// The messages of a transcript, on the phone and at the desk.
import { clock, element, keepAtEnd, make, reconcile, setText } from "./dom.js";

const STATE_WORDS = { pending: "sending", accepted: "sent", delivered: "delivered", read: "read", failed: "failed" };

/** `subject` is the phone or the conversation whose messages these are. */
export function drawBubbles(side, subject, bubbles) {
  const list = element(`${side}-messages`);
  element(`${side}-empty`).hidden = bubbles.length > 0;
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
  meta.append(make("span", "sequence"), make("time"), make("span", "state"), make("span", "tags"), make("span", "note"));
  const card = make("div", "parts");
  card.setAttribute("role", "group");
  card.setAttribute("aria-label", "Structured message");
  item.append(make("div", "text"), card, meta);
  return item;
}

function fillBubble(item, bubble, tellsProgress) {
  const [text, card, meta] = item.children;
  const [sequence, time, progress, tags, note] = meta.children;
  // Only the desk has cards: what reaches the phone is text.
  const parts = bubble.card ?? [];
  item.dataset.side = bubble.side;
  item.dataset.state = bubble.state ?? "";
  text.hidden = parts.length > 0;
  setText(text, text.hidden ? "" : bubble.text);
  card.hidden = parts.length === 0;
  reconcile(card, numbered(parts), (part) => part.key, buildPart, fillPart);
  sequence.hidden = bubble.sequence === null;
  setText(sequence, bubble.sequence === null ? "" : `#${bubble.sequence}`);
  sequence.title = "Sequence number";
  setText(time, clock(bubble.at_ms));
  setText(progress, tellsProgress ? (STATE_WORDS[bubble.state] ?? "") : "");
  progress.hidden = progress.textContent === "";
  fillTags(tags, bubble.tags ?? []);
  note.hidden = !bubble.note;
  setText(note, bubble.note ?? "");
}

function buildPart() {
  const part = make("div", "part-of-card");
  part.append(make("span", "words"), make("span", "detail"), make("span", "tags"));
  return part;
}

function fillPart(node, part) {
  const [words, detail, tags] = node.children;
  node.dataset.kind = part.kind;
  setText(words, part.text);
  detail.hidden = !part.detail;
  setText(detail, part.detail ?? "");
  fillTags(tags, part.tags);
}

function fillTags(node, tags) {
  node.hidden = tags.length === 0;
  const fill = (tag, item) => setText(tag, item.text);
  reconcile(node, numbered(tags.map((text) => ({ text }))), (item) => item.key, () => make("span", "tag"), fill);
}

function numbered(items) {
  return items.map((item, index) => ({ ...item, key: `${index}` }));
}
