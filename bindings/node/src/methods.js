// Reads the options of a call, then calls the native method with what they name, one by one. Through Node-API reading
// { out } costs 300 ns, compiled here 10 ns. Runs once a class, on its prototype.
(prototype, KeyValueCache, refuse) => {
  "use strict";
  // What is given, as the bits of the argument before the options; see types.rs.
  const [NEIGHBORS, MASK, CAUSAL, DIM, SEED, OUT, SIGNAL, CACHE] = [1, 2, 4, 8, 16, 32, 64, 128];
  const KNOWN = "one of neighbors, numNeighbors, mask, causal, dim, out, signal, training, seed";

  const count = (value, name) => {
    if (!Number.isSafeInteger(value) || value < 0) refuse(name, "an integer from 0 to 2^53 - 1");
    return value;
  };
  const boolean = (value, name) => {
    if (typeof value !== "boolean") refuse(name, "a boolean");
    return value;
  };

  const read = (options) => {
    const asked = {
      given: 0, neighbors: undefined, mask: undefined, causal: undefined, dim: undefined, seed: undefined, out: undefined,
      signal: undefined,
    };
    if (typeof options === "number") {
      asked.given = NEIGHBORS;
      asked.neighbors = count(options, "numNeighbors");
    } else if (typeof options !== "object") {
      refuse("options", "a number, a mask or an object");
    } else if (Array.isArray(options) || ArrayBuffer.isView(options)) {
      asked.given = MASK;
      asked.mask = options;
    } else {
      readObject(options, asked);
    }
    return asked;
  };

  const readObject = (options, asked) => {
    let training = false;
    let seed;
    for (const name in options) {
      const value = options[name];
      const there = value !== undefined && value !== null;
      switch (name) {
        case "out":
          if (!there) break;
          asked.given |= OUT;
          asked.out = value;
          break;
        case "mask":
          if (!there) break;
          asked.given |= MASK;
          asked.mask = value;
          break;
        case "signal":
          if (!there) break;
          asked.given |= SIGNAL;
          asked.signal = value;
          break;
        case "neighbors":
        case "numNeighbors":
          if (!there) break;
          if (asked.neighbors !== undefined && asked.neighbors !== value) {
            refuse(name, "one number, but neighbors and numNeighbors differ");
          }
          asked.given |= NEIGHBORS;
          asked.neighbors = count(value, name);
          break;
        case "dim":
          if (!there) break;
          asked.given |= DIM;
          asked.dim = count(value, name);
          break;
        case "causal":
          if (!there) break;
          asked.given |= CAUSAL;
          asked.causal = boolean(value, name);
          break;
        case "training":
          if (there) training = boolean(value, name);
          break;
        case "seed":
          if (there) seed = count(value, name);
          break;
        default:
          refuse(name, KNOWN);
      }
    }
    if (training) {
      asked.given |= SEED;
      asked.seed = seed ?? refuse("seed", "an integer with training, so that the result can be repeated");
    }
  };

  const overKeys = (native) => {
    return function (query, keys, values, options) {
      let cache = 0;
      if (keys instanceof KeyValueCache) {
        cache = CACHE;
        options = values;
        values = undefined;
      }
      if (options === undefined || options === null) return native.call(this, query, keys, values, cache);
      const { given, neighbors, mask, causal, dim, seed, out, signal } = read(options);
      return native.call(this, query, keys, values, given | cache, neighbors, mask, causal, dim, seed, out, signal);
    };
  };
  const overOne = (native) => {
    return function (first, options) {
      if (options === undefined || options === null) return native.call(this, first, 0);
      const { given, neighbors, mask, causal, dim, seed, out, signal } = read(options);
      return native.call(this, first, given, neighbors, mask, causal, dim, seed, out, signal);
    };
  };
  // What a promise is answered by is never thrown.
  const rejecting = (method) => {
    return function (...given) {
      try {
        return method.apply(this, given);
      } catch (error) {
        return Promise.reject(error);
      }
    };
  };

  const own = !Object.hasOwn(prototype, "state");
  for (const name of ["forward", "forwardAsync", "forwardBatch", "forwardBatchAsync", "prepare", "state"]) {
    const native = prototype[name];
    if (native === undefined) continue;
    const method = own || name === "state" ? overOne(native) : overKeys(native);
    const value = name.endsWith("Async") ? rejecting(method) : method;
    Object.defineProperty(value, "name", { value: name, configurable: true });
    Object.defineProperty(prototype, name, { value, writable: true, enumerable: false, configurable: true });
  }
};
