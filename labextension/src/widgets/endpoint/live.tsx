/**
 * The last minutes: rate, errors and latency of each release, updated every few seconds while
 * visible.
 */
import * as React from 'react';

import type { LiveView } from '../../generated';
import { Chart } from '../ui/chart';
import { useLoaded, useVisible } from '../ui/hooks';
import { Empty, LoadFailure, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';

const EVERY_MS = 3000;
const SPANS = [5, 15, 60, 360];

export function Live(props: { name: string }): React.JSX.Element {
  const { name } = props;
  const { trans, view } = useServices();
  const [minutes, setMinutes] = React.useState(15);
  const root = React.useRef<HTMLDivElement>(null);
  const visible = useVisible(root);
  const loaded = useLoaded<LiveView>(
    `${name} ${String(minutes)}`,
    async signal => view('live', { name, minutes }, signal),
    { everyMs: EVERY_MS, active: visible }
  );
  const shown = loaded.value;
  const charts = { ...shown?.charts };
  const order = ['rate', 'errors', 'latency'].filter(one => one in charts);
  return (
    <div ref={root} className="nbd-Live">
      <div className="nbd-row nbd-mod-wrap">
        <label className="nbd-row">
          <span className="nbd-cut">{trans.__('The last')}</span>
          <select
            value={minutes}
            onChange={event => {
              setMinutes(Number(event.target.value));
            }}
          >
            {SPANS.map(span => (
              <option key={span} value={span}>
                {span < 60
                  ? trans.__('%1 minutes', span)
                  : trans._n('%1 hour', '%1 hours', span / 60)}
              </option>
            ))}
          </select>
        </label>
        {shown && (
          <span className="nbd-faint">
            {trans
              ._n('%1 request', '%1 requests', shown.requests)
              .replace(String(shown.requests), shown.requests.toLocaleString())}
          </span>
        )}
      </div>
      {loaded.error !== null && (
        <LoadFailure
          loaded={loaded}
          before={shown ? trans.__('The data below may be out of date: ') : ''}
        />
      )}
      {!shown && loaded.error === null && (
        <Waiting words={trans.__('Loading the last minutes …')} />
      )}
      {shown?.note && <p className="nbd-faint">{shown.note}</p>}
      {shown?.requests === 0 && (
        <Empty
          title={trans.__('No requests in this period')}
          text={trans.__('Send one with "Try it", or paste one of its snippets into a program.')}
        />
      )}
      {shown !== null && shown.requests > 0 && (
        <div className="nbd-Charts">
          {order.map(one => (
            <Chart key={one} spec={charts[one] ?? {}} />
          ))}
        </div>
      )}
    </div>
  );
}
