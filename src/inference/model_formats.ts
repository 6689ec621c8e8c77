/** Files that are not ONNX: what they are, and the command that makes ONNX of them. */
import path from 'node:path';
import { SightlineError } from '../errors.js';

const TF2ONNX = 'pip install tf2onnx; python -m tf2onnx.convert';
const KERAS = { what: 'a Keras model', how: `${TF2ONNX} --keras NAME.EXT --output NAME.onnx --opset 17` };
const TORCH = {
  what: 'a PyTorch checkpoint',
  how: 'for YOLOv5 `python export.py --weights NAME.EXT --include onnx --dynamic`, for newer YOLO `yolo export model=NAME.EXT format=onnx dynamic=True`, for your own network torch.onnx.export(model, sample, "NAME.onnx", opset_version=17, dynamic_axes={"input": {0: "batch"}})',
};

const FORMATS: Readonly<Record<string, { what: string; how: string }>> = {
  '.h5': KERAS,
  '.hdf5': KERAS,
  '.keras': KERAS,
  '.pt': TORCH,
  '.pth': TORCH,
  '.tflite': { what: 'a TensorFlow Lite model', how: `${TF2ONNX} --tflite NAME.EXT --output NAME.onnx --opset 17` },
  '.pb': { what: 'a TensorFlow graph', how: `${TF2ONNX} --saved-model FOLDER --output NAME.onnx --opset 17 (or --graphdef NAME.EXT --inputs input:0 --outputs output:0)` },
  '.json': { what: 'a TensorFlow.js model', how: 'sightline models convert NAME.EXT --out NAME.onnx' },
  '.engine': { what: 'a TensorRT engine', how: 'use the ONNX file that it was made from' },
  '.xml': { what: 'an OpenVINO model', how: 'use the ONNX file that it was made from' },
};

/** @throws MODEL_FORMAT for a file that is not named .onnx, saying how to convert it */
export function requireOnnx(file: string, slot: string): void {
  const base = path.basename(file);
  const extension = path.extname(base).toLowerCase();
  if (extension === '.onnx') return;
  const known = FORMATS[extension];
  const name = base.slice(0, base.length - extension.length);
  const hint = known === undefined ? 'export it as ONNX' : `it is ${known.what}; convert it: ${known.how.replaceAll('NAME', name).replaceAll('.EXT', extension)}`;
  throw new SightlineError('MODEL_FORMAT', `${slot} model: expected an .onnx file, got "${base}": ${hint}`, { details: { slot, file: base } });
}
