// The elements of the page.

export const element = (id) => document.getElementById(id);

// Text is inserted as text only: nothing on this page writes markup.
export function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Brings a list's items up to date in place, so that focus, scroll position and screen readers are left in peace. */
export function reconcile(list, items, keyOf, build, fill) {
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

export function keepAtEnd(scroller, change) {
  const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
  const before = scroller.scrollHeight;
  change();
  if (atEnd && scroller.scrollHeight !== before) scroller.scrollTop = scroller.scrollHeight;
}

/** Whoever sends something wants to see it. */
export function scrollToEnd(side) {
  const scroller = element(`${side}-messages`).parentElement;
  scroller.scrollTop = scroller.scrollHeight;
}

export function clock(ms) {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}
