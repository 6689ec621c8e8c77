/** Throughput, latency and batch fill over the last hour. */
import { lazy, Suspense, type ReactNode } from 'react';
import { number } from './format';
import { asWords, dropWords } from './plain';
import type { Overview, Sample } from './types';

const Plot = lazy(async () => import('./Plot'));

export function PipelinePlots({ samples, pipeline }: { samples: readonly Sample[]; pipeline: Overview['pipeline'] }): ReactNode {
  const at_s = samples.map(({ at_ms }) => at_ms / 1000);
  const networks = [...new Set(samples.flatMap(({ fill }) => Object.keys(fill)))].sort();
  const last = samples.at(-1);
  const drops = Object.entries(pipeline.drops).filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a);
  return (
    <section id="pipeline" aria-labelledby="pipeline-title">
      <div className="section-head"><h2 id="pipeline-title">Pipeline</h2><span className="note">the last hour, a point every 5 s</span></div>
      {samples.length < 2 ? <p className="note">The plots begin with the second sample, in a few seconds.</p> : (
        <div className="plots">
          <Suspense fallback={<p className="note">Loading the plots …</p>}>
            <Plot title="Throughput" unit="frames/s" at_s={at_s} series={[{ label: 'results', values: samples.map(({ frames_per_s }) => frames_per_s) }, { label: 'dropped', values: samples.map(({ dropped }) => dropped / 5) }]} />
            <Plot title="Latency, packet to result" unit="ms" at_s={at_s} series={[{ label: 'median', values: samples.map(({ p50_ms }) => p50_ms) }, { label: 'p99', values: samples.map(({ p99_ms }) => p99_ms) }]} />
            <Plot title="Batch fill" unit="%" at_s={at_s} series={networks.map((network) => ({ label: network, values: samples.map(({ fill }) => (fill[network] === undefined ? null : 100 * fill[network])) }))} />
          </Suspense>
        </div>
      )}
      <div className="two">
        <div className="card">
          <h3>Dropped frames by reason</h3>
          {drops.length === 0 ? <p className="note">None since the start.</p> : <Table head={['reason', 'frames', 'that is']} rows={drops.map(([reason, count]) => [<span key="reason" className="whole">{asWords(reason)}</span>, number(count), <span key="why" className="note">{dropWords(reason)}</span>])} />}
        </div>
        <div className="card">
          <h3>Networks</h3>
          <Table head={['network', 'runs on', 'batch fill']} rows={Object.entries(pipeline.providers).map(([network, provider]) => [network, provider, last?.fill[network] === undefined ? '–' : `${number(100 * last.fill[network])} %`])} />
        </div>
      </div>
    </section>
  );
}

export function Table({ head, rows, caption }: { head: readonly string[]; rows: readonly (readonly ReactNode[])[]; caption?: string }): ReactNode {
  return (
    <div className="table" tabIndex={0} role="region" aria-label={caption ?? head.join(', ')}>
      <table>
        {caption !== undefined && <caption className="visually-hidden">{caption}</caption>}
        <thead><tr>{head.map((title) => <th key={title} scope="col">{title}</th>)}</tr></thead>
        <tbody>{rows.map((row, index) => <tr key={index}>{row.map((cell, column) => <td key={column}>{cell}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}
