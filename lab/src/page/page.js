// The lab's page: connects both sides, the cards and the wire log with the live feed.
import { startCards } from "./cards.js";
import { chooseConversation, drawDesk, startDesk } from "./desk.js";
import { element, make, reconcile, setText } from "./dom.js";
import { choosePhone, drawPhones, startPhones } from "./phones.js";
import { startReplies } from "./replies.js";
import { drawWith, refresh, refreshSoon, state } from "./state.js";
import { addGap, addLine, followRun, startWireLog } from "./wire_log.js";

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
  events.addEventListener("dropped", (event) => addGap(Number(event.data)));
  events.addEventListener("changed", refreshSoon);
  events.addEventListener("error", () => {
    show("lost", "Not connected");
    // The browser reconnects by itself, except after an answer that was not an event stream.
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  });
}

function draw() {
  choosePhone();
  chooseConversation();
  drawLinks();
  drawPhones();
  drawDesk();
}

function drawLinks() {
  element("addresses").hidden = state.links.length === 0;
  const rows = state.links.flatMap((link) => [
    { key: `name ${link.name}`, tag: "dt", text: link.name },
    { key: `url ${link.name}`, tag: "dd", text: link.url },
  ]);
  reconcile(element("links"), rows, (row) => row.key, (row) => make(row.tag), (node, row) => setText(node, row.text));
}

function useTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** Menus close when the person does something else, and on Escape. */
function startMenus() {
  const menus = ["addresses", "card-menu", "desk-hand-over"].map(element);
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

  drawWith(draw);
  startPhones();
  startDesk();
  startCards();
  startReplies();
  startMenus();
  startWireLog();
  connect();
}

start();
