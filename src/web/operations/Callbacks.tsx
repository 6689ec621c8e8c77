/** The way to the receiver. */
import { lazy, Suspense, type ReactNode } from 'react';
import { age, number } from './format';
import { Table } from './PipelinePlots';
import { asWords } from './plain';
import type { Overview, Sample } from './types';

const Plot = lazy(async () => import('./Plot'));

export function Callbacks({ callbacks, samples }: { callbacks: Overview['callbacks']; samples: readonly Sample[] }): ReactNode {
  return (
    <section id="callbacks" aria-labelledby="callbacks-title">
      <div className="section-head"><h2 id="callbacks-title">Callbacks</h2></div>
      <div className="two">
        {samples.length >= 2 && (
          <Suspense fallback={<p className="note">Loading the plot …</p>}>
            <Plot title="Backlog" unit="callbacks" at_s={samples.map(({ at_ms }) => at_ms / 1000)} series={[{ label: 'waiting', values: samples.map(({ backlog }) => backlog) }]} />
          </Suspense>
        )}
        <div className="card">
          <h3>Delivery</h3>
          <dl className="facts">
            <dt>Waiting</dt><dd>{number(callbacks.backlog)}{callbacks.oldest_age_s === null || callbacks.backlog === 0 ? '' : `, the oldest for ${age(callbacks.oldest_age_s * 1000)}`}</dd>
            <dt>Delivered</dt><dd>{number(callbacks.delivered)}</dd>
            <dt>Failed attempts</dt><dd>{number(callbacks.failed)}</dd>
            <dt>Dead letters</dt><dd>{number(callbacks.dead_letters)}{callbacks.dead_letters > 0 && <> (<code>npx sightline callbacks list</code> says why)</>}</dd>
          </dl>
          {callbacks.targets.length === 0 ? <p className="note">No receiver is configured (<code>php_system.callback_url</code>): results are shown here and sent to nobody.</p> : (
            <Table head={['receiver', 'state', 'last answer']} rows={callbacks.targets.map(({ url, state, last_status, last_error }) => [url, state === 'closed' ? 'well' : asWords(state), last_error === null ? (last_status ?? '–') : asWords(last_error)])} />
          )}
        </div>
      </div>
    </section>
  );
}
