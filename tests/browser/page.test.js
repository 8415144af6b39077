// Plays conversations between consumers and an agent on the lab's page, by SMS and on WhatsApp, in a real browser.
//
//   npm ci && npm test                          starts the lab with cargo
//   LAB_BINARY=path npm test                    starts a lab that is already built
//   node page.test.js http://127.0.0.1:40123/   (or LAB_URL=...) uses a lab that already runs
//
// CHROMIUM names the browser. The default is /usr/bin/chromium. With CONNECTOR_WRITE_DOCS the test writes the pictures in docs/images.
import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { openLab } from "./lab.js";

const STEP_MS = 20_000;
const BROWSER_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let lab;
let browser;
let page;
let screenshots;
const complaints = [];

before(async () => {
  screenshots = await mkdtemp(path.join(tmpdir(), "lab-page-"));
  console.log(`Screenshots: ${screenshots}`);
  lab = await openLab(process.argv[2] ?? process.env.LAB_URL);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: BROWSER_ARGS });
  page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: "light" });
  page.setDefaultTimeout(STEP_MS);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(`${error}`));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(lab.url).origin) complaints.push(`asked for ${request.url()}`);
  });
  await page.goto(lab.url);
});

after(async () => {
  await browser?.close();
  await lab?.stop();
});

const shot = (name) => page.screenshot({ path: path.join(screenshots, `${name}.png`) });
const part = (id) => page.getByTestId(id);
const bubble = (list, text) => part(list).getByRole("listitem").filter({ has: page.getByText(text, { exact: true }) });
const from = (list, side, text) => bubble(list, text).and(page.locator(`[data-side=${side}]`));
const conversations = () => part("conversations").getByRole("listitem");

/** Waits until the locator finds the expected number of elements. After the time limit, fails with the number that it found. */
async function count(locator, expected, what) {
  const end = Date.now() + STEP_MS;
  let found = await locator.count();
  while (found !== expected && Date.now() < end) {
    await page.waitForTimeout(50);
    found = await locator.count();
  }
  assert.equal(found, expected, what);
}

/** Waits until a message has this state, and checks the state's text and the ticks. */
async function reached(message, state) {
  await count(message.and(page.locator(`[data-state=${state}]`)), 1, `it is ${state}`);
  assert.equal(await message.locator(".state").textContent(), state);
  assert.equal(await message.locator(".ticks").textContent(), "✓✓");
}

/** Waits until a list shows the expected number of pictures, all of them loaded. */
function pictures(list, expected) {
  const drawn = ([id, expected]) => {
    const images = [...document.querySelectorAll(`#${id} img`)];
    return images.length === expected && images.every((image) => image.complete && image.naturalWidth > 0);
  };
  return page.waitForFunction(drawn, [list, expected]);
}

test("a conversation from the first text to the next conversation", async (t) => {
  const question = "Hello 👋🏽 <b>is my parcel on its way?</b> Grüße, Zoë";
  const answer = "Good morning ☀️ Yes: it arrives today & before 17:00.";
  const cardText = "Is <b>this</b> the right parcel?";
  const secondQuestion = "One more thing: can I pay by card? 💳";

  await t.test("the page connects", async () => {
    await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
    await count(conversations(), 0, "a fresh lab has no conversation");
    assert.equal(await part("phone-place").isVisible(), false, "an SMS phone sends no places");
    assert.equal(await part("desk-send").isDisabled(), true);
    await shot("1-start");
  });

  await t.test("the consumer writes and the agent sees it", async () => {
    await part("phone-input").fill(question);
    await part("phone-send").click();
    await count(bubble("phone-messages", question), 1, "the text is on the phone once");
    await count(bubble("desk-messages", question), 1, "the text is at the desk once, as text and not as markup");
    await count(conversations(), 1, "one conversation");
    await count(part("conversations").locator("[data-state=open]").and(conversations()), 1, "it is open");
    await shot("2-asked");
  });

  await t.test("the agent answers, with the keyboard alone, and the consumer sees it", async () => {
    await part("desk-input").focus();
    await page.keyboard.insertText(answer);
    await page.keyboard.press("Enter");
    await count(bubble("desk-messages", answer), 1, "the answer is at the desk once");
    await count(bubble("phone-messages", answer), 1, "the answer is on the phone once");
    assert.equal(await part("desk-input").inputValue(), "");
    await shot("3-answered");
  });

  await t.test("the agent sends a card from the menu, edited as JSON", async () => {
    const dialog = part("card-dialog");
    await part("card-menu").getByText("Send a card").click();
    await shot("4-card-menu");
    await part("card-templates").getByRole("button", { name: "Quick replies" }).click();
    await dialog.waitFor();
    const template = await part("card-json").inputValue();
    await part("card-json").fill(template.slice(1));
    await part("card-send").click();
    assert.match(await part("card-error").innerText(), /not JSON/);
    assert.equal(await part("card-json").getAttribute("aria-invalid"), "true");
    await part("card-json").fill(template.replace("Has your parcel arrived?", cardText));
    await shot("5-card");
    await part("card-send").click();
    await dialog.waitFor({ state: "hidden" });
    await count(bubble("desk-messages", cardText), 1, "the card is at the desk once");
    const choices = bubble("desk-messages", cardText).locator("[data-kind=quick_reply]");
    assert.deepEqual(await choices.locator(".words").allInnerTexts(), ["Yes", "No"]);
    assert.deepEqual(await choices.locator(".tag").allInnerTexts(), ["ExternalId: Yes-1234", "ExternalId: No-1234"]);
    assert.equal(await part("card-menu").evaluate((menu) => menu.open), false);
    await shot("6-card-sent");
  });

  await t.test("the agent closes the conversation", async () => {
    await part("desk-close").click();
    await count(part("conversations").locator("[data-state=closed]").and(conversations()), 1, "it is closed");
    await page.waitForFunction(() => document.getElementById("desk-input").disabled);
    assert.equal(await part("desk-close").isDisabled(), true);
    await shot("7-closed");
  });

  await t.test("the consumer's next text opens a second conversation", async () => {
    await part("phone-input").fill(secondQuestion);
    await part("phone-input").press("Enter");
    await count(conversations(), 2, "two conversations");
    await count(part("conversations").locator("[data-state=open]").and(conversations()), 1, "the second is open");
    await count(bubble("desk-messages", secondQuestion), 1, "the text is in the second conversation");
    await count(bubble("desk-messages", question), 0, "the first conversation's text is not");
    await count(bubble("phone-messages", secondQuestion), 1, "the phone has everything in one thread");
    await count(bubble("phone-messages", question), 1, "the phone has everything in one thread");
    await shot("8-second-conversation");
  });

  await t.test("the first conversation can be read again", async () => {
    await part("conversations").locator("[data-state=closed]").and(conversations()).getByRole("button").click();
    await count(bubble("desk-messages", question), 1, "the first conversation is shown");
    await count(bubble("desk-messages", secondQuestion), 0, "and nothing else");
    assert.equal(await part("desk-send").isDisabled(), true);
  });

  await t.test("another phone has its own thread and its own conversation", async () => {
    await part("phone-new").click();
    await count(part("phone-messages").getByRole("listitem"), 0, "the new phone is empty");
    await part("phone-input").fill("Hi from another phone");
    await part("phone-send").click();
    await count(conversations(), 3, "three conversations");
    await count(bubble("phone-messages", "Hi from another phone"), 1, "the text is on the new phone");
    await count(bubble("phone-messages", question), 0, "the first phone's texts are not");
  });

  await t.test("the wire log shows the hops, opens and filters", async () => {
    const lines = part("wire-log").locator(":scope > li:visible");
    assert.ok((await lines.count()) >= 8, "a line for every hop");
    await part("wire-filter").fill("is my parcel");
    const withText = await lines.count();
    assert.ok(withText >= 1, "the filter also finds texts in the details");
    await lines.first().locator("summary").click();
    assert.match(await lines.first().locator("pre").innerText(), /is my parcel/);
    await shot("9-filtered");
    await part("wire-filter").fill("nothing has this");
    await count(lines, 0, "no line is left");
    await part("wire-filter").fill("");
    assert.ok((await part("wire-log").locator(":scope > li:visible").count()) > withText);
  });

  await t.test("it can be used in the dark and in a narrow window", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await part("conversations").locator("[data-state=open]").and(conversations()).last().getByRole("button").click();
    await count(bubble("desk-messages", secondQuestion), 1, "the second conversation is shown");
    await shot("10-dark");
    for (const [name, width, height] of [["11-tablet", 820, 1180], ["12-narrow", 390, 844]]) {
      await page.setViewportSize({ width, height });
      const overhang = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(overhang <= 0, `${name}: nothing sticks out sideways, but ${overhang} px do`);
      await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true });
    }
  });

  await t.test("the browser had nothing to complain about", () => {
    assert.deepEqual(complaints, []);
  });
});

test("a chat with pictures, buttons, receipts and a survey", async (t) => {
  const question = "Hi! Is the green tent still there?";
  const answer = "It is, I keep one for you.";
  const phoneQuestion = "Shall I reserve it?";
  const secondQuestion = "Thank you! How do I pay?";
  const surveyQuestion = "How content are you with our help?";
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNkYPhfz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC",
    "base64",
  );
  const chosen = (file) => ({ name: file, mimeType: file.endsWith(".png") ? "image/png" : "application/pdf" });

  await t.test("a WhatsApp phone has more than texts", async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.emulateMedia({ colorScheme: "light" });
    await part("phone-channel").selectOption("WhatsApp");
    await part("phone-new").click();
    await count(part("phone-messages").getByRole("listitem"), 0, "the new phone is empty");
    for (const control of ["attach", "place", "read"]) await part(`phone-${control}`).waitFor();
    assert.match(await part("phone-select").locator("option:checked").innerText(), /^WhatsApp \+1/);
  });

  await t.test("the consumer writes, and ticks tell how far it came", async () => {
    const before = await conversations().count();
    await part("phone-input").fill(question);
    await part("phone-send").click();
    await count(conversations(), before + 1, "another conversation");
    await conversations().first().getByRole("button").click();
    await count(from("desk-messages", "consumer", question), 1, "the text is at the desk once");
    await reached(from("phone-messages", "consumer", question), "delivered");
    await part("desk-read").click();
    await reached(from("phone-messages", "consumer", question), "read");
    await shot("20-read");
  });

  await t.test("the agent types and answers, and hears that it was read", async () => {
    await part("desk-types").click();
    await count(part("phone-typing").filter({ hasText: "typing" }), 1, "the phone shows that somebody types");
    await shot("21-typing");
    await part("desk-input").fill(answer);
    await part("desk-send").click();
    await count(from("phone-messages", "agent", answer), 1, "the answer is on the phone once");
    await count(part("phone-typing").filter({ hasText: "typing" }), 0, "the answer ends the typing");
    await part("desk-types").click();
    await reached(from("desk-messages", "agent", answer), "delivered");
    await part("phone-read").click();
    await reached(from("desk-messages", "agent", answer), "read");
  });

  await t.test("the consumer sends a picture with a text", async () => {
    await part("phone-input").fill("This one");
    await part("phone-file").setInputFiles({ ...chosen("tent.png"), buffer: png });
    await pictures("phone-messages", 1);
    await pictures("desk-messages", 1);
    await count(from("phone-messages", "consumer", "This one"), 1, "the text is below the picture on the phone");
    await count(part("desk-messages").getByText("This one", { exact: true }), 1, "and once at the desk");
    assert.equal(await part("phone-input").inputValue(), "");
    await shot("22-picture");
  });

  await t.test("the agent sends a picture and a document", async () => {
    await part("desk-input").fill("The label");
    await part("desk-file").setInputFiles({ ...chosen("label.png"), buffer: png });
    await pictures("desk-messages", 2);
    await pictures("phone-messages", 2);
    await count(from("phone-messages", "agent", "The label"), 1, "with its text");
    await part("desk-file").setInputFiles({ ...chosen("terms.pdf"), buffer: Buffer.from("%PDF-1.4\n%%EOF\n") });
    const document = part("phone-messages").locator("a[data-kind=file]");
    await count(part("desk-messages").locator("a[data-kind=file]"), 1, "the document is at the desk");
    await count(document, 1, "the document is on the phone");
    const [download] = await Promise.all([page.waitForEvent("download"), document.click()]);
    assert.match(download.suggestedFilename(), /\.pdf$/i);
    await shot("23-files");
  });

  await t.test("the consumer taps a button, and the agent sees which", async () => {
    await part("desk-replies").click();
    await part("replies-text").fill(phoneQuestion);
    await part("replies-titles").fill("Yes please, No");
    await part("replies-send").click();
    await part("replies-dialog").waitFor({ state: "hidden" });
    const choices = from("phone-messages", "agent", phoneQuestion).getByRole("button");
    await count(choices, 2, "the choices are buttons");
    await shot("24-buttons");
    await choices.first().click();
    await count(from("phone-messages", "consumer", "Yes please"), 1, "the choice is on the phone once");
    const arrived = from("desk-messages", "consumer", "Yes please");
    await count(arrived, 1, "the choice is at the desk once");
    assert.deepEqual(await arrived.locator(".tag").allInnerTexts(), ["ExternalId: choice-1"]);
    await reached(from("desk-messages", "agent", phoneQuestion), "read");
    await shot("25-tapped");
  });

  await t.test("the consumer sends a place", async () => {
    await part("phone-place").click();
    await part("place-name").fill("Camping by the lake");
    await part("place-send").click();
    await part("place-dialog").waitFor({ state: "hidden" });
    const place = part("phone-messages").locator("[data-kind=place]");
    await count(place, 1, "the place is on the phone");
    assert.match(await place.innerText(), /Camping by the lake\s+52\.5251, 13\.3694/);
    const atDesk = part("desk-messages").getByRole("listitem").filter({ hasText: "Camping by the lake" });
    await count(atDesk, 1, "the desk reads where it is");
  });

  await t.test("a survey follows a conversation", async () => {
    await part("desk-survey").check();
    await part("desk-close").click();
    await count(part("desk-state").filter({ hasText: "closed" }), 1, "it opened without a survey, so none follows");
    await part("phone-input").fill(secondQuestion);
    await part("phone-send").click();
    await count(from("desk-messages", "consumer", secondQuestion), 1, "the next conversation is open");
    await part("desk-input").fill("By card.");
    await part("desk-send").click();
    await count(from("phone-messages", "agent", "By card."), 1, "the agent has it");
    await part("desk-close").click();
    await count(part("desk-state").filter({ hasText: "survey" }), 1, "a survey runs");
    await count(part("desk-facts").getByText("Survey: open"), 1, "and is named");
    assert.equal(await part("desk-send").isDisabled(), true);
    const question = from("phone-messages", "agent", surveyQuestion);
    await count(question, 1, "the survey asks the consumer");
    await shot("26-survey");
    await question.getByRole("button", { name: "Very" }).click();
    const answered = from("desk-messages", "consumer", "Very");
    await count(answered, 1, "the answer is at the desk once");
    assert.match(await answered.locator(".meta").innerText(), /Survey/);
    await count(bubble("phone-messages", "What could we do better?"), 1, "the survey goes on");
    await part("phone-input").fill("Nothing at all");
    await part("phone-send").click();
    await count(bubble("desk-messages", "Survey completed"), 1, "the survey is over");
    await count(part("desk-state").filter({ hasText: "closed" }), 1, "and so is the conversation");
    await part("desk-survey").uncheck();
    await shot("27-survey-over");
  });

  await t.test("the browser had nothing to complain about", () => {
    assert.deepEqual(complaints, []);
  });
});

test("the documentation's pictures are made anew", { skip: !process.env.CONNECTOR_WRITE_DOCS }, async () => {
  // Use a new lab, so that the pictures show one conversation and no texts of the tests above.
  const fresh = await openLab();
  try {
    await page.setViewportSize({ width: 1180, height: 860 });
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(fresh.url);
    const images = fileURLToPath(new URL("../../docs/images/", import.meta.url));
    const clip = { x: 0, y: 0, width: 1180, height: 700 };
    const picture = (name) => page.screenshot({ path: path.join(images, `${name}.png`), clip });

    await part("phone-input").fill("Hello, where is my parcel?");
    await part("phone-send").click();
    await count(from("desk-messages", "consumer", "Hello, where is my parcel?"), 1, "the question is at the desk");
    await part("desk-input").fill("It arrives today before 17:00.");
    await part("desk-send").click();
    await count(bubble("phone-messages", "It arrives today before 17:00."), 1, "the answer is on the phone");
    await part("phone-input").fill("Great, thank you!");
    await part("phone-send").click();
    await count(from("desk-messages", "consumer", "Great, thank you!"), 1, "the thanks are at the desk");
    await picture("lab-sms");

    await part("phone-channel").selectOption("WhatsApp");
    await part("phone-new").click();
    await part("phone-input").fill("Is the green tent still there?");
    await part("phone-send").click();
    await count(conversations(), 2, "another conversation");
    await conversations().first().getByRole("button").click();
    await count(from("desk-messages", "consumer", "Is the green tent still there?"), 1, "the question is at the desk");
    await part("desk-replies").click();
    await part("replies-text").fill("It is. Shall I reserve it for you?");
    await part("replies-titles").fill("Yes please, No");
    await part("replies-send").click();
    await part("replies-dialog").waitFor({ state: "hidden" });
    const choices = from("phone-messages", "agent", "It is. Shall I reserve it for you?").getByRole("button");
    await count(choices, 2, "the choices are buttons");
    await choices.first().click();
    await count(from("desk-messages", "consumer", "Yes please"), 1, "the choice is at the desk");
    await picture("lab-whatsapp");
  } finally {
    await fresh.stop();
  }
});
