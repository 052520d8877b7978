/**
 * A candidate against stable: the verdict, the agreement over time, latencies, and the rows with
 * other answers.
 */
import * as React from 'react';

import type { ComparisonView, EndpointView, FlippedRow } from '../../generated';
import { short, time } from '../../words';
import { Chart } from '../ui/chart';
import { useLoaded, useVisible } from '../ui/hooks';
import { Empty, LoadFailure, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';

/** A comparison reads many records, so it is requested less often than health. */
const EVERY_MS = 15_000;

export function Comparison(props: {
  view: EndpointView;
  chosen: string | null;
  onChoose: (tag: string) => void;
}): React.JSX.Element {
  const { view, chosen, onChoose } = props;
  const { trans } = useServices();
  const candidates = view.cards.filter(card => card.role === 'canary' || card.role === 'shadow');
  const candidate = candidates.find(card => card.tag === chosen) ?? candidates[0];
  if (!candidate) {
    return (
      <Empty
        title={trans.__('Nothing to compare yet')}
        text={trans.__(
          'Deploy another model under this name. It starts as a shadow, gets copies of the requests, and is compared with stable here.'
        )}
      />
    );
  }
  return (
    <div className="nbd-Comparison">
      {candidates.length > 1 && (
        <label className="nbd-row">
          <span className="nbd-label">{trans.__('Candidate')}</span>
          <select
            value={candidate.tag}
            onChange={event => {
              onChoose(event.target.value);
            }}
          >
            {candidates.map(card => (
              <option key={card.tag} value={card.tag}>
                {short(card.tag)} ({card.role})
              </option>
            ))}
          </select>
        </label>
      )}
      <Against name={view.name} candidate={candidate.tag} revision={view.revision} />
    </div>
  );
}

function Against(props: { name: string; candidate: string; revision: number }): React.JSX.Element {
  const { name, candidate, revision } = props;
  const { trans, view } = useServices();
  const root = React.useRef<HTMLDivElement>(null);
  const visible = useVisible(root);
  const loaded = useLoaded<ComparisonView>(
    `${name} ${candidate} ${String(revision)}`,
    async signal => view('comparison', { name, candidate }, signal),
    { everyMs: EVERY_MS, active: visible }
  );
  const shown = loaded.value;
  const charts = { ...shown?.charts };
  // A canary and stable answer different requests: no request has both answers.
  const paired = shown?.role !== 'canary';
  const order = ['agreement', 'latency', 'summary'].filter(one => one in charts);
  return (
    <div ref={root}>
      {loaded.error !== null && <LoadFailure loaded={loaded} />}
      {!shown && loaded.error === null && (
        <Waiting words={trans.__('Comparing %1 with stable …', short(candidate))} />
      )}
      {shown && (
        <>
          <p className="nbd-Verdict" data-verdict={shown.verdict}>
            {shown.reason}
          </p>
          <p className="nbd-faint">
            {[
              paired ? trans._n('%1 pair', '%1 pairs', shown.pairs) : '',
              shown.coverage,
              trans.__('%1 against %2', short(shown.candidate), short(shown.stable))
            ]
              .filter(Boolean)
              .join(' · ')}
          </p>
          {shown.notes.map(note => (
            <p key={note} className="nbd-faint">
              {note}
            </p>
          ))}
          <div className="nbd-Charts">
            {order.map(one => (
              <Chart key={one} spec={charts[one] ?? {}} caption={one !== 'summary'} />
            ))}
          </div>
          {paired && <Flipped rows={shown.flipped} flips={shown.flips} pairs={shown.pairs} />}
        </>
      )}
    </div>
  );
}

function Flipped(props: {
  rows: readonly FlippedRow[];
  flips: number;
  pairs: number;
}): React.JSX.Element {
  const { rows, flips, pairs } = props;
  const { trans } = useServices();
  return (
    <section>
      <h3>{trans.__('Rows with different answers')}</h3>
      {rows.length === 0 ? (
        <p className="nbd-faint">
          {pairs === 0
            ? trans.__(
                'No request was answered by both releases yet. Send requests to the URL above.'
              )
            : trans.__('None: both releases gave the same answers.')}
        </p>
      ) : (
        <>
          <p className="nbd-faint">
            {flips > rows.length
              ? trans.__('The latest %1 of %2', rows.length, flips.toLocaleString())
              : trans._n('%1 row', '%1 rows', flips)}
          </p>
          {/* A wide table scrolls, by the keyboard too. */}
          <div
            className="nbd-scroll"
            role="region"
            aria-label={trans.__('Flipped rows')}
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
            tabIndex={0}
          >
            <table className="nbd-Table">
              <thead>
                <tr>
                  <th scope="col">{trans.__('when')}</th>
                  <th scope="col">{trans.__('input')}</th>
                  <th scope="col">{trans.__('stable')}</th>
                  <th scope="col">{trans.__('candidate')}</th>
                </tr>
              </thead>
              <tbody>
                {rows.map(row => (
                  <tr key={`${row.pair_id} ${String(row.row)}`}>
                    <td title={row.ts}>{time(row.ts)}</td>
                    <td>
                      <code className="nbd-clip" title={row.input}>
                        {row.input}
                      </code>
                    </td>
                    <td>
                      <code className="nbd-clip">{row.stable}</code>
                    </td>
                    <td>
                      <code className="nbd-clip nbd-flip">{row.candidate}</code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </section>
  );
}
