// How a page looks to its readers: it fits a telephone and a desk, in both colour schemes, and axe-core finds nothing.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { open } from "./chromium.mjs";

const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WRONG = '<div style="width: 3000px"><img src="data:,"><button></button></div>';
const SIZES = [
  { width: 390, height: 844 },
  { width: 1280, height: 900 },
];

/** What axe-core finds against WCAG 2.2 AA. */
async function accessibility(page) {
  await page.evaluate(axe);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await page.evaluate((values) => globalThis.axe.run({ runOnly: { type: "tag", values } }), tags);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
}

async function fits(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `the page is ${content} wide in a window of ${window}`);
}

/** The two judges of a page see a page that is neither accessible nor narrow. */
export async function judges(browser) {
  const { page, close } = await open(browser, "about:blank");
  await page.setContent(WRONG);
  assert.ok((await accessibility(page)).some((fault) => fault.startsWith("button-name")));
  await assert.rejects(fits(page), /is 3\d{3} wide/);
  await close();
}

/** A page at both widths and in both schemes: it fits, it is accessible, nothing fails; the looks that passed. */
export async function looks(browser, address, name, screenshots, ready) {
  const passed = [];
  for (const viewport of SIZES) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, faults, requests, close } = await open(browser, address, { viewport, colorScheme });
      await ready(page, requests);
      await fits(page);
      assert.deepEqual(await accessibility(page), [], `${name} ${viewport.width} ${colorScheme}`);
      // A picture of a very long page takes a browser longer than anybody looks at it.
      const fullPage = await page.evaluate(() => document.documentElement.scrollHeight < 6000);
      await page.screenshot({ path: path.join(screenshots, `${name}-${viewport.width}-${colorScheme}.png`), fullPage });
      assert.deepEqual(faults, []);
      await close();
      passed.push(`${name} ${viewport.width} ${colorScheme}`);
    }
  }
  return passed;
}
