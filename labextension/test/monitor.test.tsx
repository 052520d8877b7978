import { act, fireEvent, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { expect, it, vi } from 'vitest';

import type { MonitorView, PerformanceView } from '../src/generated';
import { problemError } from '../src/transport/request';
import { Monitor } from '../src/widgets/monitor/monitor';
import { comparedFields } from '../src/widgets/monitor/range';
import { NO_FILTER } from '../src/widgets/records/recordFilters';
import { type Services, ServicesProvider } from '../src/widgets/ui/services';
import { card, endpoint, services, SHADOW, shown } from './sidebarWorld';

const CHART = { title: { text: 'Requests a second', subtitle: '' }, mark: 'line' };

const COUNTS = {
  requests: 0,
  errors: 0,
  refused: 0,
  p50_ms: 7.1,
  rates: [],
  since: null,
  recorded: null
};

const ALARM = {
  kind: 'drift' as const,
  at: '2026-11-26T02:00:00Z',
  words: 'drift at 02:00: age more of 53 to 58',
  sure: 'at most 1 % of runs',
  request_id: 'r7',
  release: 'clf:aaaaaaaabbbb',
  since: '2026-11-26T01:00:00Z',
  until: '2026-11-26T02:00:01Z',
  status: null
};

function monitor(given: Partial<MonitorView> = {}): MonitorView {
  return {
    release: 'clf:aaaaaaaabbbb',
    since: '2026-11-25T02:00:00Z',
    until: '2026-11-26T02:00:00Z',
    spans: '15 min',
    requests: 2000,
    errors: 20,
    refused: 0,
    charts: { rate: CHART },
    alarms: [],
    features: [],
    markers: [],
    state: 'watching',
    reference: ['reference of the inputs: training'],
    values: '2026-11-25 02:00 to 2026-11-26 02:00 UTC',
    joint: '',
    begun: null,
    compared: null,
    notes: [],
    ...given
  };
}

const NO_TRUTH: PerformanceView = {
  rows: 0,
  chart: null,
  by_segment: null,
  segments: [],
  declared: false,
  left_out: '',
  compared: false,
  estimate: ''
};

/** Services whose views are these, and the requests that they got. */
function serving(
  found: MonitorView,
  performance: PerformanceView = NO_TRUTH
): Partial<Services> & { view: ReturnType<typeof vi.fn> } {
  const view = vi.fn(async (name: string) =>
    Promise.resolve(name === 'monitor' ? found : performance)
  );
  return { view } as never;
}

const ACTIONS = { showRecords: vi.fn(), rollBack: vi.fn() };

it('says first whether there is an alarm, then counts, changes and the way to ground truth', async () => {
  const marker = {
    number: 1,
    at: '2026-11-26T01:00:00Z',
    revision: 2,
    words: 'a shadow',
    by: 'ana',
    reason: 'new data'
  };
  shown(<Monitor view={endpoint()} actions={ACTIONS} />, serving(monitor({ markers: [marker] })));
  expect(await screen.findByRole('heading', { name: 'No alarm' })).toBeInTheDocument();
  const summary = screen.getByLabelText('Summary');
  expect(summary).toHaveTextContent('2,000');
  expect(summary).toHaveTextContent('20 (1 %)');
  expect(await screen.findByText(/No ground truth in this range/)).toBeInTheDocument();
  const changes = screen.getByRole('region', { name: 'Changes in this range' });
  expect(within(changes).getByRole('listitem')).toHaveTextContent(
    'a shadow revision 2 · ana · new data'
  );
});

it.each([0, 2000])(
  'shows queue, processor, memory and replicas of each release as they are now, with %i requests',
  async requests => {
    const usage = { cpu: 1.9, most_cpu: 2, memory: 1e9, most_memory: 4e9, workers: 2 };
    const seen = (waiting: number): React.JSX.Element => (
      <Monitor
        view={endpoint({
          cards: [
            card({ usage: { ...usage, most_workers: '1-4', waiting } }),
            card({ ...SHADOW, limits: ['1-4 replicas, by processor time'] })
          ]
        })}
        actions={ACTIONS}
      />
    );
    const given = services(serving(monitor({ requests })));
    const { rerender } = render(seen(3), {
      wrapper: ({ children }) => <ServicesProvider value={given}>{children}</ServicesProvider>
    });
    const region = await screen.findByRole('region', { name: 'Resources now' });
    const facts = within(region).getByLabelText('Resources in use');
    expect(facts).toHaveTextContent('CPU1.9 of 2memory1 GB of 4 GBworkers2 of 1-4queue3');
    expect(within(facts).getByRole('meter', { name: 'CPU' })).toHaveAttribute('value', '0.95');
    expect(region).toHaveTextContent('1-4 replicas, by processor time');
    rerender(seen(7));
    expect(facts).toHaveTextContent('queue7');
  }
);

it('leads from an alarm to its records, a notebook, a cell and a rollback', async () => {
  const showRecords = vi.fn();
  const rollBack = vi.fn();
  const call = vi.fn(async () =>
    Promise.resolve({ file: '/home/ana/clf-alarm.ipynb', rows: 0, bytes: 9 })
  );
  const insertCell = vi.fn(() => true);
  const fetchFile = vi.fn(async () => Promise.resolve());
  shown(<Monitor view={endpoint()} actions={{ showRecords, rollBack }} />, {
    ...serving(monitor({ alarms: [ALARM] })),
    call: call as never,
    insertCell,
    fetchFile
  });
  const alarms = await screen.findByRole('region', { name: 'Alarms' });
  expect(alarms).toHaveTextContent('1 alarm');
  expect(alarms).toHaveTextContent('How sure: at most 1 % of runs');
  await userEvent.click(screen.getByRole('button', { name: 'Show the records' }));
  expect(showRecords).toHaveBeenCalledWith({
    ...NO_FILTER,
    since: ALARM.since,
    until: ALARM.until,
    release: ALARM.release
  });
  await userEvent.click(screen.getByRole('button', { name: 'Make a notebook' }));
  expect(call).toHaveBeenCalledWith(
    'logs',
    expect.objectContaining({ name: 'clf', since: ALARM.since, until: ALARM.until })
  );
  expect(await screen.findByText('Written: /home/ana/clf-alarm.ipynb')).toBeInTheDocument();
  expect(fetchFile).toHaveBeenCalledWith('/home/ana/clf-alarm.ipynb');
  await userEvent.click(screen.getByRole('button', { name: 'Insert a cell' }));
  expect(insertCell).toHaveBeenCalledWith(
    expect.stringContaining(`recorded("clf", since="${ALARM.since}", until="${ALARM.until}")`)
  );
  await userEvent.click(screen.getByRole('button', { name: 'Roll back…' }));
  expect(rollBack).toHaveBeenCalledOnce();
});

it('offers no rollback without an earlier revision', async () => {
  shown(
    <Monitor view={endpoint()} actions={{ ...ACTIONS, rollBack: null }} />,
    serving(monitor({ alarms: [ALARM] }))
  );
  await screen.findByRole('button', { name: 'Show the records' });
  expect(screen.queryByRole('button', { name: 'Roll back…' })).toBeNull();
});

it('requests the chosen range, two moments, and the drift of another release', async () => {
  const given = serving(monitor());
  shown(<Monitor view={endpoint({ cards: [card(), SHADOW] })} actions={ACTIONS} />, given);
  await screen.findByRole('heading', { name: 'No alarm' });
  const last = (): unknown => given.view.mock.calls.filter(one => one[0] === 'monitor').at(-1)?.[1];
  expect(last()).toEqual({ name: 'clf', since: '24h' });
  await userEvent.selectOptions(screen.getByLabelText('The last'), 'all');
  await screen.findByRole('heading', { name: 'No alarm' });
  expect(last()).toEqual({ name: 'clf' });
  await userEvent.selectOptions(screen.getByLabelText('Drift of'), SHADOW.tag);
  expect(last()).toEqual({ name: 'clf', release: SHADOW.tag });
  await userEvent.selectOptions(screen.getByLabelText('The last'), 'custom');
  fireEvent.change(screen.getByLabelText('from'), { target: { value: '2026-11-02T10:00' } });
  fireEvent.change(screen.getByLabelText('to'), { target: { value: '2026-11-01T10:00' } });
  expect(screen.getByText('The end must be after the begin.')).toBeInTheDocument();
  fireEvent.change(screen.getByLabelText('to'), { target: { value: '2026-11-03T10:00' } });
  await userEvent.click(screen.getByRole('button', { name: 'Show' }));
  expect(last()).toEqual({
    name: 'clf',
    release: SHADOW.tag,
    since: new Date('2026-11-02T10:00').toISOString(),
    until: new Date('2026-11-03T10:00').toISOString()
  });
});

it('ranks features, and says when an empty range or a missing reference is the reason', async () => {
  const feature = {
    name: 'age',
    alarms: 1,
    moved: 'more of 53 to 58',
    evidence: 431,
    jensen_shannon: 0.02,
    compared: ''
  };
  const one = shown(
    <Monitor view={endpoint()} actions={ACTIONS} />,
    serving(monitor({ features: [feature] }))
  );
  const list = await screen.findByRole('region', { name: 'Features by drift' });
  expect(list).toHaveTextContent('age▲ 1 alarm more of 53 to 58 e-value 431 · JS 0.02');
  one.unmount();
  shown(
    <Monitor view={endpoint()} actions={ACTIONS} />,
    serving(monitor({ requests: 0, errors: 0, state: 'none', charts: {} }))
  );
  expect(await screen.findByText('No requests in this range')).toBeInTheDocument();
  expect(screen.getByText(/no requests were recorded with their inputs/)).toBeInTheDocument();
});

it('shows the figures of two ranges next to each other', async () => {
  const figures = [{ name: 'requests', now: '2,000', compared: '1,500' }];
  const compared = {
    since: '2026-11-24T02:00:00Z',
    until: '2026-11-25T02:00:00Z',
    values: '',
    figures
  };
  const feature = {
    name: 'age',
    alarms: 0,
    moved: 'hardly moved',
    evidence: 1,
    jensen_shannon: 0,
    compared: 'more of 53 to 58 (10 % to 20 %), JS 0.02'
  };
  const given = serving(monitor({ compared, features: [feature] }));
  shown(<Monitor view={endpoint()} actions={ACTIONS} />, given);
  await userEvent.selectOptions(await screen.findByLabelText('Compare with'), 'before');
  const table = await screen.findByRole('region', { name: 'Both ranges' });
  expect(within(table).getByRole('row', { name: 'requests 2,000 1,500' })).toBeInTheDocument();
  expect(screen.getByRole('region', { name: 'Features by drift' })).toHaveTextContent(
    'since the compared range: more of 53 to 58 (10 % to 20 %), JS 0.02'
  );
  const last = (): unknown => given.view.mock.calls.at(-1)?.[1];
  expect(last()).toMatchObject({ since: '24h', compare_since: '48h', compare_until: '24h' });
});

it('names a second range by hours before a range that ends now, else by moments', () => {
  const day = { since: '24h', until: null };
  expect(comparedFields(day, 'none')).toEqual({});
  expect(comparedFields(day, 'week')).toEqual({ compare_since: '192h', compare_until: '168h' });
  expect(comparedFields({ since: null, until: null }, 'before')).toEqual({});
  const moments = { since: '2026-11-03T10:00:00.000Z', until: '2026-11-04T10:00:00.000Z' };
  expect(comparedFields(moments, 'before')).toEqual({
    compare_since: '2026-11-02T10:00:00.000Z',
    compare_until: '2026-11-03T10:00:00.000Z'
  });
  expect(comparedFields(day, moments)).toEqual({
    compare_since: moments.since,
    compare_until: moments.until
  });
});

it('divides the performance by segment, or says how to', async () => {
  const segments = [
    {
      segment: 'region: north',
      release: 'clf:aaaaaaaabbbb',
      rows: 1200,
      value: '92 % (88 % to 95 %)',
      compared: ''
    }
  ];
  const truth = { ...NO_TRUTH, rows: 1200, chart: CHART, by_segment: CHART, segments };
  const one = shown(
    <Monitor view={endpoint()} actions={ACTIONS} />,
    serving(monitor(), { ...truth, declared: true })
  );
  const table = await screen.findByRole('region', { name: 'Performance by segment' });
  expect(table).toHaveTextContent('region: north');
  expect(table).toHaveTextContent('1,20092 % (88 % to 95 %)');
  one.unmount();
  shown(
    <Monitor view={endpoint()} actions={ACTIONS} />,
    serving(monitor(), { ...truth, by_segment: null, segments: [] })
  );
  expect(await screen.findByText(/nbdeploy traffic clf --segment COLUMN/)).toBeInTheDocument();
});

it('writes a report of the range, or says why not', async () => {
  const written = { file: '/w/clf.html', notebook: '/w/clf.ipynb' };
  const job = vi.fn().mockResolvedValue({ state: 'done', result: written });
  const fetchFile = vi.fn();
  const given = { ...serving(monitor({ requests: 5 })), job, fetchFile };
  shown(<Monitor view={endpoint()} actions={ACTIONS} />, given);
  await userEvent.selectOptions(
    await screen.findByLabelText('Format of the report'),
    'Page and notebook'
  );
  await userEvent.click(screen.getByRole('button', { name: 'Write a report' }));
  expect(await screen.findByText('/w/clf.html, /w/clf.ipynb')).toBeInTheDocument();
  const [verb, request] = job.mock.calls[0] as [string, Record<string, unknown>];
  expect(verb).toBe('report');
  expect(request).toMatchObject({ name: 'clf', since: '24h', notebook: true });
  expect(request.file).toMatch(/^clf-report-\d{8}-\d{6}\.html$/);
  expect(fetchFile).toHaveBeenCalledWith('/w/clf.ipynb');
  const problem = { detail: 'the disk is full', title: '', remedy: 'make room', errors: [] };
  job.mockResolvedValue({ state: 'failed', problem });
  await userEvent.click(screen.getByRole('button', { name: 'Write a report' }));
  expect(await screen.findByText('the disk is full; make room')).toBeInTheDocument();
});

it('marks an estimated accuracy as one, next to the way to ground truth', async () => {
  const estimate = 'The estimated accuracy is that which the probabilities promise.';
  shown(
    <Monitor view={endpoint()} actions={ACTIONS} />,
    serving(monitor(), { ...NO_TRUTH, chart: CHART, estimate })
  );
  expect(await screen.findByText(estimate)).toBeInTheDocument();
  expect(screen.getByText(/No ground truth in this range/)).toBeInTheDocument();
});

it('loads again when the endpoint has other counts, and not otherwise', async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  try {
    const given = serving(monitor());
    const loads = (): number => given.view.mock.calls.filter(one => one[0] === 'monitor').length;
    let count: (requests: number) => void = () => undefined;
    const Counting = (): React.JSX.Element => {
      const [requests, setRequests] = React.useState(5);
      count = setRequests;
      const counts = { ...COUNTS, requests };
      return <Monitor view={endpoint({ cards: [card({ counts })] })} actions={ACTIONS} />;
    };
    shown(<Counting />, given);
    await screen.findByRole('heading', { name: 'No alarm' });
    expect(loads()).toBe(1);
    await vi.advanceTimersByTimeAsync(9_000);
    expect(loads()).toBe(1);
    act(() => {
      count(6);
    });
    await vi.advanceTimersByTimeAsync(2_100);
    expect(loads()).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});

it('shows a problem with its remedy', async () => {
  const view = vi.fn(async () =>
    Promise.reject(problemError({ code: 'store', title: 'the disk is full', status: 500 }))
  ) as unknown as Services['view'];
  shown(<Monitor view={endpoint()} actions={ACTIONS} />, { view });
  expect(await screen.findByRole('button', { name: 'Refresh' })).toBeInTheDocument();
});
