// Calls a JavaScript package with every fault of faults.mjs: `node robust.mjs PACKAGE`. Each has to give an
// AttentionError with a known code, thrown or rejected, and the process has to compute as before afterwards.
import { callers, targets } from "./faults.mjs";

const CODES = new Set([
  "type", "length", "parameter", "non_finite", "overflow", "outside_ball", "all_masked", "no_visible_key", "unsupported",
  "too_large", "invalid_state", "state_mismatch", "freed",
]);
// Good arguments would be none where the first call of freedCall frees the object.
const NO_GOOD_CALL = / freed$/;

const module = await import(process.argv[2]);
const api = "ScaledDotProductAttention" in module ? module : module.default;
await api.init();

async function outcome(call) {
  try {
    await call();
  } catch (error) {
    // What the caller's own code throws is the caller's: it passes through as it is.
    if (error === callers) return "refused";
    if (!(error instanceof api.AttentionError)) return `${error?.name ?? typeof error}: ${error?.message ?? String(error)}`;
    if (!CODES.has(error.code)) return `code ${error.code}: ${error.message}`;
    if (typeof error.argument !== "string" || !error.message) return `no argument or message: ${error.code}`;
    return "refused";
  }
  return "accepted";
}

let count = 0;
const wrong = [];
for (const { name, make, args, faults } of targets(api)) {
  const good = () => args.map((argument) => argument());
  const fine = NO_GOOD_CALL.test(name) ? "accepted" : await outcome(async () => make()(...good()));
  if (fine !== "accepted") wrong.push(`${name} with good arguments: ${fine}`);
  for (const [place, kinds] of faults.entries()) {
    for (const [fault, value] of Object.entries(kinds)) {
      const given = value(args[place]()?.length ?? 4);
      if (given === undefined && fault.startsWith("a shrunk")) continue;
      count++;
      const said = await outcome(async () => make()(...good().map((argument, i) => (i === place ? given : argument))));
      if (said === "refused") continue;
      wrong.push(`${name}, argument ${place}, ${fault}: ${said}`);
    }
  }
}
const sum = new api.ScaledDotProductAttention(2).forward([1, 0], [[1, 0], [0, 1]], [[3], [3]])[0];
if (Math.abs(sum - 3) > 1e-6) wrong.push(`a good call gives ${sum} afterwards`);
for (const line of wrong) console.error(line);
console.log(JSON.stringify({ backend: api.backend.name, faults: count, refused: count - wrong.length, wrong: wrong.length }));
process.exitCode = wrong.length || count < 300 ? 1 : 0;
