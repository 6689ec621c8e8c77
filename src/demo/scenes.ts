/**
 * What the demo cameras see: photographs that ship inside @vladmandic/human, cut out and moved. Data only; compose.ts draws it,
 * encode.ts makes the clips. Changing anything here makes set-up encode the clips again.
 */

export type ClipCodec = 'h264' | 'hevc' | 'mjpeg';

/** `[x, y, width, height]` */
export type Box = readonly [number, number, number, number];

/** A clean part of a photograph. */
export interface Picture {
  /** File in the assets folder of @vladmandic/human. */
  photo: string;
  /** Pixels of the photograph. */
  crop: Box;
  /** The crop is enlarged by this (Lanczos) before it is moved about. */
  enlarge: number;
}

export const PICTURES = {
  man: { photo: 'screenshot-facedetect.jpg', crop: [8, 347, 148, 148], enlarge: 4 },
  dark_hair: { photo: 'screenshot-facedetect.jpg', crop: [165, 347, 148, 148], enlarge: 4 },
  blonde: { photo: 'screenshot-facedetect.jpg', crop: [322, 347, 148, 148], enlarge: 4 },
  brown_hair: { photo: 'screenshot-facedetect.jpg', crop: [479, 347, 148, 148], enlarge: 4 },
  sofa: { photo: 'screenshot-facedetect.jpg', crop: [307, 94, 198, 148], enlarge: 6 },
  monochrome: { photo: 'screenshot-facedetect.jpg', crop: [632, 345, 156, 156], enlarge: 4 },
  room: { photo: 'samples.jpg', crop: [700, 200, 430, 190], enlarge: 3 },
  navy: { photo: 'samples.jpg', crop: [168, 3, 147, 153], enlarge: 4 },
  dinner: { photo: 'samples.jpg', crop: [328, 3, 207, 153], enlarge: 5 },
  red_skirt: { photo: 'samples.jpg', crop: [547, 3, 84, 153], enlarge: 4 },
  drawing: { photo: 'samples.jpg', crop: [644, 3, 142, 153], enlarge: 4 },
  stool: { photo: 'samples.jpg', crop: [800, 3, 100, 153], enlarge: 4 },
  trio: { photo: 'samples.jpg', crop: [1132, 3, 130, 153], enlarge: 5 },
  visitor: { photo: 'screenshot-faceid.jpg', crop: [15, 143, 138, 138], enlarge: 5 },
} as const satisfies Record<string, Picture>;

export type PictureName = keyof typeof PICTURES;

/** The part of a picture that is shown: top left corner and width in pixels of the photograph; the height follows from the tile. */
export type View = readonly [x: number, y: number, width: number];

export interface Layer {
  picture: PictureName;
  /** Where on the screen, in fractions of its width and height. */
  tile: Box;
  /** The view moves from the first to the last of these with eased steps in between. */
  views: readonly View[];
  /** Seconds into the shot at which it comes (fading in over half a second); default: there from the start. */
  comes_s?: number;
  /** Seconds into the shot at which it leaves. */
  leaves_s?: number;
}

export interface Shot {
  seconds: number;
  /** Painted in this order. */
  layers: readonly Layer[];
}

export interface Clip {
  /** Name in the folder of the demo clips. */
  file: string;
  codec: ClipCodec;
  width: number;
  height: number;
  fps: number;
  /** Access units from key frame to key frame. */
  gop: number;
  /** Bits per second; for MJPEG a quality is used instead. */
  bit_rate: number;
  /** Hand-held shake, pixels of the screen. */
  shake_px: number;
  shots: readonly Shot[];
}

export interface DemoCamera {
  camera_id: number;
  camera_name: string;
  location: string;
  /** RTSP mount. */
  path: string;
  priority: number;
  staff_id: number | null;
  outlet_id: number | null;
  transport: 'tcp' | 'udp';
  credentials?: { user: string; password: string; auth: 'basic' | 'digest' };
  /** Gone for `away_s` once in `every_s`. */
  drops?: { every_s: number; away_s: number };
  clip: Clip;
}

const WHOLE: Box = [0, 0, 1, 1];
const LEFT: Box = [0.02, 0.2, 0.31, 0.56];
const MIDDLE: Box = [0.345, 0.2, 0.31, 0.56];
const RIGHT: Box = [0.67, 0.2, 0.31, 0.56];
const room: Layer = { picture: 'room', tile: WHOLE, views: [[705, 205, 320]] };
/** The same for a screen of 4:3. */
const roomUpright: Layer = { picture: 'room', tile: WHOLE, views: [[740, 204, 240]] };

const frontDesk: readonly Shot[] = [
  {
    seconds: 14,
    layers: [
      room,
      { picture: 'man', tile: LEFT, views: [[8, 349, 140], [14, 352, 140], [10, 350, 136]] },
      { picture: 'dark_hair', tile: MIDDLE, views: [[167, 350, 140], [170, 350, 142], [166, 349, 140]], comes_s: 2 },
      { picture: 'brown_hair', tile: RIGHT, views: [[481, 350, 142], [484, 352, 138], [480, 349, 142]], comes_s: 4 },
    ],
  },
  {
    seconds: 7,
    layers: [
      room,
      { picture: 'blonde', tile: [0.01, 0.3, 0.19, 0.34], views: [[323, 349, 142], [326, 352, 140]] },
      { picture: 'man', tile: [0.205, 0.22, 0.19, 0.34], views: [[9, 349, 140], [12, 352, 142]] },
      { picture: 'dark_hair', tile: [0.4, 0.34, 0.19, 0.34], views: [[167, 350, 140], [170, 352, 140]] },
      { picture: 'monochrome', tile: [0.595, 0.24, 0.19, 0.34], views: [[633, 346, 150], [636, 348, 148]] },
      { picture: 'brown_hair', tile: [0.79, 0.3, 0.19, 0.34], views: [[481, 350, 142], [483, 352, 140]] },
    ],
  },
  {
    seconds: 10,
    layers: [
      room,
      { picture: 'brown_hair', tile: LEFT, views: [[481, 350, 140], [485, 352, 140], [480, 349, 142]] },
      { picture: 'blonde', tile: MIDDLE, views: [[323, 349, 142], [326, 352, 140], [324, 350, 142]], leaves_s: 8 },
      { picture: 'man', tile: RIGHT, views: [[10, 350, 140], [8, 350, 142], [12, 349, 140]], comes_s: 3 },
    ],
  },
];

const lounge: readonly Shot[] = [
  { seconds: 12, layers: [{ picture: 'sofa', tile: WHOLE, views: [[308, 124, 150], [352, 128, 150], [312, 120, 190], [308, 126, 192]] }] },
  { seconds: 8, layers: [{ picture: 'dinner', tile: WHOLE, views: [[330, 5, 196], [336, 8, 184], [332, 14, 196]] }] },
  { seconds: 8, layers: [{ picture: 'trio', tile: WHOLE, views: [[1133, 4, 126], [1133, 16, 126], [1135, 6, 120]] }] },
];

const reception: readonly Shot[] = [
  {
    seconds: 20,
    layers: [
      roomUpright,
      { picture: 'visitor', tile: [0.1, 0.1, 0.6, 0.9], views: [[20, 146, 120], [28, 150, 116], [22, 144, 122]], comes_s: 3, leaves_s: 18 },
      { picture: 'blonde', tile: [0.68, 0.3, 0.3, 0.42], views: [[324, 350, 138], [328, 353, 136]], comes_s: 10, leaves_s: 17 },
    ],
  },
  { seconds: 8, layers: [roomUpright, { picture: 'dark_hair', tile: [0.2, 0.1, 0.6, 0.8], views: [[166, 349, 142], [170, 352, 138], [168, 350, 142]] }] },
];

const corridor: readonly Shot[] = [
  {
    seconds: 24,
    layers: [
      room,
      { picture: 'stool', tile: [0.04, 0.04, 0.28, 0.92], views: [[804, 4, 80], [813, 6, 80], [806, 4, 82]] },
      { picture: 'red_skirt', tile: [0.36, 0.04, 0.26, 0.92], views: [[549, 4, 74], [554, 6, 74], [550, 4, 76]], comes_s: 6 },
      { picture: 'drawing', tile: [0.66, 0.04, 0.3, 0.92], views: [[694, 4, 86], [690, 6, 86], [697, 5, 86]], comes_s: 10, leaves_s: 20 },
    ],
  },
];

const office: readonly Shot[] = [
  { seconds: 12, layers: [{ picture: 'navy', tile: WHOLE, views: [[169, 6, 144], [170, 22, 140], [169, 10, 144]] }] },
  { seconds: 10, layers: [{ picture: 'dinner', tile: WHOLE, views: [[340, 4, 180], [346, 10, 170], [332, 6, 196]] }] },
  { seconds: 6, layers: [{ picture: 'drawing', tile: WHOLE, views: [[645, 6, 138], [645, 22, 138]] }] },
];

export const DEMO_CAMERAS: readonly DemoCamera[] = [
  {
    camera_id: 1, camera_name: 'Front desk', location: 'Entrance', path: '/front-desk', priority: 9, staff_id: 101, outlet_id: 1, transport: 'tcp',
    clip: { file: 'front_desk.mkv', codec: 'h264', width: 1280, height: 720, fps: 15, gop: 30, bit_rate: 700_000, shake_px: 2, shots: frontDesk },
  },
  {
    camera_id: 2, camera_name: 'Lounge', location: 'Ground floor', path: '/lounge', priority: 7, staff_id: null, outlet_id: 1, transport: 'udp',
    clip: { file: 'lounge.mkv', codec: 'hevc', width: 1280, height: 720, fps: 12, gop: 12, bit_rate: 900_000, shake_px: 2, shots: lounge },
  },
  {
    camera_id: 3, camera_name: 'Reception', location: 'Entrance', path: '/reception', priority: 6, staff_id: 102, outlet_id: 1, transport: 'tcp',
    clip: { file: 'reception.mkv', codec: 'mjpeg', width: 640, height: 480, fps: 10, gop: 1, bit_rate: 1_500_000, shake_px: 1, shots: reception },
  },
  {
    camera_id: 4, camera_name: 'Corridor', location: 'First floor', path: '/corridor', priority: 5, staff_id: null, outlet_id: 2, transport: 'tcp',
    drops: { every_s: 45, away_s: 8 },
    clip: { file: 'corridor.mkv', codec: 'h264', width: 640, height: 360, fps: 10, gop: 10, bit_rate: 350_000, shake_px: 1, shots: corridor },
  },
  {
    camera_id: 5, camera_name: 'Office', location: 'First floor', path: '/office', priority: 6, staff_id: 103, outlet_id: 2, transport: 'tcp',
    credentials: { user: 'viewer', password: 'north@gate:7', auth: 'digest' },
    clip: { file: 'office.mkv', codec: 'h264', width: 640, height: 360, fps: 12, gop: 24, bit_rate: 350_000, shake_px: 1, shots: office },
  },
];
