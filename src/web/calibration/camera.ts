/** The person's camera: opened, watched, and read as small JPEGs. */
import { useEffect, useRef, useState, type RefObject } from 'react';

export type CameraState = 'asking' | 'live' | 'denied' | 'absent' | 'busy' | 'unsupported' | 'lost';

/** What the plan asks of the camera. */
const CONSTRAINTS: MediaStreamConstraints = { video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, facingMode: 'user' }, audio: false };
/** Enough for the eyes of somebody at a desk; more only makes the way longer. */
const SENT_WIDTH_PX = 640;
const JPEG_QUALITY = 0.85;

/** Is there a camera interface at all? Browsers offer none to pages that came over plain HTTP from elsewhere. */
export function cameraSupported(): boolean {
  return 'mediaDevices' in navigator && typeof navigator.mediaDevices?.getUserMedia === 'function';
}

export interface Camera {
  state: CameraState;
  stream: MediaStream | undefined;
  /** The video that frames are taken from; it plays unseen. */
  video: RefObject<HTMLVideoElement | null>;
  /** The newest frame as JPEG; undefined while there is none. */
  grab: () => Promise<Blob | undefined>;
  again: () => void;
}

export function useCamera(wanted: boolean): Camera {
  const [state, setState] = useState<CameraState>('asking');
  const [stream, setStream] = useState<MediaStream>();
  const [attempt, setAttempt] = useState(0);
  const video = useRef<HTMLVideoElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    if (!wanted) return undefined;
    if (!cameraSupported()) {
      setState('unsupported');
      return undefined;
    }
    let opened: MediaStream | undefined;
    let left = false;
    setState('asking');
    navigator.mediaDevices.getUserMedia(CONSTRAINTS).then(
      (given) => {
        opened = given;
        if (left) {
          stop(given);
          return;
        }
        given.getVideoTracks()[0]?.addEventListener('ended', () => { setState('lost'); });
        setStream(given);
        setState('live');
      },
      (error: unknown) => { if (!left) setState(reasonOf(error)); },
    );
    return () => {
      left = true;
      if (opened !== undefined) stop(opened);
      setStream(undefined);
    };
  }, [wanted, attempt]);

  useEffect(() => {
    const element = document.createElement('video');
    Object.assign(element, { muted: true, playsInline: true, srcObject: stream ?? null });
    video.current = element;
    if (stream !== undefined) element.play().catch(() => undefined); // a newer stream took its place
    return () => { element.srcObject = null; };
  }, [stream]);

  const grab = async (): Promise<Blob | undefined> => {
    const { current: element } = video;
    if (element === null || element.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || element.videoWidth === 0) return undefined;
    const width = Math.min(SENT_WIDTH_PX, element.videoWidth);
    const height = Math.round((width * element.videoHeight) / element.videoWidth);
    const surface = (canvas.current ??= document.createElement('canvas'));
    if (surface.width !== width || surface.height !== height) Object.assign(surface, { width, height });
    const context = surface.getContext('2d', { alpha: false });
    if (context === null) return undefined;
    context.drawImage(element, 0, 0, width, height); // not mirrored: the preview is, what is measured is not
    return new Promise((resolve) => { surface.toBlob((blob) => { resolve(blob ?? undefined); }, 'image/jpeg', JPEG_QUALITY); });
  };

  return { state, stream, video, grab, again: () => { setAttempt((times) => times + 1); } };
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

function reasonOf(error: unknown): CameraState {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'absent';
  return name === 'NotReadableError' || name === 'AbortError' ? 'busy' : 'unsupported';
}
