// The reference cases and the verdict on them, shared by the consumers written in JavaScript.
"use strict";
const fs = require("node:fs");
const path = require("node:path");

const TOLERANCE = 2e-5;

/** Rows of numbers, or one point, as flat float32. */
const flat = (rows) => Float32Array.from(rows.flat());

/** Rows of numbers as one Float32Array a row. */
const rows = (matrix) => matrix.map((row) => Float32Array.from(row));

function load(file) {
  return JSON.parse(fs.readFileSync(file, "utf8")).cases;
}

/** |got - expected| <= 2e-5 + 2e-5 |expected| for every element, and nothing missing. */
function agrees(got, expected) {
  return (
    got.length === expected.length &&
    expected.every((e, i) => Math.abs(got[i] - e) <= TOLERANCE + TOLERANCE * Math.abs(e))
  );
}

/**
 * Runs every case, prints the verdict as one JSON line, sets the exit code.
 * RVA_SMOKE_RECORD names a file that gets every result, for those who compare bindings.
 */
async function replay(cases, compute) {
  const record = [];
  for (const testCase of cases) {
    const name = `${testCase.kind}/${testCase.name}`;
    try {
      const result = await compute(testCase);
      if (result === undefined) continue;
      const got = Array.from(result);
      // What JSON cannot say goes as a text.
      const told = got.map((number) => (Object.is(number, -0) ? "-0.0" : Number.isFinite(number) ? number : `${number}`));
      record.push({ case: name, ok: agrees(got, testCase.output.flat()), got: told });
    } catch (error) {
      console.error(`${name}: ${error}`);
      record.push({ case: name, ok: false, reason: String(error) });
    }
  }
  const failures = record.filter((entry) => !entry.ok).map((entry) => entry.case);
  const passed = record.length - failures.length;
  if (process.env.RVA_SMOKE_RECORD) fs.writeFileSync(process.env.RVA_SMOKE_RECORD, JSON.stringify(record));
  console.log(
    JSON.stringify({ passed, failed: failures.length, cases: record.length, failures: failures.slice(0, 5) }),
  );
  process.exitCode = passed === record.length && passed > 0 ? 0 : 1;
}

/**
 * One case through the classes of a JavaScript binding, whose names `names` gives.
 * One query goes through forward, several go through forwardBatch as rows. RVA_SMOKE_WAY=async takes the methods that
 * end in Async, cache puts keys and values into a KeyValueCache, state pushes them in two pieces to an AttentionState of
 * each query. What a way does not offer gives undefined.
 */
async function compute(api, names, testCase) {
  const asked = process.env.RVA_SMOKE_WAY;
  const way = asked === "async" ? "Async" : "";
  if ((asked === "cache" || asked === "state") && (!testCase.keys || testCase.kind === "self")) return undefined;
  if (asked === "state" && (testCase.mask || testCase.neighbors || testCase.causal)) return undefined;
  const options = {
    neighbors: testCase.neighbors,
    mask: testCase.mask && Uint8Array.from(testCase.mask, Number),
    causal: testCase.causal,
  };
  const dim = testCase.query?.[0].length;
  const run = async (attention) => {
    if (asked === "state") return testCase.query.flatMap((query) => Array.from(inPieces(attention, query, testCase)));
    const memory = [flat(testCase.keys), flat(testCase.values), options];
    if (asked === "cache") {
      const cache = new api.KeyValueCache(dim, testCase.values[0].length);
      cache.append(memory[0], memory[1]);
      memory.splice(0, 2, cache);
    }
    if (testCase.query.length === 1) return attention[`forward${way}`](flat(testCase.query), ...memory);
    const results = await attention[`forwardBatch${way}`](rows(testCase.query), ...memory);
    return results.flatMap((row) => Array.from(row));
  };
  const ball = () => new api[names.hyperbolic](testCase.curvature);
  switch (testCase.kind) {
    case "scaled_dot_product":
      return run(new api[names.scaledDot](dim));
    case "cross":
      return run(new api[names.cross](dim));
    case "self":
      return new api[names.self](dim)[`forward${way}`](flat(testCase.query), options);
    case "multi_head":
      return run(names.makeMultiHead(api, testCase.num_heads, dim));
    case "hyperbolic":
      return run(ball());
    case "linear":
      return run(new api[names.linear](dim));
    case "poincare_distance":
      return [ball().poincareDistance(Float32Array.from(testCase.x), Float32Array.from(testCase.y))];
    case "to_poincare":
      return ball().toPoincare(Float32Array.from(testCase.x));
    case "from_poincare":
      return ball().fromPoincare(Float32Array.from(testCase.x));
    default:
      throw new Error(`unknown kind ${testCase.kind}`);
  }
}

/** The result for one query whose keys come in two pieces. */
function inPieces(attention, query, { keys, values }) {
  const state = attention.state(Float32Array.from(query));
  const middle = keys.length >> 1;
  for (const [from, to] of [[0, middle], [middle, keys.length]]) {
    if (from < to) state.push(flat(keys.slice(from, to)), flat(values.slice(from, to)));
  }
  return state.finish();
}

/** The one file under `folder` whose name ends in `ending`. */
function only(folder, ending) {
  const found = fs
    .readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => path.resolve(folder, name));
  if (found.length !== 1) {
    console.error(`${folder}: expected one *${ending}, found ${found.length ? found.join(", ") : "none"}`);
    process.exit(1);
  }
  return found[0];
}

function usage() {
  const [folder, vectors] = process.argv.slice(2);
  if (!folder || !vectors) {
    console.error(`usage: ${path.basename(process.argv[1])} ARTIFACT_DIR VECTORS_JSON`);
    process.exit(2);
  }
  return { folder: path.resolve(folder), cases: load(vectors) };
}

module.exports = { load, replay, compute, only, usage };
