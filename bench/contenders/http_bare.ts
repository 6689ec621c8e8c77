/**
 * A bare node:http server that answers every POST with the same file: `http_bare.js ANSWER_FILE`. It parses the body and decodes its pictures, no more. Writes `url URL` once it
 * listens, ends at SIGTERM.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const [, , file = ''] = process.argv;
const answer = JSON.parse(readFileSync(file, 'utf8')) as unknown;
const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const { frames } = JSON.parse(Buffer.concat(parts).toString()) as { frames: { frame_data: string }[] };
    for (const { frame_data } of frames) JSON.parse(Buffer.from(frame_data, 'base64').toString());
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
});
server.listen(0, '127.0.0.1', () => { process.stdout.write(`url http://127.0.0.1:${(server.address() as AddressInfo).port}\n`); });
process.on('SIGTERM', () => { server.close(); server.closeAllConnections(); });
