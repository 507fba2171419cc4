// What WebAssembly reaches at most on this machine: modules written byte by byte, so that no compiler has a say.

const leb = (n) => {
  const bytes = [];
  do {
    bytes.push((n & 127) | (n > 127 ? 128 : 0));
    n >>>= 7;
  } while (n > 0);
  return bytes;
};
const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
const I32 = 0x7f;
const V128 = 0x7b;
const get = (i) => [0x20, ...leb(i)];
const set = (i) => [0x21, ...leb(i)];
const constant = (n) => [0x41, ...leb(n)];
const add = 0x6a;
const simd = (op) => [0xfd, ...leb(op)];
const load = (offset) => [...simd(0), 4, ...leb(offset)];
const splat = (offset) => [...simd(9), 2, ...leb(offset)];
/** `sum += a * b` of vectors in locals: at once, or a product and a sum. */
const madd = (sum, a, b, relaxed) =>
  relaxed
    ? [...get(a), ...get(b), ...get(sum), ...simd(0x105), ...set(sum)]
    : [...get(sum), ...get(a), ...get(b), ...simd(0xe6), ...simd(0xe4), ...set(sum)];

/** A module with a page of memory and `run(rounds)`: `body` is repeated with `vectors` locals from 3 on. */
function looped(vectors, before, body) {
  const code = [
    ...[2, 2, I32, ...leb(vectors), V128],
    ...[0x03, 0x40, ...before, ...body],
    ...[...get(0), 0x41, 0x7f, add, 0x22, 0, 0x0d, 0, 0x0b],
    // The sums are stored, so that they are computed.
    ...Array.from({ length: vectors }, (_, i) => [...constant(0), ...get(3 + i), ...simd(11), 4, ...leb(32768 + 16 * i)]).flat(),
    0x0b,
  ];
  const bytes = [
    ...[0, 97, 115, 109, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, I32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [1, 3, 114, 117, 110, 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ];
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports.run;
}

/** Twelve sums in registers, each a chain of multiply-adds. */
function registers(relaxed) {
  const body = Array.from({ length: 4 }, () => Array.from({ length: 12 }, (_, i) => madd(3 + i, 15, 16, relaxed))).flat(2);
  return { run: looped(14, [], body), flops: 4 * 12 * 8 };
}

/** A tile of 4 x 8 over k = 128: four rows of a and a packed panel of b, both in the first-level cache. */
function cache(relaxed) {
  const K = 128;
  const step = (k) => [
    ...[...get(2), ...load(8192 + 32 * k), ...set(11)],
    ...[...get(2), ...load(8192 + 32 * k + 16), ...set(12)],
    ...[0, 1, 2, 3].flatMap((row) => [
      ...[...get(1), ...splat(4 * (K * row + k)), ...set(13)],
      ...madd(3 + 2 * row, 13, 11, relaxed),
      ...madd(4 + 2 * row, 13, 12, relaxed),
    ]),
  ];
  const before = [...constant(0), ...set(1), ...constant(0), ...set(2)];
  return { run: looped(11, before, Array.from({ length: K }, (_, k) => step(k)).flat()), flops: K * 64 };
}

/** GFLOP/s. */
async function rate({ run, flops }) {
  // The optimizing compiler works beside and takes over at a later call.
  for (const start = performance.now(); performance.now() - start < 300; ) {
    run(200);
    await new Promise((resolve) => setTimeout(resolve));
  }
  let rounds = 1000;
  let best = 0;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    run(rounds);
    const seconds = (performance.now() - start) / 1000;
    if (seconds < 0.02) rounds *= 4;
    else best = Math.max(best, (rounds * flops) / seconds / 1e9);
  }
  return best;
}

/** GFLOP/s of multiply-adds in registers and of a tile in the cache, fused where the browser can. */
export async function ceilings() {
  const relaxed = (() => {
    try {
      return registers(true) !== undefined;
    } catch {
      return false;
    }
  })();
  return { registers: await rate(registers(relaxed)), cache: await rate(cache(relaxed)) };
}
