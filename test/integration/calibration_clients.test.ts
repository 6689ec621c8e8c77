/** The other side: the plan's Python clients as they stand, numpy and pandas over what they saved, a WebSocket, and the OpenAPI description. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SwaggerParser from '@apidevtools/swagger-parser';
import fc from 'fast-check';
import t from 'tap';
import { WebSocket } from 'undici';
import { begin, calibrate, framesOf, openWorld, picture, PLACES, type CalibrationWorld } from '../fixtures/calibration_world.js';

t.setTimeout(120_000);
const PYTHON = '/usr/bin/python3';
const python_missing = spawnSync(PYTHON, ['-c', 'import requests, numpy, pandas']).status === 0 ? false : 'python3-requests, python3-numpy or python3-pandas is not installed';

async function listening(world: CalibrationWorld): Promise<string> {
  return world.server.listen({ host: '127.0.0.1', port: 0 });
}

/** The two snippets of the plan's appendix, word for word; before them the imports and names that the plan leaves out. */
const FIRST = `
response = requests.get(f"{API_URL}/api/calibration/verify/{candidate_id}",
                       headers={"Authorization": f"Bearer {system_token}"})

if response.status_code == 200:
    # Download calibration files from API (which fetches from MySQL)
    files = requests.get(f"{API_URL}/api/calibration/download/{candidate_id}",
                        headers={"Authorization": f"Bearer {system_token}"})
    
    # The API returns calibration data in standard format
    calibration_data = files.json()
    
    # External systems can use this data as needed
    # For example, saving to local files for video analysis:
    for filename, content in calibration_data.items():
        # Process based on file type
        # This is just an example - actual implementation depends on your needs
        pass
else:
    # Handle missing calibration
    print(f"No calibration found for candidate {candidate_id}")
`;
const SECOND = `
def load_calibration_via_api(candidate_id):
    response = requests.get(
        f"{API_URL}/api/calibration/download/{candidate_id}",
        headers={"Authorization": f"Bearer {analyzer_token}"}
    )
    
    if response.status_code != 200:
        raise ValueError(f"Failed to load calibration: {response.text}")
    
    # Process and save files as shown above
    save_calibration_files(response.json())
    return analyze_with_calibration(candidate_id)
`;
const NAMES = `
import base64, json, os, sys
import numpy as np
import pandas as pd
import requests
API_URL, candidate_id, system_token = sys.argv[1:4]
analyzer_token = system_token
`;
/** What the plan refers to: saving "as shown above", with the NPZ out of its base64, and an analysis that reads all three files. */
const REST = `
def save_calibration_files(files):
    for filename, content in files.items():
        path = f"results/interview_calibrations/{filename}"
        if filename.endswith('.json'):
            with open(path, 'w') as f:
                json.dump(content, f)
        elif filename.endswith('.csv'):
            with open(path, 'w') as f:
                f.write(content)
        elif filename.endswith('.npz'):
            with open(path, 'wb') as f:
                f.write(base64.b64decode(content))

def analyze_with_calibration(candidate_id):
    base = f"results/interview_calibrations/{candidate_id}"
    screen = json.load(open(base + "_screen_info.json"))
    table = pd.read_csv(base + "_calibration.csv")
    matrix = np.load(base + "_transform_matrix.npz", allow_pickle=True)
    return {"screen": screen, "mm_is_float": isinstance(screen["screen_width_mm"], float), "rows": len(table), "columns": len(table.columns), "first": table.columns[0], "idx": str(table["idx"].dtype),
            "STransG": matrix["STransG"].shape, "StG": matrix["StG"].shape, "SetValues": matrix["SetValues"].tolist(), "used": bool(any(np.abs(g).max() > 1e-9 for g in matrix["StG"]))}

os.makedirs("results/interview_calibrations", exist_ok=True)
print(json.dumps({"files": sorted(calibration_data) if response.status_code == 200 else [], "analysis": load_calibration_via_api(candidate_id) if response.status_code == 200 else None}))
`;

t.test('the plan\'s Python clients, unmodified but for their imports', { skip: python_missing }, async (t) => {
  const world = await openWorld({ env: { CALIBRATION_JWT_SECRET: 'a secret of this test, of more than 32 bytes' } });
  const folder = mkdtempSync(join(tmpdir(), 'sightline-python-'));
  t.teardown(async () => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const url = await listening(world);
  const admin = { authorization: `Bearer ${await world.token('admin')}` };
  await calibrate(world, 'cand-42', admin);
  writeFileSync(join(folder, 'client.py'), NAMES + FIRST + SECOND + REST);
  const run = async (candidate: string) => {
    const child = spawn(PYTHON, ['client.py', url, candidate, await world.token('analyzer')], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
    let text = '';
    child.stdout.on('data', (data: Buffer) => (text += data.toString()));
    child.stderr.on('data', (data: Buffer) => (text += data.toString()));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { code, text };
  };
  const { code, text } = await run('cand-42');
  t.equal(code, 0, text);
  const said = JSON.parse(text) as { files: string[]; analysis: Record<string, unknown> };
  t.same(said.files, ['cand-42_calibration.csv', 'cand-42_screen_info.json', 'cand-42_transform_matrix.npz']);
  t.match(said.analysis, { rows: 120, columns: 41, first: 'Unnamed: 0', idx: 'float64', STransG: [4, 4], StG: [4, 3, 1], used: true, mm_is_float: true, screen: { screen_width_px: 2560, screen_height_mm: 336 } });
  t.same(said.analysis.SetValues, [[[59], [33], [0]], [[537], [33], [0]], [[59], [302], [0]], [[537], [302], [0]]], 'whole millimetres, as the reference has them');
  t.match((await run('nobody')).text, /No calibration found for candidate nobody/);
});

t.test('frames as binary messages over a WebSocket', async (t) => {
  const world = await openWorld({ env: { CALIBRATION_JWT_SECRET: 'a secret of this test, of more than 32 bytes' } });
  t.teardown(() => world.close());
  const url = (await listening(world)).replace('http', 'ws') + '/api/calibration/stream';
  const token = await world.token('admin');
  const headers = { authorization: `Bearer ${token}` };
  const session_id = await begin(world, 'ws', headers);
  const socket = new WebSocket(url, { headers });
  socket.binaryType = 'arraybuffer';
  const inbox: Record<string, unknown>[] = [];
  let wake = (): void => undefined;
  socket.addEventListener('message', ({ data }) => {
    inbox.push(JSON.parse(String(data)) as Record<string, unknown>);
    wake();
  });
  const closed = new Promise<number>((resolve) => { socket.addEventListener('close', ({ code }) => { resolve(code); }); });
  const next = async (): Promise<Record<string, unknown>> => {
    for (const end = Date.now() + 20_000; inbox.length === 0 && Date.now() < end; ) await new Promise<void>((resolve) => { wake = resolve; setTimeout(resolve, 200); });
    return inbox.shift() ?? { type: 'nothing came' };
  };
  await new Promise<void>((resolve, reject) => { socket.addEventListener('open', () => { resolve(); }); socket.addEventListener('error', () => { reject(new Error('no socket')); }); });
  const send = (head: unknown, image: Buffer) => {
    const text = Buffer.from(JSON.stringify(head));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    socket.send(Buffer.concat([length, text, image]));
  };
  const head = (frame_index: number) => ({ frame_index, target_index: 2, target_position: PLACES[2] });
  send(head(0), picture({ x: 0.1, y: 0.9 }, 0));
  t.match(await next(), { type: 'error', error: { code: 'REQUEST_INVALID', message: /hello/ } }, 'not before a hello');
  socket.send(JSON.stringify({ type: 'hello', session_id, candidate_id: 'ws' }));
  t.match(await next(), { type: 'ready', session_id, status: 'in_progress', frames: 0 });
  for (let n = 0; n < 12; n++) send(head(n), n === 5 ? Buffer.from('nobody') : picture({ x: 0.1, y: 0.9 }, n));
  for (let n = 0; n < 12; n++) t.match(await next(), { type: 'frame', frame_index: n, success: n !== 5 });
  socket.send(Buffer.from([0, 0, 255, 255, 1]));
  t.match(await next(), { type: 'error', error: { code: 'REQUEST_INVALID' } }, 'a malformed message does not end the socket');
  send({ ...head(1), target_index: 'x' }, Buffer.from('x'));
  t.match(await next(), { type: 'error', error: { message: /target_index/ } });
  t.match((await world.call('GET', `/api/calibration/session/${session_id}`, undefined, headers)).body, { frames: 11 });
  socket.send(JSON.stringify({ type: 'hello', session_id, candidate_id: 'somebody else' }));
  t.match(await next(), { type: 'error' });
  t.equal(await closed, 4404, 'a session of somebody else does');
  const stranger = await world.server.inject({ url: '/api/calibration/stream', headers });
  t.equal(stranger.statusCode, 426);
});

t.test('the OpenAPI description is valid, and nothing that it allows is answered with a 500', async (t) => {
  const logged: string[] = [];
  const world = await openWorld({ log: { error: (fields, message) => logged.push(`${message} ${String((fields.err as Error | undefined)?.stack)}`) } });
  t.teardown(() => world.close());
  const description = world.server.swagger();
  await t.resolves(SwaggerParser.validate(structuredClone(description) as never), 'valid');
  await calibrate(world, 'known');
  const session_id = await begin(world, 'known');
  const operations = Object.entries(description.paths ?? {}).flatMap(([path, methods]) =>
    /^\/api\/(calibration|screen|ping)/.test(path) ? Object.entries(methods as Record<string, { requestBody?: { content?: Record<string, { schema?: unknown }> } }>).map(([method, operation]) => ({ path, method, schema: operation.requestBody?.content?.['application/json']?.schema })) : [],
  );
  t.ok(operations.length >= 25, `${operations.length} operations`);
  const id = fc.oneof(fc.constantFrom('known', session_id, 'unknown', '..', '%00', 'a b', 'ä', "x'--"), fc.string({ minLength: 1, maxLength: 40 }));
  const codes: Record<string, number> = {};
  const property = fc.asyncProperty(fc.constantFrom(...operations), fc.array(id, { minLength: 3, maxLength: 3 }), fc.infiniteStream(fc.double()), fc.context(), async ({ path, method, schema }, ids, stream, context) => {
    const random = () => { const value: number = stream.next().value as number; return Number.isFinite(value) ? Math.abs(value % 1) : 0; };
    const url = path.replace(/\{\w+\}/g, () => encodeURIComponent(ids[0] ?? 'x'));
    const body = schema === undefined ? undefined : bodyOf(schema as Shape, random, { session_id, candidate_id: ids[1] ?? 'x' });
    const payload = JSON.stringify(body);
    context.log(`${method} ${url} ${payload ?? ''}`);
    const answer = await world.server.inject({ method: method.toUpperCase() as 'GET', url, ...(payload === undefined ? {} : { payload, headers: { 'content-type': 'application/json' } }) });
    codes[answer.statusCode] = (codes[answer.statusCode] ?? 0) + 1;
    if (answer.statusCode >= 500) throw new Error(`${answer.statusCode} ${answer.body} ${logged.at(-1) ?? ''}`);
  });
  await fc.assert(property, { numRuns: 400, endOnFailure: true, interruptAfterTimeLimit: 15_000 });
  t.ok((codes[200] ?? 0) > 20, `answers: ${JSON.stringify(codes)}`);
});

interface Shape {
  type?: string;
  properties?: Record<string, Shape>;
  required?: string[];
  items?: Shape;
  anyOf?: Shape[];
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: unknown;
  minItems?: number;
}

/** A body that mostly follows the schema, with known ids, extreme numbers, and now and then something of another type. */
function bodyOf(schema: Shape, random: () => number, known: Record<string, string>, name = ''): unknown {
  if (random() < 0.04) return [null, -1, 'x', [], {}, 1e308, true, '\u0000'][Math.floor(random() * 8)];
  if (name in known && random() < 0.9) return known[name];
  if (name === 'frame_data') return random() < 0.8 ? picture(PLACES[0] as { x: number; y: number }, Math.floor(random() * 99)).toString('base64') : 'AAAAAAAAAAAA';
  if (schema.enum !== undefined) return schema.enum[Math.floor(random() * schema.enum.length)];
  if (schema.anyOf !== undefined) return bodyOf(schema.anyOf[Math.floor(random() * schema.anyOf.length)] as Shape, random, known);
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).filter(([key]) => schema.required?.includes(key) === true || random() < 0.5).map(([key, value]) => [key, bodyOf(value, random, known, key)]),
      );
    case 'array':
      return Array.from({ length: (schema.minItems ?? 0) + Math.floor(random() * 3) }, () => bodyOf(schema.items ?? {}, random, known));
    case 'integer':
    case 'number': {
      const [from, to] = [schema.minimum ?? 0, schema.maximum ?? 1e6];
      const value = random() < 0.2 ? (random() < 0.5 ? from : to) : from + random() * (Math.min(to, from + 5_000) - from);
      return schema.type === 'integer' ? Math.round(value) : value;
    }
    case 'boolean':
      return random() < 0.5;
    case 'null':
      return null;
    case undefined:
    default:
      return ['2025-01-01T00:00:00.000Z', 'Europe/Berlin', 'é\u2028', 'x'.repeat(300), '0'][Math.floor(random() * 5)];
  }
}

t.test('a client that sends the frames of the plan\'s batcher: no session id, five at a time', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const session_id = await begin(world, 'batcher');
  const answer = await world.call('POST', '/api/calibration/frames/batch', { candidate_id: 'batcher', frames: framesOf(3, 5) });
  t.match(answer.body, { session_id, batch_size: 5, successful_frames: 5 });
});
