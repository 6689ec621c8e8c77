/** The zip archives that `numpy.savez_compressed` writes, to the byte, and a reader for whatever `numpy.load` would read. */
import { crc32, inflateRawSync } from 'node:zlib';
import { deflateRaw } from 'pako';
import { SightlineError } from '../errors.js';

export interface ZipMember {
  name: string;
  bytes: Buffer;
}

/** What numpy writes: Python 3.8 to 3.11.2 on Unix, 1980-01-01 00:00, level 6. Newer Pythons differ in version fields only. */
const VERSION = 20;
const DATE_1980 = 0x0021;
const METHOD_STORED = 0;
const METHOD_DEFLATE = 8;
const CREATED_ON_UNIX = 3 << 8;
const MODE_0600 = 0o600 * 0x10000;
const LEVEL = 6;

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const UNKNOWN_SIZE = 0xffffffff;

const MEMBERS_MAX = 64;
const MEMBER_BYTES_MAX = 16 * 1024 * 1024;

/** Node's own zlib finds other matches, so pako, a port of the original, does the work: the same bytes as from Python. */
export function zipArchive(members: readonly ZipMember[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes } of members) {
    const packed = Buffer.from(deflateRaw(bytes, { level: LEVEL }));
    const file = Buffer.from(name);
    const checksum = crc32(bytes);
    const local = Buffer.alloc(LOCAL_BYTES + file.length + 20);
    local.writeUInt32LE(LOCAL, 0);
    commonFields(local, 4, checksum, packed.length, bytes.length, file.length);
    local.writeUInt16LE(20, 28);
    file.copy(local, LOCAL_BYTES);
    // Sizes once more, in the form for large files, which numpy always asks for.
    local.writeUInt16LE(1, LOCAL_BYTES + file.length);
    local.writeUInt16LE(16, LOCAL_BYTES + file.length + 2);
    local.writeBigUInt64LE(BigInt(bytes.length), LOCAL_BYTES + file.length + 4);
    local.writeBigUInt64LE(BigInt(packed.length), LOCAL_BYTES + file.length + 12);
    const entry = Buffer.alloc(CENTRAL_BYTES + file.length);
    entry.writeUInt32LE(CENTRAL, 0);
    entry.writeUInt16LE(CREATED_ON_UNIX | VERSION, 4);
    commonFields(entry, 6, checksum, packed.length, bytes.length, file.length);
    entry.writeUInt32LE(MODE_0600, 38);
    entry.writeUInt32LE(offset, 42);
    file.copy(entry, CENTRAL_BYTES);
    parts.push(local, packed);
    directory.push(entry);
    offset += local.length + packed.length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(END, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, listing, end]);
}

/** Version needed, flags, method, time, date, checksum, sizes, length of the name. */
function commonFields(header: Buffer, at: number, checksum: number, packed: number, size: number, name: number): void {
  header.writeUInt16LE(VERSION, at);
  header.writeUInt16LE(METHOD_DEFLATE, at + 4);
  header.writeUInt16LE(DATE_1980, at + 8);
  header.writeUInt32LE(checksum, at + 10);
  header.writeUInt32LE(packed, at + 14);
  header.writeUInt32LE(size, at + 18);
  header.writeUInt16LE(name, at + 22);
}

/** @throws CALIBRATION_NPZ_INVALID: not an archive, damaged, or larger than such a file can be. */
export function readZip(archive: Buffer): ZipMember[] {
  const end = endOf(archive);
  const count = archive.readUInt16LE(end + 10);
  if (count > MEMBERS_MAX) throw invalid(`expected at most ${MEMBERS_MAX} members, received ${count}`);
  let at = archive.readUInt32LE(end + 16);
  const members: ZipMember[] = [];
  for (let index = 0; index < count; index += 1) {
    if (at + CENTRAL_BYTES > archive.length || archive.readUInt32LE(at) !== CENTRAL) throw invalid(`expected entry ${index + 1} of the directory at byte ${at}`);
    const name_bytes = archive.readUInt16LE(at + 28);
    const name = archive.toString('utf8', at + CENTRAL_BYTES, at + CENTRAL_BYTES + name_bytes);
    members.push({ name, bytes: memberBytes(archive, at, name.slice(0, 64)) });
    at += CENTRAL_BYTES + name_bytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return members;
}

function endOf(archive: Buffer): number {
  const earliest = Math.max(0, archive.length - END_BYTES - 0xffff);
  for (let at = archive.length - END_BYTES; at >= earliest; at -= 1) if (archive.readUInt32LE(at) === END) return at;
  throw invalid('expected a zip archive, found no end of one');
}

function memberBytes(archive: Buffer, at: number, name: string): Buffer {
  const method = archive.readUInt16LE(at + 10);
  const packed_bytes = archive.readUInt32LE(at + 20);
  const size = archive.readUInt32LE(at + 24);
  const local = archive.readUInt32LE(at + 42);
  if (packed_bytes === UNKNOWN_SIZE || size === UNKNOWN_SIZE || size > MEMBER_BYTES_MAX) throw invalid(`${name}: expected at most ${MEMBER_BYTES_MAX} bytes`);
  if (local + LOCAL_BYTES > archive.length || archive.readUInt32LE(local) !== LOCAL) throw invalid(`${name}: expected its header at byte ${local}`);
  const from = local + LOCAL_BYTES + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const packed = archive.subarray(from, from + packed_bytes);
  if (packed.length !== packed_bytes) throw invalid(`${name}: expected ${packed_bytes} bytes, the archive ends after ${packed.length}`);
  const bytes = unpacked(method, packed, name);
  if (bytes.length !== size) throw invalid(`${name}: expected ${size} bytes, unpacked ${bytes.length}`);
  if (crc32(bytes) !== archive.readUInt32LE(at + 16)) throw invalid(`${name}: the checksum is wrong`);
  return bytes;
}

function unpacked(method: number, packed: Buffer, name: string): Buffer {
  if (method === METHOD_STORED) return packed;
  if (method !== METHOD_DEFLATE) throw invalid(`${name}: expected method 0 or 8, received ${method}`);
  try {
    return inflateRawSync(packed, { maxOutputLength: MEMBER_BYTES_MAX });
  } catch {
    throw invalid(`${name}: the compressed data are damaged`);
  }
}

function invalid(message: string): SightlineError {
  return new SightlineError('CALIBRATION_NPZ_INVALID', `transform_matrix.npz: ${message}`);
}
