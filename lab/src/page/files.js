// Sends a file, with the text in the input as its caption.
import { act, complain } from "./actions.js";
import { element, scrollToEnd } from "./dom.js";

/** As much as the lab takes. */
const LARGEST_FILE = 6 * 1024 * 1024;

/** The file's bytes in Base64. */
function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    // A data URL: everything before the comma describes the bytes.
    reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => reject(new Error(`${file.name} cannot be read.`)));
    reader.readAsDataURL(file);
  });
}

async function send(side, path, subject, file) {
  const error = element(`${side}-error`);
  const input = element(`${side}-input`);
  const caption = input.value;
  if (file.size > LARGEST_FILE) return complain(error, `${file.name} is larger than 6 MiB.`);
  let data;
  try {
    data = await base64(file);
  } catch (problem) {
    return complain(error, problem.message);
  }
  const upload = { name: file.name, content_type: file.type, data, caption: caption.trim() === "" ? null : caption };
  scrollToEnd(side);
  // The user may have typed in the meantime.
  if ((await act(error, path, { ...subject, file: upload })) && input.value === caption) input.value = "";
}

/** `subjectOf` names the phone or the conversation that is open when the file was chosen. */
export function fileButton(side, path, subjectOf) {
  const chooser = element(`${side}-file`);
  element(`${side}-attach`).addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", async () => {
    const [file] = chooser.files;
    if (!file) return;
    const subject = subjectOf();
    await send(side, path, subject, file);
    // Cleared so that the same file can be chosen again.
    chooser.value = "";
  });
}
