/** The operations page: what the daemon sees, does and sends, on one page that also fits a phone. */
import { useState, type ReactNode } from 'react';
import { SignIn } from '../shared/SignIn';
import { Calibrations } from './Calibrations';
import { Callbacks } from './Callbacks';
import { Events } from './Events';
import { age, number } from './format';
import { PipelinePlots } from './PipelinePlots';
import { asWords } from './plain';
import { useOverview } from './polling';
import { Ptz } from './Ptz';
import type { Overview } from './types';
import { Wall } from './Wall';

const SECTIONS = [['cameras', 'Cameras'], ['pipeline', 'Pipeline'], ['callbacks', 'Callbacks'], ['events', 'Events'], ['ptz', 'PTZ'], ['calibrations', 'Calibrations']] as const;

export function App(): ReactNode {
  const [signedIn, setSignedIn] = useState(0);
  const { value: overview, problem, status, samples } = useOverview(signedIn);
  if (status === 401) {
    return (
      <SignIn title="Sightline" problem={signedIn === 0 ? '' : 'This token was not accepted.'} onToken={() => { setSignedIn((times) => times + 1); }}>
        <p>This daemon asks for its API token: <code>server.api_token</code> of its configuration, or <code>SIGHTLINE_API_TOKEN</code>.</p>
      </SignIn>
    );
  }
  return (
    <>
      <a className="skip" href="#cameras">Skip to the cameras</a>
      <header className="bar">
        <div className="bar-title">
          <h1>Sightline</h1>
          {overview !== undefined && <Readiness overview={overview} stale={problem !== ''} />}
        </div>
        <nav aria-label="Sections">
          {SECTIONS.map(([id, title]) => <a key={id} href={`#${id}`}>{title}</a>)}
          <a href="/calibrate">Calibrate</a>
        </nav>
      </header>
      <main className="sections">
        {problem !== '' && <p role="alert" className="problem">{problem} {overview === undefined ? '' : 'What is shown is older; trying again.'}</p>}
        {overview === undefined ? problem === '' && <p role="status" className="note">Loading …</p> : <Sections overview={overview} samples={samples} />}
      </main>
      {overview !== undefined && (
        <footer className="foot note">
          Sightline {overview.version} · <a href="/openapi.json">API</a> · <a href="/metrics">metrics</a> · <a href="/health">health</a> · Indicators are heuristics over visible behaviour, not facts about a person.
        </footer>
      )}
    </>
  );
}

function Sections({ overview, samples }: { overview: Overview; samples: ReturnType<typeof useOverview>['samples'] }): ReactNode {
  const { cameras, pipeline, callbacks } = overview;
  const streaming = cameras.filter(({ state }) => state === 'streaming').length;
  const expected = cameras.filter(({ state }) => state !== 'disabled').length;
  return (
    <>
      <section aria-label="At a glance" className="glance">
        <Figure label="Cameras streaming" value={`${streaming} / ${expected}`} tone={streaming < expected ? 'warn' : ''} />
        <Figure label="Frames per second" value={number(pipeline.frames_per_s, 1)} />
        <Figure label="Latency, median" value={pipeline.p50_ms === null ? '–' : `${number(pipeline.p50_ms)} ms`} />
        <Figure label="Latency, p99" value={pipeline.p99_ms === null ? '–' : `${number(pipeline.p99_ms)} ms`} tone={(pipeline.p99_ms ?? 0) > 300 ? 'warn' : ''} />
        <Figure label="Callbacks waiting" value={number(callbacks.backlog)} tone={callbacks.oldest_age_s !== null && callbacks.oldest_age_s > 60 ? 'warn' : ''} />
        <Figure label="Oldest waits" value={callbacks.oldest_age_s === null || callbacks.backlog === 0 ? '–' : age(callbacks.oldest_age_s * 1000)} />
      </section>
      <Overload pipeline={pipeline} />
      <Wall cameras={cameras} />
      <PipelinePlots samples={samples} pipeline={pipeline} />
      <Callbacks callbacks={callbacks} samples={samples} />
      <Events />
      <Ptz />
      <Calibrations />
    </>
  );
}

/** Less is analysed than was asked for: said where one looks first. */
function Overload({ pipeline: { slowed, paused } }: { pipeline: Overview['pipeline'] }): ReactNode {
  if (slowed + paused === 0) return null;
  const parts = [slowed === 0 ? '' : `${slowed} ${slowed === 1 ? 'camera is' : 'cameras are'} analysed less often`, paused === 0 ? '' : `${paused} not at all`].filter((part) => part !== '');
  return <p className="notice" role="status">This machine cannot keep up: {parts.join(', ')}. The pictures stay live.</p>;
}

function Readiness({ overview, stale }: { overview: Overview; stale: boolean }): ReactNode {
  if (stale) return <span className="pill warn">not connected</span>;
  if (overview.ready) return <span className="pill good">ready</span>;
  return <span className="pill bad" title={overview.reasons.join(', ')}>not ready: {overview.reasons.slice(0, 2).map((reason) => asWords(reason)).join(', ')}</span>;
}

function Figure({ label, value, tone = '' }: { label: string; value: string; tone?: string }): ReactNode {
  return (
    <div className={`figure ${tone}`}>
      <span className="figure-value">{value}</span>
      <span className="figure-label">{label}</span>
    </div>
  );
}
