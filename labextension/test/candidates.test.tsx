import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { expect, it, vi } from 'vitest';

import { CANDIDATES, CandidatesOutput, type DrawCandidates } from '../src/candidatesOutput';
import { choiceOf } from '../src/choice';
import type { CandidateRow, CandidatesView, DeployRequest, EndpointsView } from '../src/generated';
import { problemError } from '../src/transport/request';
import { Candidates } from '../src/widgets/candidates/candidates';
import { ChosenAmong } from '../src/widgets/candidates/chosenAmong';
import type { Services } from '../src/widgets/ui/services';
import { job, shown } from './sidebarWorld';

function row(label: string, given: Partial<CandidateRow> = {}): CandidateRow {
  const cells = [
    { value: '0.93', range: '[0.91, 0.95]' },
    { value: '3.1', range: '[3, 3.4]' }
  ];
  return {
    label,
    tag: `${label}:aaaa`,
    cells,
    reasons: [],
    on_front: false,
    stable: false,
    ...given
  };
}

function document(given: Partial<CandidatesView> = {}): CandidatesView {
  return {
    headline: '2 models in 2 rows',
    columns: ['accuracy [95 %]', 'p99 ms'],
    rows: [row('forest', { on_front: true }), row('logit'), row('stable', { stable: true })],
    groups: [],
    facts: { scored: 'accuracy on 500 rows' },
    figures: ['accuracy', 'latency_p99_ms'],
    chart: { title: { text: 'accuracy against latency' } },
    table: {
      metric: 'accuracy',
      greater_is_better: true,
      rows_of_data: 500,
      level: 0.95,
      endpoint: 'churn',
      core_hour: null,
      processor: '',
      constraints: [],
      candidates: [],
      left_out: [{ name: 'logit', engine: 'onnx', why: 'no converter' }],
      at: '2026-11-26T02:00:00Z'
    },
    ...given
  };
}

const CONSTRAINED = document({
  headline: '2 models in 2 rows: 1 meets the constraints',
  rows: [row('logit'), row('forest', { reasons: ['latency_p99_ms <= 2 (3.1)'] })],
  table: { ...document().table, constraints: ['latency_p99_ms <= 2'] }
});

/** The view over a server that knows the endpoint churn. */
function drawn(refuse: (constraints: string) => Error | null = () => null): {
  start: (request: DeployRequest) => Promise<string>;
  view: ReturnType<typeof vi.fn>;
} {
  const view = vi.fn(async (name: string, request: Readonly<Record<string, unknown>>) => {
    if (name === 'endpoints') {
      return Promise.resolve({ endpoints: [{ name: 'churn' }], home: '' } as EndpointsView);
    }
    const error = refuse(String(request.constraints));
    return error === null ? Promise.resolve(CONSTRAINED) : Promise.reject(error);
  });
  const start = vi.fn(async () => Promise.resolve('j1'));
  shown(<Candidates given={document()} start={start} renderJob={id => <p>the job {id}</p>} />, {
    view: view as unknown as Services['view']
  });
  return { start, view };
}

it('shows the rows with names for each figure, and asks the server nothing', () => {
  const { view } = drawn();
  const table = screen.getByRole('table');
  expect(
    within(table)
      .getAllByRole('columnheader')
      .map(one => one.textContent)
  ).toEqual(['model', 'accuracy [95 %]', 'p99 ms']);
  expect(
    within(table).getByRole('rowheader', { name: /forest.*Pareto front/ })
  ).toBeInTheDocument();
  expect(screen.getByText('1 row was not measured')).toBeInTheDocument();
  expect(screen.queryByRole('button', { name: /Deploy stable/ })).toBeNull();
  expect(view).not.toHaveBeenCalled();
});

it('applies constraints while they are typed, and says what a row violates', async () => {
  const { view } = drawn();
  await userEvent.type(screen.getByLabelText('Constraints'), 'latency_p99_ms <= 2');
  expect(await screen.findByText(/violates latency_p99_ms <= 2 \(3.1\)/)).toBeInTheDocument();
  expect(screen.getByRole('status', { name: '' })).toHaveTextContent('1 meets the constraints');
  const [, ...rows] = screen.getAllByRole('row');
  expect(rows.map(one => one.dataset.violates)).toEqual(['false', 'true']);
  expect(view).toHaveBeenCalledWith(
    'candidates',
    expect.objectContaining({ constraints: 'latency_p99_ms <= 2', table: document().table }),
    expect.anything()
  );
  await userEvent.clear(screen.getByLabelText('Constraints'));
  expect(await screen.findByText('2 models in 2 rows')).toBeInTheDocument();
});

it('keeps the last rows while a constraint is wrong, with the remedy', async () => {
  const refused = problemError({
    code: 'invalid_input',
    title: '',
    detail: "the constraint 'p99 <= 2' names 'p99', which is no figure",
    remedy: 'did you mean latency_p99_ms?'
  });
  drawn(constraints => (constraints.includes('p99 ') ? refused : null));
  const field = screen.getByLabelText('Constraints');
  await userEvent.type(field, 'p99 <= 2');
  expect(await screen.findByText(/which is no figure/)).toBeInTheDocument();
  expect(field).toHaveAccessibleDescription(/did you mean latency_p99_ms/i);
  expect(field).toBeInvalid();
  expect(screen.getAllByRole('row')).toHaveLength(4);
});

it('deploys a row as a shadow of the compared endpoint, with the table under its constraints', async () => {
  const { start } = drawn();
  await userEvent.type(screen.getByLabelText('Constraints'), 'latency_p99_ms <= 2');
  await screen.findByText(/violates latency_p99_ms/);
  await userEvent.click(screen.getByRole('button', { name: 'Deploy logit…' }));
  const dialog = screen.getByRole('dialog', { name: 'Deploy logit' });
  expect(within(dialog).getByLabelText('Endpoint')).toHaveValue('churn');
  expect(within(dialog).getByRole('radio', { name: 'shadow' })).toBeChecked();
  await userEvent.click(within(dialog).getByRole('button', { name: 'Deploy' }));
  expect(start).toHaveBeenCalledWith({
    source: 'logit:aaaa',
    name: 'churn',
    choice: CONSTRAINED.table
  });
  expect(await screen.findByText('the job j1')).toBeInTheDocument();
  expect(screen.queryByRole('dialog')).toBeNull();
});

it('makes the first release of a new endpoint stable, and another one the role that was chosen', async () => {
  const { start } = drawn();
  await userEvent.click(screen.getByRole('button', { name: 'Deploy forest…' }));
  const name = screen.getByLabelText('Endpoint');
  await userEvent.click(await screen.findByRole('radio', { name: 'canary' }));
  await userEvent.clear(name);
  await userEvent.type(name, 'fresh');
  await waitFor(() => {
    expect(screen.getByRole('radio', { name: 'stable' })).toBeChecked();
  });
  await userEvent.clear(name);
  await userEvent.type(name, 'churn{Enter}');
  expect(start).toHaveBeenCalledWith(
    expect.objectContaining({ source: 'forest:aaaa', name: 'churn', role: 'canary' })
  );
});

it('refuses a share that is none, at its field, and sends one that is', async () => {
  const { start } = drawn();
  await userEvent.click(screen.getByRole('button', { name: 'Deploy forest…' }));
  await userEvent.click(await screen.findByRole('radio', { name: 'canary' }));
  const percent = screen.getByLabelText('Percent of the requests that it answers');
  const deploy = screen.getByRole('button', { name: 'Deploy' });
  for (const wrong of ['x', '0', '101', ' ']) {
    await userEvent.clear(percent);
    await userEvent.type(percent, wrong);
    await userEvent.click(deploy);
    expect(percent).toBeInvalid();
    expect(percent).toHaveAccessibleDescription(/number above 0 and up to 100/);
  }
  expect(start).not.toHaveBeenCalled();
  await userEvent.clear(percent);
  await userEvent.type(percent, '2.5');
  await userEvent.click(deploy);
  expect(start).toHaveBeenCalledWith(expect.objectContaining({ role: 'canary', percent: 2.5 }));
});

it("is drawn in an output, and nothing in that of the chart's own", async () => {
  const removed = vi.fn();
  const draw = vi.fn<DrawCandidates>(async () => Promise.resolve(removed));
  const output = new CandidatesOutput(draw);
  const model = (data: unknown): never => ({ data: { [CANDIDATES]: data } }) as never;
  await output.renderModel(model(document()));
  expect(draw).toHaveBeenCalledWith(expect.any(HTMLElement), document());
  await output.renderModel(model({}));
  expect(removed).toHaveBeenCalledOnce();
  expect(output.isHidden).toBe(true);
  output.dispose();
});

it('shows the table of a finished job, as the server makes it', async () => {
  const view = vi.fn(async () => Promise.resolve(CONSTRAINED));
  const table = CONSTRAINED.table;
  const start = vi.fn(async () => Promise.resolve('j1'));
  shown(<ChosenAmong table={table} start={start} renderJob={id => <p>the job {id}</p>} />, {
    view: view as unknown as Services['view']
  });
  expect(await screen.findByText(CONSTRAINED.headline)).toBeInTheDocument();
  expect(screen.getByLabelText('Constraints')).toHaveValue('latency_p99_ms <= 2');
  expect(view).toHaveBeenCalledWith(
    'candidates',
    { table, constraints: 'latency_p99_ms <= 2' },
    expect.anything()
  );
});

it('is the result of a choice, and of no other job', () => {
  const { table } = CONSTRAINED;
  expect(choiceOf(job({ verb: 'candidates', state: 'done', result: table }))).toBe(table);
  expect(choiceOf(job({ verb: 'candidates', state: 'failed', result: null }))).toBeNull();
  expect(choiceOf(job({ verb: 'deploy', state: 'done', result: {} }))).toBeNull();
});
