// Which module this runtime can run, found out by asking it: flags and version numbers say less.

/** One compiled module a level, fastest first. */
export const LEVELS = ["relaxed-simd", "simd128", "baseline"] as const;

export type Level = (typeof LEVELS)[number];

export interface Choice {
  readonly level: Level;
  readonly reason: string;
}

/** A module of one function without arguments whose body is this. */
function moduleOf(...body: number[]): Uint8Array<ArrayBuffer> {
  const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  const types = [0x01, 0x04, 0x01, 0x60, 0x00, 0x00];
  const functions = [0x03, 0x02, 0x01, 0x00];
  const code = [0x0a, body.length + 4, 0x01, body.length + 2, 0x00, ...body, 0x0b];
  return Uint8Array.from([...header, ...types, ...functions, ...code]);
}

const [I32_CONST, DROP, VECTOR, I8X16_SPLAT] = [0x41, 0x1a, 0xfd, 0x0f];
const ZEROS = [I32_CONST, 0x00, VECTOR, I8X16_SPLAT];

const PROBES: Record<Level, Uint8Array<ArrayBuffer>> = {
  baseline: moduleOf(),
  // i8x16.splat
  simd128: moduleOf(...ZEROS, DROP),
  // f32x4.relaxed_madd
  "relaxed-simd": moduleOf(...ZEROS, ...ZEROS, ...ZEROS, VECTOR, 0x85, 0x02, DROP),
};

/** The fastest level that this runtime validates, or the one that is wanted. */
export function choose(wanted?: Level, validate: (bytes: Uint8Array<ArrayBuffer>) => boolean = WebAssembly.validate): Choice {
  if (wanted !== undefined) return { level: wanted, reason: "it was asked for" };
  const level = LEVELS.find((each) => validate(PROBES[each])) ?? "baseline";
  const above = LEVELS[LEVELS.indexOf(level) - 1];
  const reason = above === undefined ? "the runtime has all that the modules use" : `the runtime does not validate ${above}`;
  return { level, reason };
}

/** Whether a text names a level. */
export function isLevel(text: unknown): text is Level {
  return LEVELS.includes(text as Level);
}
