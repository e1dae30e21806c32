// What a module's declarations say against what it holds when it runs: names of exports, members and statics.
//
// node names.mjs MODULE...   writes, for each, a TypeScript file beside this one that compiles only if both agree
//
// The comparison itself is the compiler's: `keyof` of the declared type on one side, the names found on the other.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const OF_FUNCTIONS = ["length", "name", "prototype", "arguments", "caller"];
const OF_ERRORS = ["name", "message", "stack", "cause"];
const OF_STATIC_ERRORS = ["captureStackTrace", "stackTraceLimit", "prepareStackTrace"];

/** What TypeScript calls a property's name. Older versions of Node.js describe Symbol.dispose in their own words. */
function typeOf(key) {
  if (typeof key !== "symbol") return JSON.stringify(key);
  return `typeof ${key === Symbol.dispose ? "Symbol.dispose" : key.description}`;
}

/** Property names as a union of types. */
function union(keys) {
  const types = keys.map(typeOf);
  return types.length ? types.join(" | ") : "never";
}

function isClass(value) {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** A native class is a function with members on its prototype. */
function hasInstances(value) {
  return isClass(value) || (typeof value === "function" && Reflect.ownKeys(value.prototype ?? {}).length > 1);
}

function statics(value) {
  return Reflect.ownKeys(value).filter((key) => !OF_FUNCTIONS.includes(key) && !isPrivate(key));
}

function isPrivate(key) {
  return typeof key === "string" && key.startsWith("_");
}

/** Members of a class and those that it inherits, down to the language's own. */
function members(value, instance) {
  const found = new Set(instance ? Reflect.ownKeys(instance) : []);
  for (let at = value.prototype; at && at !== Object.prototype && at !== Error.prototype; at = Object.getPrototypeOf(at)) {
    for (const key of Reflect.ownKeys(at)) found.add(key);
  }
  if (value.prototype instanceof Error) for (const key of OF_ERRORS) found.add(key);
  return [...found].filter((key) => key !== "constructor" && !isPrivate(key) && key !== "__wbg_ptr");
}

/** An object of the class, where its own properties belong to its face and a constructor without the backend makes one. */
function instanceOf(name, value) {
  if (name === "AttentionError") return new value("text", "type", "argument");
  if (name === "Attention") return new value({ type: "linear", hiddenDim: 2 });
  return undefined;
}

/** The lines that hold one pair of types against each other; an array of never takes no element. */
function compare(label, declared, found, promised = declared) {
  const name = label.replace(/\W/g, "_");
  return [
    `export const declared_only__${name}: never[] = [] as Exclude<${promised}, ${found}>[];`,
    `export const run_time_only__${name}: never[] = [] as Exclude<${found}, ${declared}>[];`,
  ];
}

/** The names that a type has in any case: optional ones may be absent. */
function required(type) {
  return `{ [K in keyof ${type}]-?: {} extends Pick<${type}, K> ? never : K }[keyof ${type}]`;
}

/** The TypeScript file for one module. */
function check(statement, module) {
  // A name without a value is as good as none.
  const names = Object.keys(module).filter((name) => module[name] !== undefined);
  const lines = [statement, ...compare("exports", "keyof typeof M", union(names))];
  for (const name of names.filter((name) => name !== "default")) {
    const [value, type] = [module[name], `(typeof M)[${JSON.stringify(name)}]`];
    if (hasInstances(value)) {
      const inherited = value.prototype instanceof Error ? OF_STATIC_ERRORS : [];
      const own = `Exclude<keyof ${type}, "prototype" | ${union(inherited)}>`;
      lines.push(...compare(`${name}.static`, own, union(statics(value))));
      const [face, found] = [`${type}["prototype"]`, union(members(value, instanceOf(name, value)))];
      lines.push(...compare(name, `keyof ${face}`, found, required(face)));
    } else if (typeof value === "object" && value !== null) {
      lines.push(...compare(name, `keyof ${type}`, union(Reflect.ownKeys(value)), required(type)));
    }
  }
  return `${lines.join("\n")}\n`;
}

/** Whether Node.js reads a file as an ES module. */
function isEsm(file) {
  if (!file.endsWith(".js")) return file.endsWith(".mjs");
  for (let folder = path.dirname(file); folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const place = path.join(folder, "package.json");
    if (fs.existsSync(place)) return JSON.parse(fs.readFileSync(place, "utf8")).type === "module";
  }
  return false;
}

// A package is asked both ways, a file in its own.
const require = createRequire(import.meta.url);
for (const [index, given] of process.argv.slice(2).entries()) {
  const isFile = given.startsWith(".");
  const name = JSON.stringify(given);
  if (!isFile || isEsm(path.resolve(given))) {
    fs.writeFileSync(`names_${index}.mts`, check(`import * as M from ${name};`, await import(given)));
  }
  if (!isFile || !isEsm(path.resolve(given))) {
    fs.writeFileSync(`names_${index}.cts`, check(`import M = require(${name});`, require(given)));
  }
}
