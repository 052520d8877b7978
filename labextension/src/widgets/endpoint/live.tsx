/**
 * The last minutes: rate, errors, refusals and latency of each release, updated every few seconds while
 * visible.
 */
import * as React from 'react';

import { columnOfNull } from '../../deploy/widening';
import type { LiveView, Refusal } from '../../generated';
import { short } from '../../words';
import { Chart } from '../ui/chart';
import { useLoaded, useVisible } from '../ui/hooks';
import { Button, CommandButtons, Empty, LoadFailure, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';
import { AcceptNull } from './acceptNull';

const EVERY_MS = 3000;
const SPANS = [5, 15, 60, 360];

interface Props {
  readonly name: string;
  /** Opens the records with this status of this release. */
  readonly showRecords: (status: string, release: string) => void;
}

export function Live(props: Props): React.JSX.Element {
  const { name, showRecords } = props;
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
  const order = ['rate', 'errors', 'refused', 'latency'].filter(
    one => one in charts && (one !== 'refused' || shown?.refusals.length)
  );
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
      {shown?.note && (
        <p className="nbd-faint">
          {shown.note} <CommandButtons text={shown.note} />
        </p>
      )}
      {shown?.requests === 0 && (
        <Empty
          title={trans.__('No requests in this period')}
          text={trans.__('Send one with "Try it", or paste one of its snippets into a program.')}
        />
      )}
      {shown !== null && shown.refusals.length > 0 && (
        <Refusals name={name} refusals={shown.refusals} showRecords={showRecords} />
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

/** The reasons of refused requests, the most frequent first. */
function Refusals(props: {
  name: string;
  refusals: readonly Refusal[];
  showRecords: Props['showRecords'];
}): React.JSX.Element {
  const { refusals, showRecords } = props;
  const { trans } = useServices();
  return (
    <section className="nbd-Refusals" aria-label={trans.__('Refused requests')}>
      <h3>{trans.__('Refused requests')}</h3>
      <ul>
        {refusals.map((one, i) => (
          <li key={i}>
            <strong>{one.requests.toLocaleString()}</strong>{' '}
            <span>{one.reason || trans.__('the reason is not recorded')}</span>{' '}
            <span className="nbd-faint">
              {one.status} · {one.role} {short(one.release)}
              {one.shadows > 0 &&
                ` · ${trans._n('a shadow answered %1 of them', 'shadows answered %1 of them', one.shadows)}`}
            </span>{' '}
            <Button
              look="quiet"
              aria-label={trans.__('Show the requests: %1', one.reason)}
              onClick={() => {
                showRecords(String(one.status), one.release);
              }}
            >
              {trans.__('Show')}
            </Button>
            <Widening name={props.name} refusal={one} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The button at a refusal because of null, if its column is known. */
function Widening(props: { name: string; refusal: Refusal }): React.JSX.Element | null {
  const { name, refusal } = props;
  const column = columnOfNull(refusal.reason);
  if (column === null) return null;
  return <AcceptNull name={name} release={refusal.release} column={column} />;
}
