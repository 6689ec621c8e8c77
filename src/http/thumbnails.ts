/** Snapshots shared between viewers: a picture of a camera in a size is encoded at most once in a while, and once at a time, however many ask. */

export interface SnapshotOptions {
  max_width: number;
  quality: number;
}
type Load = (camera_id: number, options: SnapshotOptions) => Promise<Buffer | null>;

/** A picture this old is handed out again. */
const FRESH_MS = 900;
/** 20 cameras in three sizes, 30 kB each, are 2 MB. */
const ENTRIES_MAX = 256;

interface Entry {
  made_ms: number;
  jpeg: Promise<Buffer | null>;
  settled: boolean;
}

export function shareSnapshots(load: Load, now: () => number = () => performance.now()): Load {
  const entries = new Map<string, Entry>();

  return (camera_id, options) => {
    const key = `${camera_id}/${options.max_width}/${options.quality}`;
    const known = entries.get(key);
    if (known !== undefined && (!known.settled || now() - known.made_ms < FRESH_MS)) return known.jpeg;
    const entry: Entry = { made_ms: now(), jpeg: load(camera_id, options), settled: false };
    entries.delete(key);
    entries.set(key, entry);
    entry.jpeg.then(
      (jpeg) => {
        Object.assign(entry, { settled: true, made_ms: now() });
        if (jpeg === null) entries.delete(key); // the first frame is shown as soon as it is there
      },
      () => { entries.delete(key); },
    );
    const [oldest] = entries.keys();
    if (entries.size > ENTRIES_MAX && oldest !== undefined) entries.delete(oldest);
    return entry.jpeg;
  };
}
