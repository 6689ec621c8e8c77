/**
 * The one registry of errors. A code is stable for ever; the text may get better. Codes cross threads, processes and HTTP
 * unchanged, so match on `code`, never on `instanceof` or on words. docs/ERRORS.md lists each (a test compares them).
 */
export const ERRORS = {
  CONFIG_INVALID: { status: 400, about: 'the configuration has problems; the message lists all of them' },
  REQUEST_INVALID: { status: 400, about: 'a request has a missing or malformed field' },
  REQUEST_TOO_LARGE: { status: 413, about: 'a request body is larger than server.body_limit_kib' },
  NOT_FOUND: { status: 404, about: 'there is no such thing' },
  FORBIDDEN: { status: 403, about: 'the request came from a page or a host name that may not ask' },
  UNAUTHORIZED: { status: 401, about: 'no or a wrong token' },
  NOT_READY: { status: 503, about: 'the daemon cannot do this yet' },
  INTERNAL: { status: 500, about: 'a fault of ours; the log has the cause' },
  NATIVE_LOAD_FAILED: { status: 500, about: 'a native addon is missing or does not load' },
  NATIVE_SIMD: { status: 500, about: 'SIGHTLINE_SIMD names instructions that this processor or this build does not have' },
  NATIVE_ARGUMENT: { status: 500, about: 'a native function was called with an argument of the wrong type or range' },
  NATIVE_POOL_EXISTS: { status: 500, about: 'the slot pool is open already, with other options' },
  NATIVE_CLOSED: { status: 503, about: 'the slot pool is not open (any more)' },
  NATIVE_MEMORY: { status: 500, about: 'the memory of the slot pool, or other native memory, cannot be reserved' },
  NATIVE_BATCH_STATE: { status: 500, about: 'a batch that is not in use was released, or a row that holds no frame was read' },
  NATIVE_BUSY: { status: 503, about: 'too many snapshots or connection tests are waiting' },
  NATIVE_FAILED: { status: 500, about: 'a fault inside a native addon' },
  CAPTURE_HANDLE: { status: 404, about: 'there is no running camera with this capture handle' },
  CAPTURE_LIMIT: { status: 409, about: 'as many cameras run as one process can hold' },
  CAPTURE_START_FAILED: { status: 503, about: 'the thread of a camera cannot be started' },
  CAPTURE_STILL_INVALID: { status: 400, about: 'a picture is not a JPEG, PNG or WebP file, is damaged, or is too large' },
  CAPTURE_CLIP_FAILED: { status: 500, about: 'the packets of a camera cannot be written as a clip' },
  CAPTURE_JPEG_FAILED: { status: 500, about: 'a frame cannot be encoded as JPEG' },
  REGISTRY_UNAVAILABLE: { status: 503, about: 'the database of the camera registry does not answer, or refuses; the message says why' },
  REGISTRY_SHAPE: { status: 503, about: 'the camera table lacks a column that is needed; the message lists those it has' },
  CAMERA_INVALID: { status: 400, about: 'a camera definition has a missing or malformed field' },
  CAMERA_URL_MISSING: { status: 409, about: 'the registry has no stream URL for this camera' },
  CAMERA_URL_UNREADABLE: { status: 409, about: 'the encrypted stream URL of a camera cannot be opened: another key, a changed outlet, or damage' },
  CAMERA_URL_LOST: { status: 409, about: 'in place of a stream URL the registry has the text of a failed decryption' },
  CAMERA_EXISTS: { status: 409, about: 'a camera with this id exists' },
  CAMERA_NOT_FOUND: { status: 404, about: 'there is no camera with this id' },
  CAMERA_LIMIT: { status: 409, about: 'max_concurrent cameras are already running' },
  CAMERA_NO_FRAME: { status: 503, about: 'the camera has not delivered a frame yet' },
  MODEL_MISSING: { status: 500, about: 'a model file that the manifest or the configuration names is not there' },
  MODEL_FORMAT: { status: 400, about: 'a model file is not ONNX, or its inputs do not fit; the message says how to convert it' },
  MODEL_MANIFEST: { status: 400, about: 'a model manifest entry has a missing or malformed field' },
  MODEL_CHECKSUM: { status: 500, about: 'a model file is not the one the manifest was written for' },
  MODEL_CONVERT: { status: 500, about: 'a TensorFlow.js model has something the converter does not know' },
  MODEL_DECODER: { status: 400, about: 'a model manifest names a decoder that does not exist' },
  MODEL_OUTPUT_SHAPE: { status: 500, about: 'a model gave an output of another shape than its decoder reads' },
  STORE_OPEN_FAILED: { status: 500, about: 'the embedded database cannot be opened or brought to its newest form; the message says why' },
  STORE_WRITE_FAILED: { status: 503, about: 'the embedded database does not take writes (disk full, or locked for too long)' },
  EVIDENCE_WRITE_FAILED: { status: 500, about: 'a frame or clip of an event cannot be written' },
  DELIVERY_PAYLOAD_INVALID: { status: 500, about: 'a callback body does not fit the contract with the receiver' },
  DELIVERY_STOPPED: { status: 503, about: 'delivery has not started, or has stopped' },
  CALIBRATION_STORE_FAILED: { status: 503, about: 'the calibration database cannot be opened, migrated, read or written; the message says why' },
  CALIBRATION_OFF: { status: 503, about: 'the calibration service is switched off (calibration.enabled)' },
  CALIBRATION_SESSION_NOT_FOUND: { status: 404, about: 'there is no calibration session with this id' },
  CALIBRATION_SESSION_STATE: { status: 400, about: 'the session is completed, or not that far yet' },
  CALIBRATION_CANDIDATE_MISMATCH: { status: 400, about: 'the session belongs to another candidate' },
  CALIBRATION_NO_SCREEN: { status: 400, about: 'no screen information is stored for the candidate' },
  CALIBRATION_NOT_FOUND: { status: 404, about: 'no calibration is stored for the candidate' },
  CALIBRATION_INVALID: { status: 400, about: 'the frames do not make a calibration; the message says which targets lack what, the session is kept' },
  CALIBRATION_CONSENT_REQUIRED: { status: 403, about: 'no consent to the processing of biometric data is recorded for the candidate' },
  CALIBRATION_LIMIT: { status: 409, about: 'a session has as many frames as it can hold' },
  CALIBRATION_KEY_UNKNOWN: { status: 500, about: 'stored data is sealed with a key that calibration.encryption_keys does not have' },
  RATE_LIMITED: { status: 429, about: 'more requests than the rate limit allows; Retry-After says when to come again' },
  DEMO_MISSING: { status: 500, about: 'a clip or the RTSP server of the demo cameras is not built' },
  DEMO_SERVER: { status: 500, about: 'the RTSP server of the demo cameras did not start, ended, or refused a command' },
  MODEL_UNAVAILABLE: { status: 503, about: 'no model could be opened' },
  STATE_KEY: { status: 500, about: 'the key file of the state folder is damaged, or others may read it' },
  SERVICE_INSTALL: { status: 400, about: 'the systemd service cannot be installed or removed here; the message says why' },
  PAGES_MISSING: { status: 503, about: 'the web pages are not built' },
  STATE_IN_USE: { status: 409, about: 'another daemon uses this state folder' },
  STATE_UNUSABLE: { status: 500, about: 'the state folder cannot be made or written; the message says why' },
  LISTEN_FAILED: { status: 500, about: 'the HTTP server cannot listen where server.host and server.port say; the message says why' },
  IMAGE_UNREADABLE: { status: 400, about: 'a picture is empty, too large, or does not decode' },
  IMAGE_SIZE: { status: 400, about: 'a picture has another size than its camera' },
  OPENCV_UNAVAILABLE: { status: 503, about: 'the OpenCV process or a file that it needs cannot be loaded; the message says why' },
  OPENCV_BUSY: { status: 503, about: 'too many requests wait for the OpenCV process' },
  OPENCV_TIMEOUT: { status: 503, about: 'the OpenCV process did not answer in time and was ended' },
  OPENCV_CRASHED: { status: 503, about: 'the OpenCV process died twice over the same request' },
  OPENCV_FAILED: { status: 500, about: 'OpenCV refused a request' },
  PTZ_INPUT: { status: 400, about: 'views of an offset check, or the options of one, have a missing or malformed field' },
  PTZ_DEVICES_INVALID: { status: 400, about: 'devices.yaml has problems; the message lists all of them' },
  PTZ_SETTINGS_INVALID: { status: 400, about: 'calibration_monitoring.ini has problems; the message lists all of them' },
  PTZ_DEVICE_UNKNOWN: { status: 404, about: 'devices.yaml has no such PTZ device, or several of that name' },
  PTZ_TELEMETRY_MISSING: { status: 503, about: 'a PTZ camera published no telemetry in time, or the broker is away or refuses us' },
  PTZ_TELEMETRY_INVALID: { status: 502, about: 'a PTZ camera publishes telemetry that cannot be used, for example without an attitude' },
  PTZ_TELEMETRY_STALE: { status: 503, about: 'the telemetry of a PTZ camera ended; silence is not stability' },
  PTZ_TELEMETRY_CONTRADICTS: { status: 502, about: 'the telemetry of a PTZ camera says two things at once' },
  PTZ_NOT_STABLE: { status: 503, about: 'a PTZ camera kept moving until the time limit' },
  PTZ_BUSY: { status: 409, about: 'another command of this machine drives the PTZ camera' },
  PTZ_COMMAND_FAILED: { status: 502, about: 'a PTZ command was refused or not answered' },
  PTZ_NOT_REACHED: { status: 502, about: 'a PTZ camera did not reach the position it was sent to' },
  PTZ_FRAME_FAILED: { status: 503, about: 'no frame of a PTZ camera could be taken in time' },
  PTZ_FRAME_SIZE: { status: 409, about: 'the frames of a PTZ camera have another size than its lens data' },
  PTZ_CLUSTER_CONTEXT: { status: 400, about: 'the kubeconfig has no such context, or cannot be read' },
  PTZ_CLUSTER_UNREACHABLE: { status: 503, about: 'the API server of a cluster does not answer, or refuses us' },
  PTZ_SERVICE_MISSING: { status: 503, about: 'a cluster has no such service, no ready pod behind it, or no such port' },
  PTZ_REFERENCE_MISSING: { status: 409, about: 'no reference set was collected for a PTZ device' },
  PTZ_REFERENCE_BROKEN: { status: 500, about: 'a reference set is incomplete or is not what its manifest says' },
  PTZ_REFERENCE_UNUSABLE: { status: 422, about: 'a new reference set does not pass its own test' },
  PTZ_STORAGE_FAILED: { status: 502, about: 'the bucket or folder of the PTZ files cannot be used; the message says why' },
  PTZ_CREDENTIALS: { status: 502, about: 'AWS refuses the credentials: expired, unknown or not allowed' },
  PTZ_ATHENA_FAILED: { status: 502, about: 'Athena refused a statement or did not finish it in time' },
  PTZ_SLACK_FAILED: { status: 502, about: 'Slack did not take a message' },
  CALIBRATION_CSV_INVALID: { status: 400, about: 'a calibration.csv has another form than the reference writes; the message has line and column' },
  CALIBRATION_SCREEN_INVALID: { status: 400, about: 'a screen_info.json, or the screen in a request, has a missing or malformed field' },
  CALIBRATION_NPZ_INVALID: { status: 400, about: 'a transform_matrix.npz is damaged, or its arrays have other names, types or shapes' },
  CALIBRATION_QUERY_INVALID: { status: 400, about: 'a gaze that shall be placed on the screen is malformed, or never meets the screen' },
  CALIBRATION_CANDIDATE_INVALID: { status: 400, about: 'a candidate id cannot be part of a file name, or files of different candidates were given' },
  CALIBRATION_FILE: { status: 400, about: 'a calibration file cannot be read or written' },
  CALIBRATION_ROW_INVALID: { status: 422, about: 'a calibration row has a target number that is none, or not enough numbers' },
  CALIBRATION_NO_ROWS: { status: 422, about: 'nothing was recorded: there is no row to fit' },
  CALIBRATION_TARGET_EMPTY: { status: 422, about: 'a target has no usable row: repeat it; the message says how many it had' },
  CALIBRATION_NOT_FINITE: { status: 422, about: 'a row that takes part in the fit has a gaze, target or matrix that is zero, infinite or not a number' },
  CALIBRATION_UNDETERMINED: { status: 422, about: 'the rows do not determine a fit: all gazes are parallel, or (with structure from motion) no row has a pose' },
  EYE_SOURCE: { status: 400, about: 'start_tracking names a source that does not exist' },
  EYE_NO_CAMERA: { status: 503, about: 'no camera for eye tracking can be opened; it is tried again' },
  EYE_CAMERA_LOST: { status: 503, about: 'the camera of eye tracking gives no frames any more; it is tried again' },
  EYE_LIMIT: { status: 503, about: 'as many sources as eye_tracking.max_sources are followed already' },
} as const satisfies Record<string, { status: number; about: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** The words of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An expected failure: a stable code, a sentence that says what was expected, where, and what came, and no secrets. */
export class SightlineError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: { details?: Record<string, unknown>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SightlineError';
    this.code = code;
    this.details = options.details;
  }

  /** HTTP status that goes with the code. */
  get status(): number {
    return ERRORS[this.code].status;
  }
}
