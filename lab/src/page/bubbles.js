// The messages of a transcript, on the phone and at the desk.
import { fillAttachments } from "./attachments.js";
import { clock, element, keepAtEnd, make, reconcile, setText } from "./dom.js";

const PROGRESS = {
  pending: { sign: "◷", words: "sending" },
  accepted: { sign: "✓", words: "sent" },
  delivered: { sign: "✓✓", words: "delivered" },
  read: { sign: "✓✓", words: "read" },
  failed: { sign: "✗", words: "failed" },
};

/** `subject` is the phone or conversation of the messages; `mediaUrl` returns the address of a picture or file. */
export function drawBubbles(side, subject, bubbles, mediaUrl) {
  const list = element(`${side}-messages`);
  element(`${side}-empty`).hidden = bubbles.length > 0;
  const scroller = list.parentElement;
  const switched = list.dataset.subject !== subject;
  list.dataset.subject = subject ?? "";
  // The state of a text is shown to its author, and always to the agent.
  const tells = (bubble) => bubble.side !== "system" && (side === "desk" || bubble.side === "consumer");
  const fill = (item, bubble) => fillBubble(item, bubble, tells(bubble), mediaUrl);
  keepAtEnd(scroller, () => reconcile(list, bubbles, (bubble) => bubble.id, () => buildBubble(scroller), fill));
  if (switched) scroller.scrollTop = scroller.scrollHeight;
}

function buildBubble(scroller) {
  const item = make("li", "bubble");
  const meta = make("div", "meta");
  const progress = make("span", "progress");
  const sign = make("span", "ticks");
  sign.setAttribute("aria-hidden", "true");
  progress.append(sign, make("span", "state visually-hidden"));
  meta.append(make("span", "dialog"), make("span", "sequence"), make("time"), progress, make("span", "tags"), make("span", "note"));
  const card = make("div", "parts");
  card.setAttribute("role", "group");
  card.setAttribute("aria-label", "Structured message");
  const above = make("div", "attachments");
  // The height of a picture is unknown until it is loaded, and then the end of the transcript moves down.
  above.addEventListener("load", () => {
    const distance = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    if (distance < above.offsetHeight + 40) scroller.scrollTop = scroller.scrollHeight;
  }, { capture: true });
  const body = make("div", "body");
  body.append(above, make("div", "text"), card, make("div", "attachments"));
  item.append(body, meta);
  return item;
}

function fillBubble(item, bubble, tellsProgress, mediaUrl) {
  const [body, meta] = item.children;
  const [above, text, card, below] = body.children;
  const [dialog, sequence, time, progress, tags, note] = meta.children;
  // Only the desk has cards. The phone gets a text with attachments.
  const parts = bubble.card ?? [];
  item.dataset.side = bubble.side;
  item.dataset.state = bubble.state ?? "";
  item.dataset.dialog = bubble.dialog ?? "main";
  text.hidden = parts.length > 0 || bubble.text === "";
  setText(text, text.hidden ? "" : bubble.text);
  card.hidden = parts.length === 0;
  reconcile(card, numbered(parts), (part) => part.key, buildPart, fillPart);
  fillAttachments(above, below, bubble.attachments, mediaUrl);
  const marks = [bubble.dialog === "survey" ? "Survey" : "", bubble.speaker ?? "", bubble.private ? "Private note" : ""];
  setText(dialog, marks.filter(Boolean).join(" · "));
  dialog.hidden = dialog.textContent === "";
  sequence.hidden = bubble.sequence === null;
  setText(sequence, bubble.sequence === null ? "" : `#${bubble.sequence}`);
  sequence.title = "Sequence number";
  setText(time, clock(bubble.at_ms));
  fillProgress(progress, tellsProgress ? PROGRESS[bubble.state] : undefined);
  fillTags(tags, bubble.tags ?? []);
  note.hidden = !bubble.note;
  setText(note, bubble.note ?? "");
}

/** Ticks for the eye, and the same in words for everyone else. */
function fillProgress(node, progress) {
  const [sign, words] = node.children;
  node.hidden = !progress;
  node.title = progress?.words ?? "";
  setText(sign, progress?.sign ?? "");
  setText(words, progress?.words ?? "");
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
