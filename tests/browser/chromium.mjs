// A browser without a window, driven by playwright-core, and a server for its pages: shared by the tests in browsers.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

/** Debian's Chromium. In a container its root user has no sandbox. */
export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** Runs a server that prints its address first; gives the address and a function that ends it. */
export async function start(program, ...words) {
  const child = spawn(process.execPath, [program, ...words], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const [first] = await Promise.race([
    once(lines, "line"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`${program} ended with ${code}`))),
  ]);
  return { address: first, stop: () => child.kill() };
}

/** A page whose faults are remembered: uncaught errors, failed requests, errors on the console; and what it asks for. */
export async function open(browser, address, options = {}) {
  const context = await browser.newContext(options);
  // A busy machine is slow, not broken.
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const faults = [];
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => faults.push(`uncaught: ${error.message}`));
  page.on("requestfailed", (request) => faults.push(`failed: ${request.url()}`));
  page.on("console", (message) => message.type() === "error" && faults.push(`console: ${message.text()}`));
  await page.goto(address);
  return { page, faults, requests, close: () => context.close() };
}
