// A consumer and an agent talk on the lab's page, in a real browser.
//
//   npm ci && npm test                          starts the lab with cargo
//   LAB_BINARY=path npm test                    starts a lab that is built already
//   node page.test.js http://127.0.0.1:40123/   (or LAB_URL=...) takes a lab that runs already
//
// CHROMIUM names the browser; /usr/bin/chromium is the default.
import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

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
const conversations = () => part("conversations").getByRole("listitem");

/** Waits until as many are there; names what was there instead when the time is over. */
async function count(locator, expected, what) {
  const end = Date.now() + STEP_MS;
  let found = await locator.count();
  while (found !== expected && Date.now() < end) {
    await page.waitForTimeout(50);
    found = await locator.count();
  }
  assert.equal(found, expected, what);
}

test("a conversation from the first text to the next conversation", async (t) => {
  const question = "Hello 👋🏽 <b>is my parcel on its way?</b> Grüße, Zoë";
  const answer = "Good morning ☀️ Yes: it arrives today & before 17:00.";
  const cardText = "Is <b>this</b> the right parcel?";
  const secondQuestion = "One more thing: can I pay by card? 💳";

  await t.test("the page connects", async () => {
    await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
    await count(conversations(), 0, "a fresh lab has no conversation");
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
    assert.match(await part("card-error").innerText(), /no JSON/);
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
