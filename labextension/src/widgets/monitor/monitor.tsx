/**
 * An endpoint in a range of time: alarms first, then performance, requests, latencies, and values against
 * their reference. The figures are counts that the server keeps; the performance is read from records and
 * comes later. They are requested again when the endpoint's view, which follows the stream, has another
 * revision or other counts.
 */
import * as React from 'react';

import { share } from '../../figures';
import type { ComparedRange, EndpointView, MonitorView } from '../../generated';
import { clock, version } from '../../words';
import { hasResources, Resources } from '../endpoint/usage';
import { Chart } from '../ui/chart';
import { stampOf, useLoaded, useNow, useVisible } from '../ui/hooks';
import { CommandButtons, Empty, LoadFailure, RoleBadge, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';
import { type AlarmActions, Alarms } from './alarms';
import { ExportReport } from './exportReport';
import { Features } from './features';
import {
  comparedFields,
  FIRST_RANGE,
  type Range,
  RangePicker,
  type Second,
  SecondPicker
} from './range';
import { Performance } from './segments';

/** Between two requests while the endpoint gets requests. */
const EVERY_MS = 2_000;
/** The same if nobody counts its requests here, as in a cluster. */
const UNCOUNTED_MS = 10_000;
const MINUTE_MS = 60_000;
const TRAFFIC = ['rate', 'errors', 'refused', 'latency'] as const;
const VALUES = ['joint', 'answers', 'features'] as const;

export function Monitor(props: { view: EndpointView; actions: AlarmActions }): React.JSX.Element {
  const { view, actions } = props;
  const { name } = view;
  const { trans, view: load } = useServices();
  const [range, setRange] = React.useState<Range>(FIRST_RANGE);
  const [release, setRelease] = React.useState('');
  const [second, setSecond] = React.useState<Second>('none');
  const root = React.useRef<HTMLDivElement>(null);
  const visible = useVisible(root);
  const request = {
    name,
    ...comparedFields(range, second),
    ...(range.since !== null && { since: range.since }),
    ...(range.until !== null && { until: range.until }),
    ...(release && { release })
  };
  const key = JSON.stringify(request);
  const minute = Math.floor(useNow(MINUTE_MS, visible) / MINUTE_MS);
  const counted = stampOf(view);
  const stamp = counted === null ? null : `${counted} ${String(minute)}`; // a range that ends now moves on
  const live = range.until === null;
  const everyMs = live ? (stamp === null ? UNCOUNTED_MS : EVERY_MS) : 0;
  const polled = { everyMs, active: visible, stamp };
  const loaded = useLoaded<MonitorView>(
    key,
    async signal => load('monitor', request, signal),
    polled
  );
  const shown = loaded.value;
  // The performance has the same axis.
  const judged = shown?.begun ? { ...request, since: shown.begun } : request;
  const judgedKey = JSON.stringify(judged);
  return (
    <div ref={root} className="nbd-Monitor">
      <div className="nbd-row nbd-mod-wrap">
        <RangePicker range={range} onRange={setRange} />
        <SecondPicker range={range} second={second} onSecond={setSecond} />
        {view.cards.length > 1 && (
          <label className="nbd-row">
            <span className="nbd-cut">{trans.__('Drift of')}</span>
            <select
              value={release}
              onChange={event => {
                setRelease(event.target.value);
              }}
            >
              <option value="">{trans.__('stable')}</option>
              {view.cards
                .filter(card => card.role !== 'stable')
                .map(card => (
                  <option key={card.tag} value={card.tag}>
                    {[card.label, version(card.tag)].filter(Boolean).join(' · ')} ({card.role})
                  </option>
                ))}
            </select>
          </label>
        )}
      </div>
      {loaded.error !== null && (
        <LoadFailure
          loaded={loaded}
          before={shown ? trans.__('The data below may be out of date: ') : ''}
        />
      )}
      {!shown && loaded.error === null && <Waiting words={trans.__('Loading the range …')} />}
      {shown && (
        <Shown view={view} shown={shown} request={request} actions={actions}>
          <Performance
            key={judgedKey}
            name={name}
            request={judged}
            requestKey={judgedKey}
            active={visible}
            live={live}
          />
        </Shown>
      )}
    </div>
  );
}

function Shown(props: {
  view: EndpointView;
  shown: MonitorView;
  request: Readonly<Record<string, unknown>>;
  actions: AlarmActions;
  children: React.ReactNode;
}): React.JSX.Element {
  const { view, shown, request, actions, children } = props;
  const { trans } = useServices();
  return (
    <>
      {shown.compared ? <Both compared={shown.compared} /> : <Summary shown={shown} />}
      {shown.notes.map(note => (
        <p key={note} className="nbd-faint">
          {note} <CommandButtons text={note} />
        </p>
      ))}
      {shown.requests === 0 && (
        <Empty
          title={trans.__('No requests in this range')}
          text={trans.__('Choose a longer range, or send a request with "Try it".')}
        />
      )}
      <Alarms name={view.name} shown={shown} actions={actions} />
      {shown.requests > 0 && (
        <>
          {children}
          <Charts shown={shown} names={TRAFFIC} />
        </>
      )}
      <InUse view={view} />
      {shown.requests > 0 && (
        <>
          <Features features={shown.features} />
          {shown.values && (
            <p className="nbd-faint">{trans.__('Compared values: %1', shown.values)}</p>
          )}
          {shown.joint && <p className="nbd-faint">{shown.joint}</p>}
          <Charts shown={shown} names={VALUES} />
        </>
      )}
      <Markers shown={shown} />
      {shown.requests > 0 && <ExportReport name={view.name} request={request} />}
    </>
  );
}

function Summary({ shown }: { shown: MonitorView }): React.JSX.Element {
  const { trans } = useServices();
  const { requests, errors, refused } = shown;
  const of = (count: number): string =>
    `${count.toLocaleString()}${count ? ` (${share(count / requests)})` : ''}`;
  return (
    <dl className="nbd-Monitor-summary" aria-label={trans.__('Summary')}>
      <div>
        <dt>{trans.__('requests')}</dt>
        <dd>{requests.toLocaleString()}</dd>
      </div>
      <div data-bad={errors > 0}>
        <dt>{trans.__('failed')}</dt>
        <dd>{of(errors)}</dd>
      </div>
      <div>
        <dt>{trans.__('refused')}</dt>
        <dd>{of(refused)}</dd>
      </div>
      <div>
        <dt>{trans.__('since')}</dt>
        <dd>{clock(shown.since)}</dd>
      </div>
    </dl>
  );
}

function Charts(props: { shown: MonitorView; names: readonly string[] }): React.JSX.Element {
  const { shown, names } = props;
  return (
    <div className="nbd-Charts">
      {names.map(one => {
        const spec = shown.charts[one];
        return spec && <Chart key={one} spec={spec} />;
      })}
    </div>
  );
}

/** The figures of both ranges. */
function Both(props: { compared: ComparedRange }): React.JSX.Element {
  const { compared } = props;
  const { trans } = useServices();
  const second = `${clock(compared.since)} – ${clock(compared.until)}`;
  return (
    <section aria-label={trans.__('Both ranges')}>
      <table className="nbd-Table nbd-mod-numbers">
        <thead>
          <tr>
            <th scope="col">{trans.__('figure')}</th>
            <th scope="col">{trans.__('this range')}</th>
            <th scope="col">{trans.__('compared range')}</th>
          </tr>
        </thead>
        <tbody>
          {compared.figures.map(one => (
            <tr key={one.name}>
              <th scope="row">{one.name}</th>
              <td>{one.now}</td>
              <td>{one.compared}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="nbd-faint">{trans.__('Compared range: %1', second)}</p>
    </section>
  );
}

/** The resources that each release uses now, against their limits: also of one that gets no requests. */
function InUse({ view }: { view: EndpointView }): React.JSX.Element | null {
  const { trans } = useServices();
  const running = view.cards.filter(hasResources);
  if (running.length === 0) return null;
  return (
    <section aria-label={trans.__('Resources now')}>
      <h3>{trans.__('Resources now')}</h3>
      {running.map(card => (
        <div key={card.tag} className="nbd-Monitor-usage">
          <RoleBadge role={card.role} percent={card.percent} /> {card.label || version(card.tag)}
          <Resources card={card} />
        </div>
      ))}
    </section>
  );
}

/** The changes of the endpoint, with the numbers of the upright lines in the charts. */
function Markers({ shown }: { shown: MonitorView }): React.JSX.Element | null {
  const { trans } = useServices();
  if (shown.markers.length === 0) return null;
  return (
    <section aria-label={trans.__('Changes in this range')}>
      <h3>{trans.__('Changes in this range')}</h3>
      <ol className="nbd-Markers">
        {shown.markers.map(one => (
          <li key={one.revision} value={one.number}>
            <time dateTime={one.at}>{clock(one.at)}</time> {one.words}{' '}
            <span className="nbd-faint">
              {trans.__('revision %1', one.revision)} · {one.by}
              {one.reason && ` · ${one.reason}`}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
