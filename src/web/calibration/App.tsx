/** The calibration, step by step. Everything about the person lives in this component's memory and ends with it. */
import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { ApiError, wordsOf } from '../shared/api';
import { SignIn } from '../shared/SignIn';
import { useCamera } from './camera';
import { CameraCheck, NoCamera } from './CameraCheck';
import { Consent } from './Consent';
import { Done } from './Done';
import { readEntry } from './entry';
import { enterFullscreen, leaveFullscreen, onScreen } from './fullscreen';
import { Outcome } from './Outcome';
import { Recording, screenSizeOf, type Result } from './recording';
import { detectedSize, ScreenSetup } from './ScreenSetup';
import { Sending } from './Sending';
import type { SenderState } from './sender';
import { Sequence, type Target } from './Sequence';
import { Service, type ScreenBody } from './service';
import { CHECK_POINTS, targetsOf } from './targets';

type Step = 'consent' | 'screen' | 'camera' | 'sequence' | 'sending' | 'result' | 'done';
const STEPS: readonly (readonly [readonly Step[], string])[] = [[['consent'], 'Consent'], [['screen'], 'Screen'], [['camera'], 'Camera'], [['sequence', 'sending'], 'Dots'], [['result', 'done'], 'Result']];
/** Targets with too few usable pictures are shown again so often before that is told. */
const ROUNDS_MAX = 2;
/** Phones, and small tablets. */
const SMALL_PX = 560;

export function App(): ReactNode {
  const [entry] = useState(readEntry);
  const [step, setStep] = useState<Step>('consent');
  const [signIn, setSignIn] = useState<'no' | 'asked' | 'refused'>('no');
  const [busy, setBusy] = useState('');
  const [problem, setProblem] = useState('');
  const [service, setService] = useState<Service>();
  const [screen, setScreen] = useState<ScreenBody>();
  const [points, setPoints] = useState(entry.points);
  const [targets, setTargets] = useState<Target[]>([]);
  const [sending, setSending] = useState<SenderState>({ waiting: 0, sent: 0, problem: '' });
  const [result, setResult] = useState<Result>();
  const [validation, setValidation] = useState<{ valid: boolean; problems: string[] }>({ valid: true, problems: [] });
  const [small, setSmall] = useState(() => Math.min(window.screen.width, window.screen.height) < SMALL_PX);
  const recording = useRef<Recording>(undefined);
  const opened = useRef<{ per_target: Record<string, number>; next_frame_index: number }>({ per_target: {}, next_frame_index: 0 });
  const rounds = useRef(0);
  const tokens = useRef(0);
  const camera = useCamera(step === 'camera' || step === 'sequence');
  const heading = useRef<HTMLDivElement>(null);
  const all = useMemo(() => targetsOf(points), [points]);

  useEffect(() => () => recording.current?.close(), []);
  // Screen readers and keyboards follow to the new step; the first one is where they are anyway.
  const before = useRef(step);
  useEffect(() => {
    if (step !== before.current && step !== 'sequence' && step !== 'camera') heading.current?.focus();
    before.current = step;
  }, [step]);

  /** @returns whether it is a token that is missing, refused or over */
  const askToken = (error: unknown): boolean => {
    if (!(error instanceof ApiError) || error.status !== 401) return false;
    setSignIn(tokens.current === 0 ? 'asked' : 'refused');
    return true;
  };

  /** Runs what may fail; a missing or refused token leads to the sign-in. */
  const attempt = async (words: string, work: () => Promise<void>): Promise<void> => {
    setBusy(words);
    setProblem('');
    try {
      await work();
    } catch (error) {
      if (!askToken(error)) setProblem(wordsOf(error));
    } finally {
      setBusy('');
    }
  };

  const agree = (candidate_id: string): void => void attempt('One moment …', async () => {
    const made = new Service(candidate_id, entry.interview_id);
    opened.current = await made.open(entry.session_id);
    setService(made);
    setStep('screen');
  });
  const saveScreen = (body: ScreenBody): void => void attempt('One moment …', async () => {
    if (service === undefined) return;
    await service.saveScreen(body);
    await service.start();
    setScreen(body);
    setStep('camera');
  });

  /** Shows the dots; `only` some of them, the checks with the first round. */
  const begin = async (only: readonly number[] | undefined, checks: boolean): Promise<void> => {
    if (service === undefined) return;
    if (!(await enterFullscreen())) setProblem('');
    recording.current ??= new Recording(service, opened.current, setSending);
    const wanted = only ?? recording.current.lacking(all.map((_, index) => index));
    setTargets([
      ...all.flatMap((at, index) => (wanted.includes(index) ? [{ index, at, check: false }] : [])),
      ...(checks ? CHECK_POINTS.map((at, index) => ({ index, at, check: true })) : []),
    ]);
    setStep('sequence');
  };

  const finish = async (): Promise<void> => {
    const { current } = recording;
    if (current === undefined || screen === undefined) return;
    setStep('sending');
    setProblem('');
    try {
      await current.sender.drain();
      const lacking = current.lacking(all.map((_, index) => index));
      if (lacking.length > 0 && rounds.current < ROUNDS_MAX) {
        rounds.current++;
        await begin(lacking, false);
        return;
      }
      leaveFullscreen();
      setResult(await current.result(all.length, screenSizeOf(screen)));
      setStep('result');
    } catch (error) {
      leaveFullscreen();
      setProblem(wordsOf(error));
      askToken(error);
    }
  };

  /** After the camera was away: what has its pictures is not shown again. */
  const goOn = (): void => {
    const rest = targets.filter(({ check, index }) => check || recording.current?.lacking([index]).length !== 0);
    if (rest.length === 0) {
      void finish();
      return;
    }
    setTargets(rest);
    camera.again();
  };

  const again = (): void => void attempt('One moment …', async () => {
    leaveFullscreen();
    recording.current?.close();
    recording.current = undefined;
    rounds.current = 0;
    setResult(undefined);
    if (service === undefined || screen === undefined) {
      setStep('consent');
      return;
    }
    opened.current = await service.open(null);
    await service.start();
    setStep('camera');
  });

  const redo = (index: number): void => void attempt('One moment …', async () => {
    await recording.current?.redo(index);
    rounds.current = 0;
    await begin([index], false);
  });
  const accept = (): void => void attempt('Storing …', async () => {
    if (service === undefined) return;
    await service.complete();
    setValidation(await service.validate());
    recording.current?.close();
    recording.current = undefined;
    setStep('done');
  });

  if (signIn !== 'no') {
    return (
      <SignIn title="Gaze calibration" problem={signIn === 'refused' ? 'This token was not accepted.' : ''} onToken={() => {
        tokens.current++;
        setSignIn('no');
      }}>
        <p>Please enter the access token from your invitation, then press the button of the step once more.</p>
      </SignIn>
    );
  }
  if (step === 'sequence' && service !== undefined) {
    if (camera.state !== 'live' && camera.state !== 'asking') return <div className="page"><main className="stage"><NoCamera state={camera.state} onAgain={goOn} onBack={() => { leaveFullscreen(); setStep('camera'); }} /></main></div>;
    return (
      <main>
        <h1 className="visually-hidden">Gaze calibration</h1>
        <Sequence
          targets={targets}
          fps={() => recording.current?.fps() ?? 10}
          blocked={() => (recording.current?.sender.full === true ? 'The network is slow: pictures wait to be sent.' : '')}
          capture={async (target, position) => {
            const image = await camera.grab();
            if (image === undefined) return false;
            if (target.check) recording.current?.takeCheck(target.index, position, image);
            else recording.current?.take(target.index, onScreen(target.at), image);
            return true;
          }}
          offline={sending.problem !== ''}
          onDone={() => void finish()}
          onStop={() => { leaveFullscreen(); again(); }}
        />
      </main>
    );
  }
  return (
    <div className="page">
      <header className="top">
        <h1>Gaze calibration</h1>
        <ol className="steps" aria-label="Steps">
          {STEPS.map(([, title], index) => {
            const at = STEPS.findIndex(([steps]) => steps.includes(step));
            return <li key={title} className={index < at ? 'past' : index === at ? 'now' : ''} aria-current={index === at ? 'step' : undefined}>{title}</li>;
          })}
        </ol>
      </header>
      <main className="stage" ref={heading} tabIndex={-1}>
        {small ? <SmallScreen onContinue={() => { setSmall(false); }} /> : (
          <>
            {step === 'consent' && <Consent candidate_id={service?.candidate_id ?? entry.candidate_id} fixed={entry.candidate_id !== ''} problem={problem} busy={busy !== ''} onAgree={agree} />}
            {step === 'screen' && <ScreenSetup problem={problem} busy={busy !== ''} onDone={saveScreen} />}
            {step === 'camera' && service !== undefined && <CameraCheck camera={camera} service={service} points={points} onPoints={setPoints} onStart={() => { rounds.current = 0; void begin(undefined, true); }} onBack={() => { setStep('screen'); }} />}
            {step === 'sending' && <Sending state={sending} problem={problem} onRetry={() => { recording.current?.sender.retry(); void finish(); }} onStop={again} />}
            {step === 'result' && result !== undefined && screen !== undefined && (
              <Outcome
                points={result.points} checks={result.checks} report={result.replay.report} fit_problem={result.replay.problem ?? ''} ratio={detectedSize().width_px / detectedSize().height_px}
                busy={busy} problem={problem} onRedo={redo} onAccept={accept} onAgain={again}
              />
            )}
            {step === 'done' && service !== undefined && <Done service={service} validation={validation} onAgain={again} />}
          </>
        )}
      </main>
    </div>
  );
}

function SmallScreen({ onContinue }: { onContinue: () => void }): ReactNode {
  return (
    <div className="step">
      <h2>This screen is small</h2>
      <p>A calibration is worth something only for the screen that your interview is on, and on a phone the dots are too near to each other to tell them apart well.</p>
      <ul className="points">
        <li>Open this page on the computer of your interview.</li>
        <li>If your interview is on this device, go on here; hold it steady, or lean it against something.</li>
      </ul>
      <div className="actions"><button className="primary" type="button" autoFocus onClick={onContinue}>Go on with this screen</button></div>
    </div>
  );
}
