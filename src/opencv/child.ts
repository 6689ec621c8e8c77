/** The OpenCV child process: answers one request after the other and ends with its parent. Started by client.ts, never by hand. */
import { SightlineError } from '../errors.js';
import { loadBinding } from './binding.js';
import { findObjects } from './cascades.js';
import { findEyes } from './eyes.js';
import { findFeatures, matchPairs } from './features.js';
import { loadVision } from './native.js';
import { readPicture, writeJpeg } from './pictures.js';
import type { ChildMessage, OpenCvRequest, RequestMessage } from './types.js';

if (process.send === undefined) throw new Error('this is the child of src/opencv/client.ts');


// One thread: the daemon's processors belong to capture and inference.
const THREADS = 1;
const vision = loadVision();
const cv = loadBinding();
vision.setThreads(THREADS);
cv.setNumThreads(THREADS);

const send = (message: ChildMessage): void => void process.send?.(message);

function answer(request: OpenCvRequest): unknown {
  switch (request.op) {
    case 'features': return findFeatures(cv, vision, request);
    case 'match': return matchPairs(cv, request);
    case 'cascade': return findObjects(cv, request);
    case 'read': return readPicture(cv, request.picture);
    case 'write': return writeJpeg(cv, request);
    case 'eyes': return findEyes(cv, request);
    case 'fault': return fault(request.kind);
  }
}

function fault(kind: 'crash' | 'hang'): null {
  if (kind === 'crash') process.abort();
  // Blocks as a native call would.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  return null;
}

process.on('message', ({ id, request }: RequestMessage) => {
  try {
    send({ id, ok: true, answer: answer(request) });
  } catch (error) {
    const code = error instanceof SightlineError ? error.code : 'OPENCV_FAILED';
    send({ id, ok: false, code, message: error instanceof Error ? error.message : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
send({ ready: true, opencv: vision.opencv });
