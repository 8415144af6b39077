// The wire log.
import { clock, element, make, setText } from "./dom.js";

const WIRE_LINES = 2000;

const wire = { list: element("wire-log"), filter: "", run: null };

export function addLine(entry) {
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
      // Opening an entry stops scrolling, so that it can be read.
      if (details.open) element("wire-follow").checked = false;
    });
    item.append(details);
  } else {
    item.append(line);
  }
  append(item, `${entry.from} ${entry.to} ${entry.what} ${detail}`);
}

/** The lab keeps its latest entries only, and this browser was away for longer. */
export function addGap(count) {
  const item = make("li");
  item.append(make("div", "line", count === 1 ? "1 older entry was dropped" : `${count} older entries were dropped`));
  append(item, item.textContent);
}

function append(item, search) {
  item.dataset.search = search.toLowerCase();
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
    setText(element("wire-empty"), total > 0 ? "No entry contains this text." : "No traffic yet.");
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

/** The lines of an earlier run of the lab are of no use beside those of this one. */
export function followRun(run) {
  if (wire.run !== run) clearWire();
  wire.run = run;
}

export function startWireLog() {
  element("wire-filter").addEventListener("input", filterWire);
  element("wire-clear").addEventListener("click", clearWire);
  // Scrolling up stops following, and scrolling back to the end resumes it.
  element("wire-scroll").addEventListener("wheel", () => requestAnimationFrame(() => {
    const scroller = element("wire-scroll");
    element("wire-follow").checked = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 8;
  }), { passive: true });
  element("wire-follow").addEventListener("change", wireChanged);
}
