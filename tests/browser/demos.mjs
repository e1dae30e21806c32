// The demo and the example pages of the WebAssembly package, as people meet them: `node demos.mjs PROJECT SCREENSHOTS`.
//
// PROJECT has the package in node_modules, the pages in web/ and examples/. The server is the example's own.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import * as inNode from "ruvector-attention-wasm";
import { launch, open, start } from "./chromium.mjs";
import { judges, looks as looked } from "./looks.mjs";

const [project, screenshots] = process.argv.slice(2);
const passed = [];

/** A page in all its looks. */
const looks = async (browser, address, name, ready) => passed.push(...(await looked(browser, address, name, screenshots, ready)));

async function output(page, text) {
  const there = (text) => document.getElementById("output").textContent.includes(text);
  await page.waitForFunction(there, text).catch(async (error) => {
    throw new Error(`no ${JSON.stringify(text)} in ${JSON.stringify(await page.textContent("#output"))}`, { cause: error });
  });
}

async function basic(browser, address) {
  await looks(browser, `${address}/examples/browser_basic.html`, "basic", (page) => output(page, "refused"));
  const { page, close } = await open(browser, `${address}/examples/browser_basic.html`);
  await output(page, "refused");
  const lines = (await page.textContent("#output")).split("\n");
  assert.match(lines[0], /^computed by wasm, (baseline|simd128|relaxed-simd)$/);
  assert.deepEqual(lines.slice(1, 5), [
    "all keys: 3.2057 4.2057", "the best key: 1.0000 2.0000", "from the cache: 3.2057 4.2057", "from the cache: 3.4362 4.4362",
  ]);
  assert.match(lines[5], /^refused \(length, query\)/);
  const names = await page.evaluate(() => import("ruvector-attention-wasm").then((module) => Object.keys(module)));
  assert.deepEqual(names.sort(), Object.keys(inNode).sort());
  await close();
  passed.push("basic", `${names.length} names`);
}

async function worker(browser, address) {
  await looks(browser, `${address}/examples/browser_worker.html`, "worker", (page) => output(page, "computed by"));
  const { page, faults, close } = await open(browser, `${address}/examples/browser_worker.html`);
  await output(page, "computed by");
  await page.click("#start");
  await output(page, "longest time");
  const text = await page.textContent("#output");
  assert.match(text, /^64 of 64 results of 64 numbers/);
  // From inside the page: a call from here might come when all is done.
  await page.evaluate(() => {
    const [start, stop, output] = ["start", "stop", "output"].map((id) => document.getElementById(id));
    new MutationObserver(() => output.textContent.startsWith("3 of") && stop.click()).observe(output, { childList: true });
    start.click();
  });
  await output(page, "stopped after");
  assert.deepEqual(faults, []);
  await close();
  passed.push(`worker: ${text.split("\n")[1]}`);
}

/** The weights as the page's table has them. */
const tableOf = (page) =>
  page.$$eval("#table tr", (rows) => rows.slice(1).map((row) => [...row.querySelectorAll("td")].map((cell) => Number(cell.textContent))));

/** How many colours the picture has. */
const colours = (page, id = "#picture") =>
  page.$eval(id, (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  });

async function demo(browser, address) {
  const drawn = (page) => page.waitForFunction(() => document.querySelectorAll("#table tr").length > 1);
  await looks(browser, `${address}/web/`, "demo", async (page) => {
    await drawn(page);
    await page.focus("#picture");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    assert.match(await page.textContent("#cell"), /^word 1, "the", looks at word 2, "cat": 0\.\d+/);
    await page.click("#measure");
    await page.waitForFunction(() => [...document.querySelectorAll("#times tr")].every((row) => /µs/.test(row.children[1].textContent)));
  });
  const { page, faults, close } = await open(browser, `${address}/web/`);
  await drawn(page);
  const all = await tableOf(page);
  assert.equal(all.length, 13);
  for (const row of all) assert.ok(Math.abs(row.reduce((a, b) => a + b) - 1) < 0.01, `a row sums to ${row.reduce((a, b) => a + b)}`);
  assert.ok((await colours(page)) > 20, "the picture is empty");
  await page.check("#causal");
  (await tableOf(page)).forEach((row, i) => assert.ok(row.slice(i + 1).every((weight) => weight === 0), "a word looks ahead"));
  await page.fill("#neighbors", "2");
  for (const row of await tableOf(page)) assert.ok(row.filter((weight) => weight > 0).length <= 2);
  await page.fill("#neighbors", "0");
  assert.match(await page.textContent("#cell"), /^Refused \(parameter\)/);
  await page.selectOption("#mechanism", "linear");
  assert.ok((await tableOf(page)).length === 13 && (await page.isDisabled("#neighbors")));
  const told = await page.textContent("#point");
  assert.match(told, /^Query \(0\.20, 0\.15\); the nearest of 15 keys is \d\.\d\d away/);
  assert.ok((await colours(page, "#disk")) > 20, "the disk is empty");
  await page.focus("#disk");
  for (let i = 0; i < 60; i++) await page.keyboard.press("ArrowRight");
  assert.match(await page.textContent("#point"), /^Query \(0\.9\d, 0\.\d\d\);.* \(0\.\d\d, 0\.\d\d\)\.$/);
  await page.fill("#words", "  ");
  assert.equal(await page.textContent("#cell"), "Type a few words.");
  await page.click("#measure");
  await page.waitForFunction(() => [...document.querySelectorAll("#times tr")].every((row) => /µs/.test(row.children[1].textContent)));
  const times = await page.$$eval("#times tr", (rows) => rows.map((row) => [...row.children].slice(0, 2).map((cell) => cell.textContent)));
  await page.click("#measure");
  assert.equal(await page.textContent("#measure"), "Start measuring");
  assert.deepEqual(faults, []);
  await close();
  passed.push(`demo: ${times.map((pair) => pair.join(" ")).join(", ")}`);
}

/** The example server computes, and refuses what it has to. */
async function server(address) {
  const post = (body) => fetch(`${address}/attention`, { method: "POST", body });
  const good = { query: [1, 0], keys: [[1, 0], [0, 1]], values: [[1, 2], [3, 4]] };
  const answer = await (await post(JSON.stringify(good))).json();
  assert.deepEqual(answer.result.map((x) => x.toFixed(4)), ["1.6605", "2.6605"]);
  for (const [status, code, body] of [
    [400, "json", "{"],
    [400, "type", "{}"],
    [400, "type", "null"],
    [400, "length", JSON.stringify({ ...good, keys: [[1]] })],
    [400, "unknown_type", JSON.stringify({ ...good, type: "sideways" })],
    [413, "too_large", "x".repeat(2_000_000)],
  ]) {
    const response = await post(body);
    assert.deepEqual([response.status, (await response.json()).error.code], [status, code], body.slice(0, 80));
  }
  for (const name of ["/..%2f..%2fetc/passwd", "/no.html", "/%ff", "/web%00"]) {
    assert.equal((await fetch(`${address}${name}`)).status, 404, name);
  }
  assert.equal((await fetch(address, { method: "PUT" })).status, 405);
  passed.push("server");
}

fs.mkdirSync(screenshots, { recursive: true });
const { address, stop } = await start(path.join(project, "examples", "node_server.mjs"), project, "0");
const browser = await launch();
try {
  await judges(browser);
  passed.push("judges");
  await server(address);
  await basic(browser, address);
  await worker(browser, address);
  await demo(browser, address);
} finally {
  await browser.close();
  stop();
}
console.log(JSON.stringify({ passed }));
