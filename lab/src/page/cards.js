// Sends structured content: a menu of templates, and a dialog to edit one before it is sent.
import { act, complain } from "./actions.js";
import { element, make } from "./dom.js";
import { open } from "./state.js";

/** The conversation the dialog was opened for: another one may come to the front meanwhile. */
let conversation = null;

async function loadTemplates() {
  const menu = element("card-templates");
  if (menu.children.length > 0) return;
  const templates = await fetch("/card_templates.json").then((answer) => answer.json());
  if (menu.children.length > 0) return;
  for (const template of templates) {
    const item = make("li");
    const button = make("button", "", template.name);
    button.type = "button";
    button.addEventListener("click", () => edit(template.message));
    item.append(button);
    menu.append(item);
  }
}

function edit(message) {
  element("card-menu").open = false;
  conversation = open.conversation;
  const input = element("card-json");
  input.value = JSON.stringify(message, null, 2);
  complainOfJson(null);
  element("card-dialog").showModal();
  input.focus();
  input.setSelectionRange(0, 0);
  input.scrollTop = 0;
}

/** Shows what is wrong with the JSON; `null` takes an earlier complaint back. */
function complainOfJson(problem) {
  complain(element("card-error"), problem);
  element("card-json").setAttribute("aria-invalid", `${problem !== null}`);
}

function parse(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch (problem) {
    throw new Error(`This is not JSON: ${problem.message}`);
  }
  if (message === null || typeof message !== "object" || Array.isArray(message)) {
    throw new Error("The JSON must be an object with content, or with text and quick_replies.");
  }
  return message;
}

async function send(event) {
  event.preventDefault();
  const button = element("card-send");
  let message;
  try {
    message = parse(element("card-json").value);
  } catch (problem) {
    complainOfJson(problem.message);
    element("card-json").focus();
    return;
  }
  complainOfJson(null);
  // A second press during the request would send a second card.
  button.disabled = true;
  const taken = await act(element("card-error"), "/api/desk/say_rich", { ...message, conversation });
  button.disabled = false;
  if (taken) element("card-dialog").close();
}

export function startCards() {
  const menu = element("card-menu");
  // If the lab does not answer now, the request is repeated when the menu opens, and only then is an error shown.
  loadTemplates().catch(() => {});
  menu.addEventListener("toggle", () => {
    if (!menu.open) return;
    loadTemplates().catch(() => complain(element("desk-error"), "The lab does not answer. Is it still running?"));
  });
  element("card-form").addEventListener("submit", send);
  element("card-cancel").addEventListener("click", () => element("card-dialog").close());
  element("card-dialog").addEventListener("close", () => element("desk-input").focus());
}
