/**
 * An endpoint in a range of time: alarms first, then performance, requests, latencies, and values against
 * their reference. The figures are counts that the server keeps; the performance is read from records and
 * comes later.
 */
import * as React from 'react';

import { share } from '../../figures';
import type { EndpointView, MonitorView, PerformanceView } from '../../generated';
import { clock, version } from '../../words';
import { Usage } from '../endpoint/usage';
import { Chart } from '../ui/chart';
import { useLoaded, useVisible } from '../ui/hooks';
import { CommandButtons, Empty, LoadFailure, RoleBadge, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';
import { type AlarmActions, Alarms } from './alarms';
import { Features } from './features';
import { FIRST_RANGE, type Range, RangePicker } from './range';

const EVERY_MS = 10_000;
const TRAFFIC = ['rate', 'errors', 'refused', 'latency'] as const;
const VALUES = ['answers', 'features'] as const;

export function Monitor(props: { view: EndpointView; actions: AlarmActions }): React.JSX.Element {
  const { view, actions } = props;
  const { name } = view;
  const { trans, view: load } = useServices();
  const [range, setRange] = React.useState<Range>(FIRST_RANGE);
  const [release, setRelease] = React.useState('');
  const root = React.useRef<HTMLDivElement>(null);
  const visible = useVisible(root);
  const request = {
    name,
    ...(range.since !== null && { since: range.since }),
    ...(range.until !== null && { until: range.until }),
    ...(release && { release })
  };
  const key = JSON.stringify(request);
  const polled = { everyMs: range.until === null ? EVERY_MS : 0, active: visible };
  const loaded = useLoaded<MonitorView>(
    key,
    async signal => load('monitor', request, signal),
    polled
  );
  const shown = loaded.value;
  return (
    <div ref={root} className="nbd-Monitor">
      <div className="nbd-row nbd-mod-wrap">
        <RangePicker range={range} onRange={setRange} />
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
        <Shown view={view} shown={shown} actions={actions}>
          <Performance key={key} request={request} requestKey={key} active={visible} />
        </Shown>
      )}
    </div>
  );
}

function Shown(props: {
  view: EndpointView;
  shown: MonitorView;
  actions: AlarmActions;
  children: React.ReactNode;
}): React.JSX.Element {
  const { view, shown, actions, children } = props;
  const { trans } = useServices();
  return (
    <>
      <Summary shown={shown} />
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
          <InUse view={view} />
          <Features features={shown.features} />
          {shown.values && (
            <p className="nbd-faint">{trans.__('Compared values: %1', shown.values)}</p>
          )}
          <Charts shown={shown} names={VALUES} />
        </>
      )}
      <Markers shown={shown} />
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

/** The performance by ground truth; without any, how to send it. */
function Performance(props: {
  request: Readonly<Record<string, unknown>>;
  requestKey: string;
  active: boolean;
}): React.JSX.Element {
  const { request, requestKey, active } = props;
  const { trans, view } = useServices();
  const loaded = useLoaded<PerformanceView>(
    requestKey,
    async signal => view('performance', request, signal),
    { active }
  );
  const found = loaded.value;
  if (loaded.error !== null) return <LoadFailure loaded={loaded} />;
  if (!found) return <Waiting words={trans.__('Reading the ground truth …')} />;
  if (found.chart) return <Chart spec={found.chart} />;
  return (
    <p className="nbd-faint nbd-Monitor-truth">
      {trans.__(
        'No ground truth in this range. Once it is sent (POST /NAME/feedback), the performance is drawn here.'
      )}
    </p>
  );
}

/** The resources in use now, against their limits. */
function InUse({ view }: { view: EndpointView }): React.JSX.Element | null {
  const { trans } = useServices();
  const running = view.cards.filter(card => card.usage !== null);
  if (running.length === 0) return null;
  return (
    <section aria-label={trans.__('Resources now')}>
      <h3>{trans.__('Resources now')}</h3>
      {running.map(card => (
        <div key={card.tag} className="nbd-Monitor-usage">
          <RoleBadge role={card.role} percent={card.percent} /> {card.label || version(card.tag)}
          {card.usage && <Usage usage={card.usage} />}
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
