import { fireEvent, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { expect, it, vi } from 'vitest';

import type { MonitorView, PerformanceView } from '../src/generated';
import { problemError } from '../src/transport/request';
import { Monitor } from '../src/widgets/monitor/monitor';
import { NO_FILTER } from '../src/widgets/records/records';
import type { Services } from '../src/widgets/ui/services';
import { card, endpoint, SHADOW, shown } from './sidebarWorld';

const CHART = { title: { text: 'Requests a second', subtitle: '' }, mark: 'line' };

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
    notes: [],
    ...given
  };
}

/** Services whose views are these, and the requests that they got. */
function serving(
  found: MonitorView,
  performance: PerformanceView = { rows: 0, chart: null }
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
    jensen_shannon: 0.02
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

it('shows a problem with its remedy', async () => {
  const view = vi.fn(async () =>
    Promise.reject(problemError({ code: 'store', title: 'the disk is full', status: 500 }))
  ) as unknown as Services['view'];
  shown(<Monitor view={endpoint()} actions={ACTIONS} />, { view });
  expect(await screen.findByRole('button', { name: 'Refresh' })).toBeInTheDocument();
});
