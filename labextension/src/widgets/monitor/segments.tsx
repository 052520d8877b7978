/** The performance by ground truth: over time, and by segment. */
import * as React from 'react';

import type { PerformanceView, SegmentFigures } from '../../generated';
import { short } from '../../words';
import { Chart } from '../ui/chart';
import { useLoaded } from '../ui/hooks';
import { CommandButtons, LoadFailure, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';

/** Ground truth arrives without a change of the endpoint, and is read from the records. */
const EVERY_MS = 60_000;

/** The performance by ground truth; without any, how to send it. */
export function Performance(props: {
  name: string;
  request: Readonly<Record<string, unknown>>;
  requestKey: string;
  active: boolean;
  /** The range ends now. */
  live: boolean;
}): React.JSX.Element {
  const { name, request, requestKey, active, live } = props;
  const { trans, view } = useServices();
  const loaded = useLoaded<PerformanceView>(
    requestKey,
    async signal => view('performance', request, signal),
    { everyMs: live ? EVERY_MS : 0, active }
  );
  const found = loaded.value;
  if (loaded.error !== null) return <LoadFailure loaded={loaded} />;
  if (!found) return <Waiting words={trans.__('Reading the ground truth …')} />;
  const none = (
    <p className="nbd-faint nbd-Monitor-truth">
      {trans.__(
        'No ground truth in this range. Once it is sent (POST /NAME/feedback), the performance is drawn here.'
      )}
    </p>
  );
  if (!found.chart) return none;
  const hint = trans.__(
    "Segments are drawn here once they are declared: 'nbdeploy traffic %1 --segment COLUMN'.",
    name
  );
  return (
    <>
      <Chart spec={found.chart} />
      {found.estimate && <p className="nbd-faint">{found.estimate}</p>}
      {found.rows === 0 && none}
      {found.by_segment && <Chart spec={found.by_segment} />}
      {found.segments.length > 0 && (
        <SegmentTable segments={found.segments} compared={found.compared} />
      )}
      {found.left_out && <p className="nbd-faint">{found.left_out}</p>}
      {!found.declared && found.rows > 0 && (
        <p className="nbd-faint">
          {hint} <CommandButtons text={hint} />
        </p>
      )}
    </>
  );
}

function SegmentTable(props: {
  segments: readonly SegmentFigures[];
  compared: boolean;
}): React.JSX.Element {
  const { segments, compared } = props;
  const { trans } = useServices();
  return (
    <section aria-label={trans.__('Performance by segment')}>
      <table className="nbd-Table nbd-mod-numbers nbd-Figured">
        <thead>
          <tr>
            <th scope="col">{trans.__('segment')}</th>
            <th scope="col">{trans.__('rows')}</th>
            <th scope="col">{trans.__('performance')}</th>
            {compared && <th scope="col">{trans.__('compared range')}</th>}
          </tr>
        </thead>
        <tbody>
          {segments.map(one => (
            <tr key={`${one.segment} ${one.release}`}>
              <th scope="row">
                <code>{one.segment}</code> <span className="nbd-faint">{short(one.release)}</span>
              </th>
              <td data-label={trans.__('rows')}>{one.rows.toLocaleString()}</td>
              <td data-label={trans.__('performance')}>{one.value}</td>
              {compared && <td data-label={trans.__('compared range')}>{one.compared}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      <p className="nbd-faint">
        {trans.__('Each 95 % interval holds alone, at every look: of twenty, one may miss.')}
      </p>
    </section>
  );
}
