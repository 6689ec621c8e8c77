/** The second step: how large the screen is. Pixels are known; millimetres come from a list, a bank card held to the screen, or a ruler. */
import { useId, useState, type FormEvent, type ReactNode } from 'react';
import { CARD_MM, diagonalOf, guessMonitor, MONITORS, sizeFromCard, sizeFromDiagonal, sizeProblem, type SizeMm, type SizePx } from './screens';
import type { ScreenBody } from './service';

const CAMERA_PLACES: readonly (readonly [string, string])[] = [
  ['top-center', 'above the screen, in the middle'], ['top-left', 'above, to the left'], ['top-right', 'above, to the right'], ['bottom-center', 'below the screen, in the middle'],
  ['bottom-left', 'below, to the left'], ['bottom-right', 'below, to the right'], ['left', 'at the left edge'], ['right', 'at the right edge'], ['center', 'in the middle of the screen'],
];
type Method = 'list' | 'card' | 'ruler';
const METHODS: readonly (readonly [Method, string])[] = [['list', 'I know my screen'], ['card', 'Use a bank card'], ['ruler', 'Use a ruler']];

export function detectedSize(): SizePx {
  return { width_px: window.screen.width, height_px: window.screen.height };
}

export function ScreenSetup({ problem, busy, onDone }: { problem: string; busy: boolean; onDone: (screen: ScreenBody) => void }): ReactNode {
  const pixels = detectedSize();
  const [method, setMethod] = useState<Method>('list');
  const [monitor, setMonitor] = useState(() => guessMonitor(pixels, window.devicePixelRatio).name);
  const [card_px, setCard] = useState(324);
  const [typed, setTyped] = useState<SizeMm>(() => sizeFromDiagonal(pixels, guessMonitor(pixels, window.devicePixelRatio).diagonal_inches));
  const [place, setPlace] = useState('top-center');
  const [distance, setDistance] = useState('60');
  const [asked, setAsked] = useState(false);
  const ids = { monitor: useId(), card: useId(), width: useId(), height: useId(), place: useId(), distance: useId() };

  const known = MONITORS.find(({ name }) => name === monitor) ?? MONITORS[0];
  const size: SizeMm = method === 'list' ? sizeFromDiagonal(pixels, known?.diagonal_inches ?? 24) : method === 'card' ? sizeFromCard(pixels, card_px) : typed;
  const far = Number(distance);
  const wrong = sizeProblem(pixels, size) || (far >= 20 && far <= 300 ? '' : 'The distance has to lie between 20 and 300 cm.');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setAsked(true);
    if (wrong !== '') return;
    onDone({
      screen_width_px: pixels.width_px, screen_height_px: pixels.height_px, screen_width_mm: size.width_mm, screen_height_mm: size.height_mm, dpi: Math.round((pixels.width_px / (size.width_mm / 25.4)) * 100) / 100,
      diagonal_inches: diagonalOf(size), monitor_name: method === 'list' ? monitor : 'Unknown', camera_position: place, distance_cm: String(far), collection_method: method === 'list' ? 'automatic' : 'manual',
    });
  };

  return (
    <form className="step" onSubmit={submit} noValidate>
      <h2>Your screen</h2>
      <p>This screen has <strong>{pixels.width_px} × {pixels.height_px}</strong> pixels. A browser cannot tell how large it is, so please say.</p>
      <fieldset className="choices">
        <legend>How do you want to tell its size?</legend>
        {METHODS.map(([value, title]) => (
          <label key={value} className={method === value ? 'choice chosen' : 'choice'}>
            <input type="radio" name="method" value={value} checked={method === value} onChange={() => { setMethod(value); }} />{title}
          </label>
        ))}
      </fieldset>
      {method === 'list' && (
        <div className="field">
          <label htmlFor={ids.monitor}>Screen</label>
          <select id={ids.monitor} value={monitor} onChange={(event) => { setMonitor(event.target.value); }}>
            {MONITORS.map(({ name }) => <option key={name}>{name}</option>)}
          </select>
        </div>
      )}
      {method === 'card' && <CardRuler id={ids.card} card_px={card_px} onChange={setCard} />}
      {method === 'ruler' && (
        <div className="pair">
          <p className="note">Measure the lit part of the screen, without its frame.</p>
          <Millimetres id={ids.width} label="Width, mm" value={typed.width_mm} onChange={(width_mm) => { setTyped({ ...typed, width_mm }); }} />
          <Millimetres id={ids.height} label="Height, mm" value={typed.height_mm} onChange={(height_mm) => { setTyped({ ...typed, height_mm }); }} />
        </div>
      )}
      <p className="measured" aria-live="polite">{Number.isFinite(size.width_mm * size.height_mm) ? `${size.width_mm} × ${size.height_mm} mm, ${diagonalOf(size)} inches across` : '–'}</p>
      <div className="pair">
        <div className="field">
          <label htmlFor={ids.place}>Your camera is</label>
          <select id={ids.place} value={place} onChange={(event) => { setPlace(event.target.value); }}>{CAMERA_PLACES.map(([value, title]) => <option key={value} value={value}>{title}</option>)}</select>
        </div>
        <div className="field">
          <label htmlFor={ids.distance}>Eyes to screen, cm</label>
          <input id={ids.distance} inputMode="numeric" value={distance} aria-invalid={asked && !(far >= 20 && far <= 300)} onChange={(event) => { setDistance(event.target.value); }} />
        </div>
      </div>
      {asked && wrong !== '' && <p className="problem" role="alert">{wrong}</p>}
      {problem !== '' && <p className="problem" role="alert">{problem}</p>}
      <div className="actions"><button className="primary" type="submit" disabled={busy}>{busy ? 'One moment …' : 'Continue'}</button></div>
    </form>
  );
}

/** On a narrow screen the card is held upright: lying, it would be wider than the screen. */
const UPRIGHT_BELOW_PX = 640;

/** `card_px`: the long side of the card. */
function CardRuler({ id, card_px, onChange }: { id: string; card_px: number; onChange: (px: number) => void }): ReactNode {
  const [upright] = useState(() => window.innerWidth < UPRIGHT_BELOW_PX);
  const short_px = (card_px * CARD_MM.height) / CARD_MM.width;
  const [width, height] = upright ? [short_px, card_px] : [card_px, short_px];
  return (
    <div className="field">
      <label htmlFor={id}>{upright ? 'Hold a bank card upright to the screen and make the outline as high as the card' : 'Hold a bank card to the screen and make the outline as wide as the card'}</label>
      <div className="card-place">
        <svg className="card-outline" width={width} height={height} role="img" aria-label={`Outline of a card, ${Math.round(width)} by ${Math.round(height)} pixels`}>
          <rect x="1" y="1" width={width - 2} height={height - 2} rx={card_px * 0.037} />
          <rect className="chip" x={width * (upright ? 0.4 : 0.09)} y={height * (upright ? 0.09 : 0.4)} width={card_px * (upright ? 0.1 : 0.13)} height={card_px * (upright ? 0.13 : 0.1)} rx="4" />
        </svg>
      </div>
      <input id={id} type="range" min="150" max="900" step="1" value={card_px} onChange={(event) => { onChange(Number(event.target.value)); }} />
      <p className="note">The arrow keys move it by one pixel. Any card of the usual size works: bank, health insurance, driving licence.</p>
    </div>
  );
}

function Millimetres({ id, label, value, onChange }: { id: string; label: string; value: number; onChange: (mm: number) => void }): ReactNode {
  const [text, setText] = useState(String(value));
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} inputMode="decimal" value={text} onChange={(event) => {
        setText(event.target.value);
        onChange(Number.parseFloat(event.target.value.replace(',', '.')));
      }} />
    </div>
  );
}
