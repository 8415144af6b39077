// The attachments of a bubble: pictures, files, locations, links, and choices to tap.
import { make, reconcile, setText } from "./dom.js";

const ABOVE_THE_TEXT = new Set(["heading", "picture", "linked_picture", "file"]);

/** Fills the places above and below the text of a bubble; `mediaUrl` is where the bytes of a picture or file are. */
export function fillAttachments(above, below, attachments, mediaUrl) {
  const numbered = attachments.map((item, index) => ({ ...item, key: `${item.kind} ${index}` }));
  for (const [place, isAbove] of [[above, true], [below, false]]) {
    const items = numbered.filter((item) => ABOVE_THE_TEXT.has(item.kind) === isAbove);
    place.hidden = items.length === 0;
    reconcile(place, items, (item) => item.key, build, (node, item) => FORMS[item.kind]?.fill(node, item, mediaUrl));
  }
}

function build(item) {
  const node = FORMS[item.kind]?.build() ?? make("span");
  node.classList.add("attachment");
  node.dataset.kind = item.kind;
  return node;
}

function pair() {
  const node = make("div");
  node.append(make("strong"), make("span", "address"));
  return node;
}

function fillPair(node, first, second) {
  const [strong, small] = node.children;
  setText(strong, first);
  setText(small, second ?? "");
  small.hidden = !second;
}

const FORMS = {
  heading: { build: () => make("strong"), fill: (node, { text }) => setText(node, text) },
  footer: { build: () => make("small"), fill: (node, { text }) => setText(node, text) },
  section: { build: () => make("strong"), fill: (node, { title }) => setText(node, title) },
  picture: {
    build: () => make("img"),
    fill: (node, { media, alt }, mediaUrl) => {
      node.alt = alt;
      const url = mediaUrl(media);
      // Setting it again would load it again.
      if (node.getAttribute("src") !== url) node.src = url;
    },
  },
  linked_picture: { build: pair, fill: (node, { url, alt }) => fillPair(node, alt || "Picture", url) },
  file: {
    build: () => {
      const link = make("a");
      link.append(make("strong"), make("span", "address"));
      return link;
    },
    fill: (node, { media, name, size }, mediaUrl) => {
      fillPair(node, name, size === null ? null : sizeInWords(size));
      node.download = name;
      if (media === null) node.removeAttribute("href");
      else node.href = mediaUrl(media);
    },
  },
  place: {
    build: pair,
    fill: (node, { latitude, longitude, name, address }) => {
      fillPair(node, name ?? "Place", [address, `${latitude}, ${longitude}`].filter(Boolean).join(" · "));
    },
  },
  link: { build: pair, fill: (node, { title, url }) => fillPair(node, title, url) },
  choice: {
    build: () => {
      const button = make("button", "choice");
      button.type = "button";
      button.append(make("strong"), make("span", "address"));
      return button;
    },
    fill: (node, { id, title, description }) => {
      node.dataset.choice = id;
      fillPair(node, title, description);
    },
  },
};

function sizeInWords(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
