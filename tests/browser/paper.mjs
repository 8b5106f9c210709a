// Prints a report on A4 in headless Chromium and looks for what is cut off: charts wider than the paper, boxes that scroll, ink in the right margin.
//
//   node paper.mjs INDEX.html [FILE.pdf]
//
// Needs playwright-core in node_modules of a folder above, or of NODE_PATH, and a Chromium at CHROMIUM. Prints one line a fault, and exits with 1.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const [file, pdf] = process.argv.slice(2);
const failures = [];
// A4 less a margin of 10 mm on both sides, in CSS pixels of 1/96 inch
const WIDTH = Math.floor((210 - 20) / 25.4 * 96);
const MARGIN = 4;

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ colorScheme, viewport: { width: WIDTH, height: 1000 } });
    await page.emulateMedia({ media: "print", colorScheme });
    await page.goto(pathToFileURL(file).href);
    await page.waitForTimeout(200);
    const wide = await page.evaluate(width => [...document.querySelectorAll("svg, table, img, pre, p")]
      .filter(element => element.getClientRects().length && element.getBoundingClientRect().right > width + 0.5)
      .map(element => `${element.tagName} ${element.getAttribute("class") ?? ""} ends at ${element.getBoundingClientRect().right}`), WIDTH);
    const cut = await page.evaluate(() => [...document.querySelectorAll("body *")]
      .filter(element => getComputedStyle(element).overflowX !== "visible" && element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1 && !(element instanceof SVGElement))
      .map(element => `${element.tagName} ${element.className} holds ${element.scrollWidth} in ${element.clientWidth}`));
    const charts = await page.evaluate(() => [...document.querySelectorAll("svg[role]")].filter(svg => svg.getBoundingClientRect().height > 0).length);
    for (const text of [...wide, ...cut]) failures.push(`${colorScheme}: ${text}`);
    if (charts === 0) failures.push(`${colorScheme}: there is no chart on the paper`);
    // one more page of glass: the columns at the right edge are as empty as the paper
    const shot = (await page.screenshot({ fullPage: true })).toString("base64");
    const inked = await page.evaluate(async ([shot, margin]) => {
      const image = new Image();
      image.src = `data:image/png;base64,${shot}`;
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(image.width - margin, 0, margin, image.height);
      const paper = data.slice(0, 3);
      let n = 0;
      for (let i = 0; i < data.length; i += 4) n += [0, 1, 2].some(part => Math.abs(data[i + part] - paper[part]) > 8) ? 1 : 0;
      return n;
    }, [shot, MARGIN]);
    if (inked > 0) failures.push(`${colorScheme}: ${inked} pixels of ink in the right margin`);
    if (pdf && colorScheme === "light") await page.pdf({ path: pdf, format: "A4", margin: { top: "10mm", bottom: "10mm", left: "10mm", right: "10mm" }, printBackground: true });
    await page.close();
  }
} catch (error) {
  failures.push(String(error));
} finally {
  await browser.close();
}
for (const failure of failures) console.error(failure);
process.exit(failures.length ? 1 : 0);
