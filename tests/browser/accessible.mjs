// Opens a page in headless Chromium and has axe-core look for what keeps people out: in light and dark, 400 and 1400 pixels wide.
//
//   node accessible.mjs URL [PRESS STATUS]
//
// PRESS is a button that is pressed first, STATUS how the text of #status begins once what it starts is over. Needs playwright-core and
// axe-core in node_modules of a folder above, or of NODE_PATH, and a Chromium at CHROMIUM. Prints one line a violation, and exits with 1.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const [url, press, status] = process.argv.slice(2);
const failures = [];

async function checkPage(page, name) {
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, help, nodes } of violations) {
    const places = nodes.slice(0, 3).map(node => `${node.target.join(" ")} (${node.failureSummary.split("\n")[1]?.trim()})`);
    failures.push(`${name}: ${id} (${impact}): ${help}: ${nodes.length} places, such as ${places.join("; ")}`);
  }
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1400, 400]) {
      const name = `${colorScheme}, ${width} px`;
      // the page's own policy would keep axe-core out
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 }, bypassCSP: true });
      await page.goto(url);
      await page.addScriptTag({ path: require.resolve("axe-core") });
      await checkPage(page, name);
      if (press) {
        await page.click(press);
        await page.waitForFunction(text => document.getElementById("status").textContent.startsWith(text), status, { timeout: 60000 });
        await checkPage(page, `${name}, after ${press}`);
      }
      // what axe-core would say of a fault, so that silence means something
      await page.evaluate(() => document.body.insertAdjacentHTML("beforeend", "<button id='nameless'></button>"));
      const { violations } = await page.evaluate(() => window.axe.run("#nameless"));
      if (!violations.some(({ id }) => id === "button-name")) failures.push(`${name}: axe-core finds nothing wrong with a button without a name`);
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
