// The documentation site and the report of a verification, as people meet them: `node pages.mjs SITE REPORT SCREENSHOTS PAGE...`.
//
// Nothing is asked of any other server, and the search works from a file: address too.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { launch, open } from "./chromium.mjs";
import { judges, looks } from "./looks.mjs";

const [site, report, screenshots, ...pages] = process.argv.slice(2);
const TYPES = { ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml" };
const passed = [];

/** Serves the site and the report; gives the address. */
function serve() {
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, "http://x").pathname);
    const file = name === "/report.html" ? report : path.join(site, name);
    const found = fs.existsSync(file) && fs.statSync(file).isFile();
    response.writeHead(found ? 200 : 404, { "content-type": TYPES[path.extname(file)] ?? "application/octet-stream" });
    response.end(found ? fs.readFileSync(file) : "");
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done({ server, address: `http://127.0.0.1:${server.address().port}` })));
}

/** Requests that leave the address a page came from. */
const strangers = (requests, own) => requests.filter((url) => /^(https?|wss?):/.test(url) && !url.startsWith(own));

/** Text of 16 pixels or more, which a telephone shows without zooming. */
async function readable(page) {
  const size = await page.evaluate(() => parseFloat(getComputedStyle(document.querySelector("p")).fontSize));
  assert.ok(size >= 16, `text of ${size} pixels`);
}

/** The search finds a word of a page, without a server. */
async function searches(browser) {
  const { page, faults, requests, close } = await open(browser, pathToFileURL(path.join(site, "index.html")).href);
  await page.fill('input[name="query"]', "gyromidpoint");
  await page.waitForSelector(".md-search-result__item", { timeout: 20_000 });
  assert.deepEqual([faults, strangers(requests, "file:")], [[], []]);
  await close();
  passed.push("search");
}

/** The judge of strangers sees one. */
async function sees(browser, address) {
  const { page, requests, close } = await open(browser, `${address}/index.html`);
  await page.evaluate(() => fetch("http://127.0.0.1:9/").catch(() => {}));
  assert.equal(strangers(requests, address).length, 1);
  await close();
}

fs.mkdirSync(screenshots, { recursive: true });
const { server, address } = await serve();
const browser = await launch();
try {
  await judges(browser);
  await sees(browser, address);
  for (const name of [...pages, "report.html"]) {
    const short = name.replace(/\W/g, "-").replace(/-html$/, "");
    passed.push(
      ...(await looks(browser, `${address}/${name}`, `site-${short}`, screenshots, async (page, requests) => {
        await page.waitForLoadState("networkidle");
        await readable(page);
        assert.deepEqual(strangers(requests, address), [], `${name} asks other servers`);
      })),
    );
  }
  await searches(browser);
} finally {
  await browser.close();
  server.close();
}
console.log(JSON.stringify({ passed: passed.length, pages: pages.length + 1 }));
