// Actions of the user: requests that change something.
import { element, scrollToEnd } from "./dom.js";
import { refreshSoon } from "./state.js";

/** Answers whether it was done; if not, the reason is in `error`. */
export async function act(error, path, body) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) {
      const answer = await response.json().catch(() => null);
      throw new Error(answer?.error?.message ?? `the lab answered ${response.status}`);
    }
    complain(error, null);
    refreshSoon();
    return true;
  } catch (problem) {
    complain(error, problem instanceof TypeError ? "The lab does not answer. Is it still running?" : problem.message);
    return false;
  }
}

/** Shows what is wrong; `null` takes an earlier complaint back. */
export function complain(error, problem) {
  error.textContent = problem ?? "";
  error.hidden = problem === null;
}

export function composer(side, path, bodyOf) {
  let sent = Promise.resolve();
  const form = element(`${side}-form`);
  const input = element(`${side}-input`);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value;
    if (text.trim() === "") {
      input.focus();
      return;
    }
    // Cleared at once, so that pressing Enter twice does not send the text twice. A refused text is restored.
    input.value = "";
    input.focus();
    scrollToEnd(side);
    // One after the other, so that two quick texts arrive in order.
    const body = bodyOf(text);
    sent = sent.then(() => act(element(`${side}-error`), path, body));
    if (!(await sent) && input.value === "") input.value = text;
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
}
