// Calls functions when signals abort. One listener a signal: with one a call, Node.js warns of a leak from the eleventh on.
() => {
  "use strict";
  const watched = new WeakMap();

  const watch = (signal, stop) => {
    let entry = watched.get(signal);
    if (entry === undefined) {
      const stops = new Set();
      const listener = () => [...stops].forEach((call) => call());
      signal.addEventListener("abort", listener);
      entry = { stops, listener };
      watched.set(signal, entry);
    }
    entry.stops.add(stop);
  };

  const unwatch = (signal, stop) => {
    const { stops, listener } = watched.get(signal);
    stops.delete(stop);
    if (stops.size > 0) return;
    watched.delete(signal);
    signal.removeEventListener("abort", listener);
  };

  return (signal, stop, on) => (on ? watch : unwatch)(signal, stop);
};
