// Sends a question with quick replies, from a text and the titles of the choices.
import { act, complain } from "./actions.js";
import { element } from "./dom.js";
import { open } from "./state.js";

/** As many as LivePerson's schema allows. */
const MOST_REPLIES = 24;
const LONGEST_TITLE = 128;
const MOST_IN_A_ROW = 8;

/** The conversation the dialog was opened for: another one may come to the front meanwhile. */
let conversation = null;

function quickReplies(titles) {
  const reply = (title, index) => ({
    type: "button",
    title,
    tooltip: title,
    click: { actions: [{ type: "publishText", text: title }], metadata: [{ type: "ExternalId", id: `choice-${index + 1}` }] },
  });
  return { type: "quickReplies", itemsPerRow: Math.min(titles.length, MOST_IN_A_ROW), replies: titles.map(reply) };
}

async function send(event) {
  event.preventDefault();
  const error = element("replies-error");
  const titles = element("replies-titles").value.split(",").map((title) => title.trim()).filter(Boolean);
  if (titles.length === 0) return complain(error, "Write at least one quick reply.");
  if (titles.length > MOST_REPLIES) return complain(error, `There are ${titles.length} quick replies; ${MOST_REPLIES} are allowed.`);
  if (titles.some((title) => title.length > LONGEST_TITLE)) return complain(error, `A quick reply has at most ${LONGEST_TITLE} characters.`);
  const button = element("replies-send");
  // A second press during the request would send a second message.
  button.disabled = true;
  const message = { conversation, text: element("replies-text").value, quick_replies: quickReplies(titles) };
  const taken = await act(error, "/api/desk/say_rich", message);
  button.disabled = false;
  if (taken) element("replies-dialog").close();
}

export function startReplies() {
  const dialog = element("replies-dialog");
  element("desk-replies").addEventListener("click", () => {
    conversation = open.conversation;
    element("replies-text").value = element("desk-input").value;
    complain(element("replies-error"), null);
    dialog.showModal();
  });
  element("replies-form").addEventListener("submit", send);
  element("replies-cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => element("desk-input").focus());
}
