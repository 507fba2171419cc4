/** Reads MNIST: the subset that comes with the site, or the four IDX files of the full set. */
import { CLASSES, PIXELS, SIDE } from './protocol';

export interface Split {
  images: Uint8Array;
  labels: Uint8Array;
  count: number;
}

export interface Mnist {
  name: string;
  train: Split;
  test: Split;
}

const IDX_IMAGES = 0x00000803;
const IDX_LABELS = 0x00000801;
const SUBSET_MAGIC = 'MNSB';
const SUBSET_HEADER = 12;

/** Unpacks gzip; bytes that are not gzip (a server may have unpacked them already) come back as they are. */
export async function gunzip(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Error(`${name}: the gzip data is damaged or cut short`);
  }
}

export async function fetchSubset(url: string): Promise<Mnist> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return parseSubset(await gunzip(bytes, 'MNIST subset'));
}

/** Layout: "MNSB", u32 train count, u32 test count, then train images, train labels, test images, test labels. */
export function parseSubset(bytes: Uint8Array): Mnist {
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (bytes.length < SUBSET_HEADER || magic !== SUBSET_MAGIC) {
    throw new Error('MNIST subset: expected a file that begins with "MNSB"');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const counts = [view.getUint32(4, true), view.getUint32(8, true)] as const;
  const expected = SUBSET_HEADER + (counts[0] + counts[1]) * (PIXELS + 1);
  if (bytes.length !== expected) {
    throw new Error(`MNIST subset: expected ${expected} bytes, got ${bytes.length}`);
  }
  let offset = SUBSET_HEADER;
  const take = (count: number): Split => {
    const images = bytes.subarray(offset, offset + count * PIXELS);
    const labels = bytes.subarray(offset + count * PIXELS, offset + count * (PIXELS + 1));
    offset += count * (PIXELS + 1);
    return checked({ images, labels, count }, 'MNIST subset');
  };
  return { name: 'MNIST subset', train: take(counts[0]), test: take(counts[1]) };
}

/** Puts the four IDX files (gzip or not, in any order) together; which is which is read from the files. */
export async function parseIdxFiles(files: File[]): Promise<Mnist> {
  if (files.length !== 4) {
    throw new Error(`Choose the four MNIST files together (train and t10k, images and labels); got ${files.length}`);
  }
  const images: Part[] = [];
  const labels: Part[] = [];
  for (const file of files) {
    const part = parseIdx(await gunzip(new Uint8Array(await file.arrayBuffer()), file.name), file.name);
    (part.kind === IDX_IMAGES ? images : labels).push(part);
  }
  if (images.length !== 2) {
    throw new Error(`Expected two files of images and two of labels, got ${images.length} and ${labels.length}`);
  }
  const bySize = (a: Part, b: Part): number => b.count - a.count;
  images.sort(bySize);
  labels.sort(bySize);
  const pair = (at: 0 | 1): Split => {
    const [x, y] = [images[at], labels[at]];
    if (x === undefined || y === undefined || x.count !== y.count) {
      throw new Error(`${x?.name} has ${x?.count} images but ${y?.name} has ${y?.count} labels`);
    }
    return checked({ images: x.data, labels: y.data, count: x.count }, y.name);
  };
  return { name: 'MNIST, your files', train: pair(0), test: pair(1) };
}

interface Part {
  name: string;
  kind: number;
  count: number;
  data: Uint8Array;
}

function parseIdx(bytes: Uint8Array, name: string): Part {
  if (bytes.length < 8) throw new Error(`${name}: too short for an IDX file (${bytes.length} bytes)`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = view.getUint32(0);
  if (kind !== IDX_IMAGES && kind !== IDX_LABELS) {
    throw new Error(`${name}: not an MNIST IDX file (it begins with 0x${kind.toString(16).padStart(8, '0')})`);
  }
  const count = view.getUint32(4);
  const header = kind === IDX_IMAGES ? 16 : 8;
  if (kind === IDX_IMAGES && bytes.length >= header) {
    const [rows, columns] = [view.getUint32(8), view.getUint32(12)];
    if (rows !== SIDE || columns !== SIDE) {
      throw new Error(`${name}: expected images of 28 x 28 pixels, got ${rows} x ${columns}`);
    }
  }
  const expected = header + count * (kind === IDX_IMAGES ? PIXELS : 1);
  if (bytes.length !== expected) {
    throw new Error(`${name}: expected ${expected} bytes for ${count} items, got ${bytes.length}`);
  }
  return { name, kind, count, data: bytes.subarray(header) };
}

function checked(split: Split, name: string): Split {
  if (split.count === 0) throw new Error(`${name}: holds no images`);
  const bad = split.labels.findIndex((label) => label >= CLASSES);
  if (bad >= 0) throw new Error(`${name}: label ${split.labels[bad]} of item ${bad} is not a digit`);
  return split;
}
