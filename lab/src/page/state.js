// Reads the state of both sides.

const REFRESH_DELAY_MS = 60;

/** The phone, by its channel and number, and the conversation that are shown. */
export const open = { channel: null, phone: null, conversation: null };
/** The last state from the lab; `phone` and `conversation` are the open transcripts. */
export const state = {
  links: [],
  channels: [],
  conversations: [],
  survey: null,
  phone: null,
  brand_types_until_ms: null,
  conversation: null,
};

let draw = () => {};
let refreshTimer = null;
let reading = false;
let readAgain = false;

/** `drawAll` is called whenever the state has been read. */
export function drawWith(drawAll) {
  draw = drawAll;
}

export function refreshSoon() {
  if (refreshTimer === null) refreshTimer = setTimeout(refresh, REFRESH_DELAY_MS);
}

export async function refresh() {
  clearTimeout(refreshTimer);
  refreshTimer = null;
  if (reading) {
    readAgain = true;
    return;
  }
  reading = true;
  const asked = { ...open };
  try {
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== null));
    const response = await fetch(`/api/state?${query}`);
    if (!response.ok) throw new Error(`the lab answered ${response.status}`);
    const answer = await response.json();
    // If the user has opened something else in the meantime, this answer has the wrong transcript.
    if (Object.keys(open).every((part) => asked[part] === open[part])) {
      Object.assign(state, answer);
      draw();
    } else {
      readAgain = true;
    }
  } catch {
    // The event stream fails too. The header shows that, and the state is read again after it reconnects.
  } finally {
    reading = false;
    if (readAgain) {
      readAgain = false;
      refresh();
    }
  }
}
