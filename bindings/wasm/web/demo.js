// The page's parts: a picture of attention weights, the disk of disk.js, and live times of three ways to compute.
import init, { Attention, AttentionError, KeyValueCache, ScaledDotProductAttention, backend } from "ruvector-attention-wasm";
import { showDisk } from "./disk.js";

const MOST_WORDS = 24;
const VECTOR = 64;
const $ = (id) => document.getElementById(id);

/** Numbers in [-1, 1) that a text decides, so that the picture is the same on every visit. */
function numbersOf(text, length) {
  let state = 2166136261;
  for (const letter of text) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
  return Float32Array.from({ length }, () => {
    state = Math.imul(state ^ (state >>> 15), 2246822519) + 2654435769;
    return ((state ^ (state >>> 13)) >>> 8) / 2 ** 23 - 1;
  });
}

/** One unit vector a word, row after row. */
function vectorsOf(words) {
  const rows = words.map((word) => {
    const row = numbersOf(word.toLowerCase(), VECTOR);
    const norm = Math.hypot(...row);
    return row.map((x) => x / norm);
  });
  return Float32Array.from(rows.flatMap((row) => [...row]));
}

/**
 * The weights of every word's attention to every word, row after row.
 *
 * Where the values are the identity, the result of attention is its weights.
 */
function weightsOf(words, { mechanism, neighbors, sharpness, causal }) {
  const n = words.length;
  const keys = vectorsOf(words);
  const queries = keys.map((x) => x * sharpness);
  const identity = new Float32Array(n * n);
  for (let i = 0; i < n; i++) identity[i * n + i] = 1;
  const attention = new Attention({ type: mechanism, hiddenDim: VECTOR });
  try {
    return attention.forwardBatch(queries, keys, identity, { neighbors, causal });
  } finally {
    attention.free();
  }
}

const picture = { words: [], weights: new Float32Array(), at: null };

function settings() {
  const number = (id) => ($(id).value === "" ? undefined : Number($(id).value));
  return {
    mechanism: $("mechanism").value,
    neighbors: $("mechanism").value === "linear" ? undefined : number("neighbors"),
    sharpness: number("sharpness") ?? 1,
    causal: $("causal").checked,
  };
}

function compute() {
  const words = $("words").value.split(/\s+/).filter(Boolean).slice(0, MOST_WORDS);
  $("neighbors").disabled = $("mechanism").value === "linear";
  if (words.length === 0) {
    $("cell").textContent = "Type a few words.";
    return;
  }
  try {
    Object.assign(picture, { words, weights: weightsOf(words, settings()), at: null });
    $("cell").textContent = "Point at a cell, or move with the arrow keys.";
  } catch (error) {
    if (!(error instanceof AttentionError)) throw error;
    $("cell").textContent = `Refused (${error.code}): ${error.message}`;
    return;
  }
  draw();
  fillTable();
}

/** Edge of the labels and of a cell, in CSS pixels. */
function layout() {
  const width = $("picture").clientWidth;
  const edge = Math.min(width * 0.28, 90);
  return { width, edge, cell: (width - edge) / picture.words.length };
}

function draw() {
  const canvas = $("picture");
  const { words, weights, at } = picture;
  const { width, edge, cell } = layout();
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = canvas.width;
  canvas.style.height = `${width}px`;
  const style = getComputedStyle(document.documentElement);
  const ends = ["--low", "--high"].map((name) => style.getPropertyValue(name).trim().split(/\s+/).map(Number));
  const most = weights.reduce((a, b) => Math.max(a, b), 1e-9);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.clearRect(0, 0, width, width);
  for (let i = 0; i < words.length; i++) {
    for (let j = 0; j < words.length; j++) {
      const part = weights[i * words.length + j] / most;
      context.fillStyle = `rgb(${ends[0].map((low, k) => Math.round(low + (ends[1][k] - low) * part)).join(" ")})`;
      context.fillRect(edge + j * cell, edge + i * cell, Math.max(cell - 1, 1), Math.max(cell - 1, 1));
    }
  }
  labels(context, style.getPropertyValue("--ink"), edge, cell);
  if (at) {
    context.strokeStyle = style.getPropertyValue("--ink");
    context.lineWidth = 2;
    context.strokeRect(edge + at[1] * cell, edge + at[0] * cell, cell - 1, cell - 1);
  }
  canvas.setAttribute("aria-label", `Weights of ${words.length} words; the largest is ${most.toFixed(2)}.`);
}

function labels(context, ink, edge, cell) {
  context.fillStyle = ink;
  context.font = `${Math.max(9, Math.min(14, cell * 0.8))}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  picture.words.forEach((word, i) => {
    const middle = edge + (i + 0.5) * cell;
    context.textAlign = "right";
    context.fillText(word, edge - 5, middle, edge - 6);
    context.save();
    context.translate(middle, edge - 5);
    context.rotate(-Math.PI / 2);
    context.textAlign = "left";
    context.fillText(word, 0, 0, edge - 6);
    context.restore();
  });
}

function select(row, column) {
  const { words, weights } = picture;
  if (words.length === 0) return;
  const within = (x) => Math.max(0, Math.min(words.length - 1, x));
  picture.at = [within(row), within(column)];
  const [i, j] = picture.at;
  $("cell").textContent = `word ${i + 1}, "${words[i]}", looks at word ${j + 1}, "${words[j]}": ${weights[i * words.length + j].toFixed(4)}`;
  draw();
}

function fillTable() {
  const { words, weights } = picture;
  const cell = (tag, text, scope) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (scope) made.scope = scope;
    return made;
  };
  const row = (...cells) => {
    const made = document.createElement("tr");
    made.append(...cells);
    return made;
  };
  const head = row(cell("td", ""), ...words.map((word) => cell("th", word, "col")));
  const body = words.map((word, i) =>
    row(cell("th", word, "row"), ...words.map((_, j) => cell("td", weights[i * words.length + j].toFixed(3)))),
  );
  $("table").replaceChildren(head, ...body);
}

function listenToPicture() {
  const canvas = $("picture");
  canvas.addEventListener("pointermove", (event) => {
    const { edge, cell } = layout();
    const [x, y] = [Math.floor((event.offsetX - edge) / cell), Math.floor((event.offsetY - edge) / cell)];
    if (x >= 0 && y >= 0) select(y, x);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [row, column] = picture.at ?? [-step[0], -step[1]];
    select(row + step[0], column + step[1]);
  });
  for (const id of ["words", "mechanism", "neighbors", "sharpness", "causal"]) $(id).addEventListener("input", compute);
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

// The times.

const WAYS = ["baseline", "simd128", "worker pool"];
const DIM = 128;
const ROUNDS = 31;
let run;

function makeTimeRows(text) {
  $("times").replaceChildren(
    ...WAYS.map((way) => {
      const row = document.createElement("tr");
      row.dataset.way = way;
      row.innerHTML = '<th scope="row"></th><td class="number"></td><td class="number"></td><td class="bar"><span></span></td>';
      row.children[0].textContent = way;
      row.children[1].textContent = text;
      return row;
    }),
  );
}

/** One level, in a worker of its own; a function that measures a round, in microseconds a call. */
function levelRounds(level, count, ends) {
  const worker = new Worker("worker.js", { type: "module", name: level });
  ends.push(() => worker.terminate());
  // A worker has no import map: it is told where the package lies.
  const task = { entry: import.meta.resolve("ruvector-attention-wasm"), level, dim: DIM, count };
  return () =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.fault ? reject(new Error(data.fault)) : resolve(data.microseconds));
      worker.onerror = (event) => reject(new Error(event.message || "the worker failed"));
      worker.postMessage(task);
    });
}

/** forwardAsync from this page, keys resident. */
function poolRounds(count, ends) {
  const attention = new ScaledDotProductAttention(DIM);
  const cache = new KeyValueCache(DIM);
  ends.push(() => (cache.free(), attention.free()));
  cache.append(numbersOf("keys", count * DIM), numbersOf("values", count * DIM));
  const query = numbersOf("query", DIM);
  let started;
  return async () => {
    // The pool starts its workers, and the cache goes to one of them, at the first call.
    await (started ??= attention.forwardAsync(query, cache));
    const start = performance.now();
    let calls = 0;
    while (performance.now() - start < 20) {
      await attention.forwardAsync(query, cache);
      calls += 1;
    }
    return (1000 * (performance.now() - start)) / calls;
  };
}

/** The ways by turns, one at a time, so that none disturbs another. */
async function measure(count, signal) {
  const ends = [];
  const rounds = {
    baseline: levelRounds("baseline", count, ends),
    simd128: levelRounds("simd128", count, ends),
    "worker pool": poolRounds(count, ends),
  };
  const times = new Map(WAYS.map((way) => [way, []]));
  makeTimeRows("starting");
  while (!signal.aborted && WAYS.some((way) => times.has(way))) {
    for (const way of WAYS.filter((way) => times.has(way))) {
      try {
        times.get(way).push(await rounds[way]());
        if (times.get(way).length > ROUNDS) times.get(way).shift();
      } catch (error) {
        times.delete(way);
        rowOf(way).children[1].textContent = error.message;
      }
      if (signal.aborted) break;
    }
    show(times);
    // Room for the page to draw.
    await new Promise((later) => setTimeout(later, 0));
  }
  for (const end of ends) end();
}

const rowOf = (way) => [...$("times").children].find((row) => row.dataset.way === way);

function show(times) {
  const medians = new Map();
  for (const [way, all] of times) if (all.length > 0) medians.set(way, [...all].sort((a, b) => a - b)[all.length >> 1]);
  const [slowest, base] = [Math.max(...medians.values()), medians.get("baseline")];
  for (const [way, median] of medians) {
    const [, time, share, bar] = rowOf(way).children;
    time.textContent = `${median < 100 ? median.toFixed(1) : Math.round(median)} µs`;
    share.textContent = base ? (median / base).toFixed(2) : "";
    bar.firstChild.style.width = `${(100 * median) / slowest}%`;
  }
}

function startOrStop() {
  if (run) run.abort();
  run = run ? undefined : new AbortController();
  $("measure").textContent = run ? "Stop measuring" : "Start measuring";
  if (run) measure(Number($("count").value), run.signal);
}

makeTimeRows("");
try {
  await init();
  $("status").textContent = `Computed by ${backend.name}, ${backend.level}: ${backend.reason}`;
  listenToPicture();
  compute();
  showDisk($("disk"), $("point"));
  $("measure").addEventListener("click", startOrStop);
  $("count").addEventListener("change", () => {
    if (!run) return;
    startOrStop();
    startOrStop();
  });
} catch (error) {
  $("status").textContent = `The module did not load: ${error.message}`;
  throw error;
}
