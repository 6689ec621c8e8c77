/** A ZIP archive in memory; the files of a calibration are some hundred kilobytes. */
import yazl from 'yazl';

export interface ArchiveFile {
  name: string;
  content: Buffer;
}

/** The same files give the same archive: its entries carry no time of their own. */
export async function zipOf(files: readonly ArchiveFile[]): Promise<Buffer> {
  const zip = new yazl.ZipFile();
  for (const { name, content } of files) zip.addBuffer(content, name, { mtime: new Date(Date.UTC(1980, 0, 1, 12)), mode: 0o100600, compress: true });
  zip.end();
  const parts: Buffer[] = [];
  for await (const part of zip.outputStream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
