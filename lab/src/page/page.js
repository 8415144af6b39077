// The lab's page: connects the two sides, the cards and the wire log with what happens.
import { act, composer } from "./actions.js";
import { startCards } from "./cards.js";
import { element, setText } from "./dom.js";
import { addNewPhone, open, openPhone, refresh, refreshSoon } from "./sides.js";
import { addLine, followRun, startWireLog } from "./wire_log.js";

function connect() {
  const status = element("connection");
  const show = (name, text) => {
    status.dataset.state = name;
    setText(status, text);
  };
  const events = new EventSource("/api/events");
  events.addEventListener("hello", (event) => {
    followRun(event.data);
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

/** Menus close when the person does something else, and on Escape. */
function startMenus() {
  const menus = [element("addresses"), element("card-menu")];
  document.addEventListener("click", (event) => {
    for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus) {
      if (menu.open && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      menu.open = false;
    }
  });
}

function start() {
  const theme = element("theme");
  theme.value = localStorage.getItem("theme") ?? "";
  useTheme(theme.value);
  theme.addEventListener("change", () => {
    localStorage.setItem("theme", theme.value);
    useTheme(theme.value);
  });

  composer("phone", "/api/phones/send", (text) => ({ phone: open.phone, text }));
  composer("desk", "/api/desk/say", (text) => ({ conversation: open.conversation, text }));
  element("desk-close").addEventListener("click", () => {
    act(element("desk-error"), "/api/desk/close", { conversation: open.conversation });
  });
  element("phone-select").addEventListener("change", (event) => openPhone(event.target.value));
  element("phone-new").addEventListener("click", () => {
    openPhone(addNewPhone());
    element("phone-input").focus();
  });
  startCards();
  startMenus();
  startWireLog();
  connect();
}

start();
