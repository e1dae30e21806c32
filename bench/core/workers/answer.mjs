// What a JavaScript worker answers and how it times a call, the same in Node.js and in a browser.

/**
 * The answer to a request. `prepare` makes a task of one: { with, run(seconds, most), result(), free() }; `keep` takes a result
 * to where the request wants it, and returns what the answer then says.
 */
export function answerer({ versions, prepare, keep }) {
  const tasks = new Map();
  const answer = async (ask) => {
    if (ask.do === "describe") return { versions: versions() };
    if (ask.do === "prepare") {
      const task = await prepare(ask);
      tasks.set(ask.id, task);
      return { with: task.with };
    }
    const task = tasks.get(ask.id);
    if (ask.do === "run") return { ns: task.run(ask.seconds, ask.most) };
    if (ask.do === "result") return keep(task.result(), ask.path);
    tasks.delete(ask.id);
    task.free();
    return {};
  };
  return (ask) => answer(ask).catch((error) => ({ error: String(error) }));
}

const loops = new WeakMap();

/** A loop for this call alone: V8 compiles one that all calls share for none of them, which costs each 100 ns. */
function loopOf(call) {
  if (!loops.has(call)) loops.set(call, new Function("call", "count", "for (let i = 0; i < count; i++) call();"));
  return loops.get(call);
}

/** Nanoseconds of a call, of groups of calls that take about `groupNs` together: of one call each where that is 0. */
export function time(call, now, seconds, most, groupNs = 0) {
  const end = now() + seconds * 1e9;
  const [ns, loop] = [[], loopOf(call)];
  let group = 1;
  do {
    const start = now();
    loop(call, group);
    const spent = (now() - start) / group;
    ns.push(Math.round(spent));
    if (most > 1) group = Math.max(1, Math.min(10_000, Math.ceil(groupNs / Math.max(spent, 1))));
  } while (ns.length < most && now() < end);
  return ns;
}

/** V8 compiles quickly first, and well only what was called often: that is over before anything is measured. */
export function warm(call, now) {
  time(call, now, 0.5, Infinity);
}
