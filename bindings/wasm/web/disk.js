// The Poincaré disk: a query that moves, keys that stay, and the point that attention makes of them.
import { HyperbolicAttention } from "ruvector-attention-wasm";

const CURVATURE = 1;
const STEP = 0.04;
/** Three branches of a tree that grows towards the edge, row after row. */
const KEYS = Float32Array.from(
  [0.5, 2.6, 4.7].flatMap((turn) => [[0.35, 0], [0.68, -0.28], [0.68, 0.28], [0.88, -0.42], [0.88, 0.42]].flatMap(([radius, side]) => {
    const angle = turn + side;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  })),
);
const COUNT = KEYS.length / 2;
const keyAt = (j) => KEYS.subarray(2 * j, 2 * j + 2);

/** Draws on a canvas and tells in words; both follow the pointer and the arrow keys. */
export function showDisk(canvas, words) {
  const attention = new HyperbolicAttention(CURVATURE);
  let query = Float32Array.of(0.2, 0.15);

  /** Distances and the result are the library's; the weights, for the lines alone, are the softmax of their opposites. */
  function compute() {
    const distances = Array.from({ length: COUNT }, (_, j) => attention.poincareDistance(query, keyAt(j)));
    const nearest = Math.min(...distances);
    const parts = distances.map((distance) => Math.exp(nearest - distance));
    const sum = parts.reduce((a, b) => a + b);
    return { distances, weights: parts.map((part) => part / sum), result: attention.forward(query, KEYS, KEYS) };
  }

  function draw() {
    const { distances, weights, result } = compute();
    const width = canvas.clientWidth;
    const scale = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(width * scale);
    canvas.style.height = `${width}px`;
    const context = canvas.getContext("2d");
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const [ink, accent, line] = ["--ink", "--accent", "--line"].map(colour);
    context.scale(scale, scale);
    const radius = width / 2 - 4;
    const place = ([x, y]) => [width / 2 + x * radius, width / 2 - y * radius];
    const circle = (at, size, fill, stroke) => {
      context.beginPath();
      context.arc(...at, size, 0, 2 * Math.PI);
      if (fill) (context.fillStyle = fill), context.fill();
      if (stroke) (context.strokeStyle = stroke), context.stroke();
    };
    context.lineWidth = 2;
    circle([width / 2, width / 2], radius, "", ink);
    context.lineWidth = 1;
    // Circles of distance 1, 2 and 3 from the centre: each step costs less and less paper.
    for (const distance of [1, 2, 3]) circle([width / 2, width / 2], radius * Math.tanh(distance / 2), "", line);
    for (let j = 0; j < COUNT; j++) {
      context.lineWidth = 0.5 + 14 * weights[j];
      context.strokeStyle = accent;
      geodesic(context, query, keyAt(j), place, radius);
      circle(place(keyAt(j)), 5, ink);
    }
    circle(place(query), 9, accent, ink);
    context.lineWidth = 3;
    circle(place(result), 8, "", accent);
    const near = distances.indexOf(Math.min(...distances));
    const point = (p) => `(${Array.from(p, (x) => x.toFixed(2)).join(", ")})`;
    words.textContent =
      `Query ${point(query)}; the nearest of ${COUNT} keys is ${distances[near].toFixed(2)} away and has a weight of ` +
      `${weights[near].toFixed(2)}; the result, the open circle, is ${point(result)}.`;
    canvas.setAttribute("aria-label", `The Poincaré disk with ${COUNT} keys, the query and the result.`);
  }

  function move(x, y) {
    const norm = Math.hypot(x, y);
    const within = norm > 0.97 ? 0.97 / norm : 1;
    query = Float32Array.of(x * within, y * within);
    draw();
  }

  canvas.addEventListener("pointermove", (event) => {
    const half = canvas.clientWidth / 2;
    move((event.offsetX - half) / (half - 4), (half - event.offsetY) / (half - 4));
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [0, STEP], ArrowDown: [0, -STEP], ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    move(query[0] + step[0], query[1] + step[1]);
  });
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

/** The shortest way between two points: a straight line through the centre, else an arc that meets the edge at right angles. */
function geodesic(context, a, b, place, radius) {
  const cross = a[0] * b[1] - a[1] * b[0];
  context.beginPath();
  if (Math.abs(cross) < 1e-3) {
    context.moveTo(...place(a));
    context.lineTo(...place(b));
  } else {
    const [p, q] = [1 + a[0] ** 2 + a[1] ** 2, 1 + b[0] ** 2 + b[1] ** 2];
    const centre = [(b[1] * p - a[1] * q) / (2 * cross), (a[0] * q - b[0] * p) / (2 * cross)];
    const size = Math.sqrt(Math.max(centre[0] ** 2 + centre[1] ** 2 - 1, 0));
    const angle = ([x, y]) => Math.atan2(centre[1] - y, x - centre[0]);
    const [from, to] = [angle(a), angle(b)];
    const turn = Math.atan2(Math.sin(to - from), Math.cos(to - from));
    context.arc(...place(centre), size * radius, from, to, turn < 0);
  }
  context.stroke();
}
