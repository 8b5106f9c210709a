// Opens a report in headless Chromium and checks what a reader gets: in light and dark, 400 and 1400 pixels wide.
//
//   node report.mjs INDEX.html PART,PART… [FOLDER FOR SCREENSHOTS]
//
// PART is the id of a section that must be there. Needs playwright-core in node_modules of a folder above, or of NODE_PATH, and
// a Chromium at CHROMIUM. Prints one line a check that fails, and exits with 1.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const [page_file, parts, shots] = process.argv.slice(2);
const expected = parts.split(",").filter(part => part);
const html = readFileSync(page_file, "utf8");
const data = JSON.parse(html.split('id="data">')[1].split("</script>")[0]);
const failures = [];
const check = (holds, text) => { if (!holds) failures.push(text); };

// What the page should show of an output: the answer with its edits applied, by another way than the page's own.
function applied(answer, edits) {
  const units = Array.from({ length: answer.length }, (_, i) => answer.charAt(i));
  let text = "";
  for (const edit of edits) {
    if (typeof edit === "string") text += edit;
    else {
      const part = units.splice(0, Math.abs(edit)).join("");
      if (edit > 0) text += part;
    }
  }
  return text;
}

const luminance = colour => colour.match(/[\d.]+/g).slice(0, 3).map(part => {
  const share = Number(part) / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
}).reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);

function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

async function checkParts(page, name) {
  for (const part of expected) {
    const box = await page.locator(`#${part}`).boundingBox().catch(() => null);
    check(box && box.width > 100 && box.height > 40, `${name}: #${part} is missing or empty`);
  }
  const [scroll, client] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  check(scroll <= client, `${name}: the page is ${scroll} wide in a window of ${client}`);
  const small = await page.evaluate(() => [...document.querySelectorAll("svg text")].filter(text => text.getBoundingClientRect().height > 0 && parseFloat(getComputedStyle(text).fontSize) < 11).length);
  check(small === 0, `${name}: ${small} labels are set smaller than 11 pixels`);
}

async function checkColours(page, name, scheme) {
  const [ink, paper] = await page.evaluate(() => [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]);
  check(scheme === "dark" ? luminance(paper) < 0.05 : luminance(paper) > 0.9, `${name}: the background is ${paper}`);
  check(contrast(ink, paper) > 7, `${name}: text ${ink} on ${paper}`);
  const marks = await page.evaluate(() => [...document.querySelectorAll("del, ins")].slice(0, 20).map(mark => [getComputedStyle(mark).color, getComputedStyle(mark).backgroundColor]));
  for (const [color, background] of marks) check(contrast(color, background) > 4.5, `${name}: marked text ${color} on ${background}`);
}

async function checkExamples(page, name) {
  if (!data.examples) return;
  const menu = page.locator("#example");
  const rows = data.examples.examples;
  for (const index of new Set([0, rows.length - 1])) {
    if (await menu.count()) await menu.selectOption(String(index));
    const { answer, question, correction, outputs } = rows[index];
    check(await page.locator("#examples .question").textContent() === question, `${name}: the question of example ${index}`);
    check(await page.locator("#examples .answer").textContent() === answer, `${name}: the answer of example ${index}`);
    const shown = () => page.evaluate(() => [...document.querySelectorAll("#examples .texts .text")].map(text => {
      const copy = text.cloneNode(true);
      copy.querySelectorAll("del").forEach(mark => mark.remove());
      return copy.textContent;
    }));
    const wanted = output => [...(output ? [applied(answer, output.edits)] : []), ...(correction ? [applied(answer, correction)] : [])];
    if (outputs.length < 2) {
      check(JSON.stringify(await shown()) === JSON.stringify(wanted(outputs[0])), `${name}: the texts of example ${index}`);
      continue;
    }
    const slider = page.locator("#slider"), seen = new Set();
    await slider.focus();
    await slider.press("Home");
    for (let place = 0; place < outputs.length; place++) {
      const texts = await shown();
      seen.add(texts[0]);
      check(JSON.stringify(texts) === JSON.stringify(wanted(outputs[place])), `${name}: example ${index} at place ${place} of the slider`);
      const coefficient = (await page.locator("#coefficient").textContent()).replace("−", "-");
      check(Math.abs(Number(coefficient) - outputs[place].coefficient) < 1e-3, `${name}: the slider says ${coefficient} at place ${place}`);
      await slider.press("ArrowRight");
    }
    check(seen.size === new Set(outputs.map(output => applied(answer, output.edits))).size, `${name}: the slider does not move the text`);
  }
}

async function checkHeatmaps(page, name) {
  for (const [index, scan] of data.scans.entries()) {
    const svg = page.locator("#scans svg.heatmap").nth(index), readout = page.locator("#scans .readout").nth(index);
    const { layers, token_labels: tokens, values, clip } = scan.heatmap;
    check(await svg.locator(".cell").count() === layers.length * tokens.length, `${name}: cells of scan ${index}`);
    const beyond = values.flat().filter(value => value !== null && Math.abs(value) > clip).length;
    check(await svg.locator(".clipped").count() === beyond, `${name}: clipped cells of scan ${index}`);
    const labels = (await svg.locator(".token").allTextContents()).map(text => text.replace("…", ""));
    check(labels.every((label, i) => tokens[i].startsWith(label)), `${name}: tokens of scan ${index}: ${labels}`);
    await svg.focus();
    await svg.press("ArrowRight");
    const first = await readout.textContent();
    check(first.startsWith(`layer ${layers[0]}, token 0 `), `${name}: the keyboard begins at “${first}”`);
    const lowest = await page.evaluate(i => document.querySelectorAll("#scans svg.heatmap")[i].querySelector(".cursor").getBoundingClientRect().bottom, index);
    await svg.press("ArrowUp");
    await svg.press("ArrowRight");
    const moved = await readout.textContent(), value = values[1]?.[1];
    check(layers.length < 2 || tokens.length < 2 || (moved.startsWith(`layer ${layers[1]}, token 1 `) && moved.includes(value.toFixed(2).replace("-", ""))), `${name}: the keyboard moves to “${moved}”`);
    const above = await page.evaluate(i => document.querySelectorAll("#scans svg.heatmap")[i].querySelector(".cursor").getBoundingClientRect().bottom, index);
    check(layers.length < 2 || above < lowest, `${name}: layer ${layers[0]} is not at the bottom of scan ${index}`);
    const cell = svg.locator(".cell").first();
    await cell.scrollIntoViewIfNeeded();
    await cell.hover({ force: true });
    const hovered = await readout.textContent();
    check(hovered.startsWith(`layer ${layers[0]}, token 0 `), `${name}: the pointer reads “${hovered}”`);
  }
  if (data.scans.length) {
    const paint = () => page.locator("#scans .cell").first().getAttribute("fill");
    const before = await paint();
    await page.getByRole("button", { name: "grey" }).click();
    check(await paint() !== before, `${name}: the map for grey print changes nothing`);
    await page.getByRole("button", { name: "colours", exact: true }).click();
    check(await paint() === before, `${name}: the colours do not come back`);
  }
}

async function checkSweep(page, name) {
  if (!data.sweep) return;
  const { points, prompts, line, coherent, controls } = data.sweep;
  const count = selector => page.locator(`#sweep svg[role=application] ${selector}`).count();
  check(await count(".prompt") === prompts.flat().length, `${name}: a point for every prompt and coefficient`);
  check(await count(".mean") === points.length, `${name}: a mean for every coefficient`);
  check(await count(".control") === controls.length, `${name}: a curve for every control`);
  check(!line || ((await count(".line")) === 1 && (await count(".band")) === 1), `${name}: line and band`);
  check(!coherent || (await count(".coherent")) >= 1, `${name}: the coherent range is shaded`);
  const svg = page.locator("#sweep svg[role=application]");
  await svg.focus();
  await svg.press("End");
  check((await page.locator("#sweep .readout").textContent()).length > 5, `${name}: values of the sweep cannot be read by keyboard`);
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  for (const scheme of ["light", "dark"]) {
    for (const width of [400, 1400]) {
      const name = `${scheme}, ${width} px`;
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
      page.setDefaultTimeout(10000);
      page.on("console", message => { if (["error", "warning"].includes(message.type())) failures.push(`${name}: console: ${message.text()}`); });
      page.on("pageerror", error => failures.push(`${name}: ${error}`));
      page.on("dialog", dialog => { failures.push(`${name}: a text became a script: ${dialog.message()}`); dialog.dismiss(); });
      const url = pathToFileURL(page_file).href;
      page.on("request", request => { if (request.url() !== url && !request.url().startsWith("data:")) failures.push(`${name}: asks for ${request.url()}`); });
      await page.goto(url);
      await page.waitForTimeout(200);
      await checkParts(page, name);
      await checkExamples(page, name);
      await checkHeatmaps(page, name);
      await checkSweep(page, name);
      await checkColours(page, name, scheme);
      if (shots) await page.screenshot({ path: `${shots}/${scheme}-${width}.png`, fullPage: true });
      await page.close();
    }
  }
} catch (error) {
  failures.push(String(error));
} finally {
  await browser.close();
}
for (const failure of failures) console.error(failure);
process.exit(failures.length ? 1 : 0);
