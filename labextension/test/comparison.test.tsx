import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { expect, it, vi } from 'vitest';

import type { ComparisonView, NumberDifferences } from '../src/generated';
import { Comparison } from '../src/widgets/compare/comparison';
import type { Services } from '../src/widgets/ui/services';
import { comparison, estimate } from './comparisonDocument';
import { card, endpoint, job, shown } from './sidebarWorld';

function saying(document: Partial<ComparisonView>): Partial<Services> & { view: Services['view'] } {
  const view = vi.fn(async () => Promise.resolve(comparison(document)));
  return { view: view as unknown as Services['view'] };
}

function of(
  role: 'shadow' | 'canary' | 'idle',
  showRecords: (status: string, release: string) => void = vi.fn()
): React.ReactElement {
  const view = endpoint({ cards: [card(), card({ tag: 'clf:ccccccccdddd', role })] });
  return <Comparison view={view} chosen={null} onChoose={vi.fn()} showRecords={showRecords} />;
}

const NUMBERS: NumberDifferences = {
  rows: 400,
  mean: 0.0123456789,
  bias: estimate(0.0123456789, 0.01, 0.0155),
  spread: null,
  absolute: { p50: 0.01, p90: 0.2, p99: 0.3, max: 1.23456 },
  relative: { p50: estimate(0.0012345, 0.001, 0.0015) },
  within_tolerance: 0.875,
  histogram: [],
  pairs: []
};

it('shows the rows that stable and the shadow answered, or the next step', async () => {
  shown(of('shadow'), saying({}));
  expect(await screen.findByText(/· 0 pairs/)).toBeInTheDocument();
  expect(screen.getByText(/Send requests to the URL above/)).toBeInTheDocument();
});

it('speaks of no pairs of a canary, which answers other requests than stable', async () => {
  shown(of('canary'), saying({ role: 'canary', paired: false, reason: 'other requests' }));
  expect(await screen.findByText('other requests')).toBeInTheDocument();
  expect(screen.getByText(/^clf:cccccccc \(canary\) against clf:aaaaaaaa/)).toBeInTheDocument();
  expect(screen.queryByText(/pair\b|pairs|answered differently/)).toBeNull();
});

it('compares an idle release, whose pairs are kept', async () => {
  const services = saying({ role: 'idle', pairs: 12 });
  shown(of('idle'), services);
  expect(await screen.findByText(/· 12 pairs/)).toBeInTheDocument();
  expect(services.view).toHaveBeenCalledWith(
    'comparison',
    { name: 'clf', candidate: 'clf:ccccccccdddd' },
    expect.anything()
  );
});

it('has the verdict first, with the recommendation, the time still needed, and earlier evidence', async () => {
  const phase = {
    paired: true,
    first: '2026-11-26T02:00:00Z',
    last: '2026-11-26T03:00:00Z',
    requests: 900,
    clusters: 800,
    pairs: 900,
    rows: 900,
    agreement: estimate(0.998, 0.994, 0.9995),
    error_difference: null,
    latency_difference_ms: null,
    reason: 'The two agree on 99.8 %.',
    recommendation: 'promote' as const
  };
  shown(
    of('canary'),
    saying({
      role: 'canary',
      paired: false,
      forecast: 'usually decided by 900 requests',
      phases: [
        { ...phase, role: 'shadow', verdict: 'agrees' },
        { ...phase, role: 'canary', verdict: 'inconclusive' }
      ]
    })
  );
  const verdict = await screen.findByRole('region', { name: 'Verdict' });
  expect(verdict).toHaveTextContent(/^○ Inconclusivewait: more requests will tell/);
  expect(verdict).toHaveTextContent('How long still: usually decided by 900 requests');
  expect(verdict).toHaveTextContent('Before, as the shadow: ● Agrees The two agree on 99.8 %.');
});

it('says of how many mirrored requests the candidate has answers, as the other figures', async () => {
  const interval = { low: 0.93271, high: 1, level: 0.95 };
  shown(of('shadow'), saying({ coverage: { value: 1, interval, n: 61 }, mirrored: 61 }));
  expect(await screen.findByText('of 61 mirrored', { exact: false })).toHaveTextContent(
    '[93.3 %, 100 %] of 61 mirrored'
  );
});

it('shows the refusals of both, and opens the requests', async () => {
  const showRecords = vi.fn();
  shown(
    of('shadow', showRecords),
    saying({
      refused: { stable: 12, candidate: 10 },
      refusals: [
        {
          release: 'stable',
          status: 422,
          reason: 'age: must be a number',
          requests: 12,
          other: { '422': 10, '200': 2 }
        }
      ]
    })
  );
  expect(await screen.findByText('Refused: 12 by stable, 10 by the candidate')).toBeVisible();
  expect(screen.getByText(/the candidate answered 2 of them with 200/)).toBeVisible();
  await userEvent.click(
    screen.getByRole('button', { name: 'Show the requests: age: must be a number' })
  );
  expect(showRecords).toHaveBeenCalledWith('422', 'clf:aaaaaaaabbbb');
});

it('compares with the tolerance that is moved, and keeps it with the endpoint', async () => {
  const services = saying({ numbers: NUMBERS });
  const runs = vi.fn(async () => Promise.resolve(job()));
  shown(of('shadow'), { ...services, job: runs });
  const form = await screen.findByRole('form', { name: 'Tolerance' });
  expect(form).toHaveTextContent('no verdict is based on numbers until you choose one');
  expect(within(form).getByText('87.5 % of the rows are equal')).toBeVisible();
  expect(within(form).queryByRole('button', { name: 'Keep' })).toBeNull();
  const percent = within(form).getByLabelText('Equal within');
  await userEvent.clear(percent);
  expect(percent).toHaveAttribute('aria-invalid', 'true');
  await userEvent.type(percent, '2.5');
  await waitFor(() => {
    expect(services.view).toHaveBeenLastCalledWith(
      'comparison',
      expect.objectContaining({ tolerance: 0.025, absolute_tolerance: 1e-9 }),
      expect.anything()
    );
  });
  await userEvent.click(within(form).getByRole('button', { name: 'Keep' }));
  expect(runs).toHaveBeenCalledWith('traffic', {
    name: 'clf',
    tolerance: 0.025,
    absolute_tolerance: 1e-9
  });
  await waitFor(() => {
    expect(within(form).queryByRole('button', { name: 'Keep' })).toBeNull();
  });
});

it('rounds to three digits, and has them all in the title', async () => {
  shown(of('shadow'), saying({ numbers: NUMBERS }));
  const bias = await screen.findByText('+0.0123');
  expect(bias.closest('[title]')).toHaveAttribute(
    'title',
    '0.0123456789 [0.01, 0.0155], 95 %, n = 500'
  );
});

it('shows of a structured answer the fields that differ, the old and the new value', async () => {
  shown(
    of('shadow'),
    saying({
      pairs: 5,
      flips: 1,
      fields: [{ field: 'score', aspect: 'value', agreement: estimate(0.9, 0.8, 0.95), differ: 1 }],
      fields_total: 1,
      flipped: [
        {
          pair_id: 'p',
          row: 0,
          ts: '2026-11-26T02:00:00Z',
          input: '{"age": 31, "city": "Bonn"}',
          stable: '{"score": 0.1, "same": 1}',
          candidate: '{"score": 0.2, "same": 1}',
          changes: [{ field: 'score', stable: '0.1', candidate: '0.2' }]
        }
      ]
    })
  );
  const row = within(await screen.findByRole('list', { name: 'Flipped rows' })).getByRole(
    'listitem'
  );
  expect(row).toHaveTextContent('age 31city Bonn');
  expect(row).toHaveTextContent('score0.1 → candidate:0.2 (+0.1, +100 %)');
  expect(row).not.toHaveTextContent('same');
  expect(screen.getByRole('row', { name: /^score value 90 % \[80 %, 95 %\] 1$/ })).toBeVisible();
  expect(screen.getByRole('form', { name: 'Tolerance' })).toBeVisible(); // of the numbers within
});

it('names a field in place of an option, and has a button for a command', async () => {
  const runVerb = vi.fn();
  const said = {
    reason: 'Say with --tolerance what counts as equal.',
    recommended: "decide. With ground truth: 'nbdeploy validate NOTEBOOK --traffic clf'"
  };
  shown(of('shadow'), { ...saying(said), runVerb });
  const verdict = await screen.findByRole('region', { name: 'Verdict' });
  expect(verdict).toHaveTextContent('Say with “Tolerance” what counts as equal.');
  await userEvent.click(within(verdict).getByRole('button', { name: 'Validate…' }));
  expect(runVerb).toHaveBeenCalledWith(
    expect.objectContaining({ verb: 'validate', words: ['NOTEBOOK', '--traffic', 'clf'] })
  );
});

it('marks a named segment by a word and a shape', async () => {
  const segment = {
    column: 'region',
    rows: 300,
    clusters: 280,
    agreement: estimate(0.95, 0.9, 0.98),
    error_difference: null,
    accuracy_difference: null,
    worse: 1,
    differ: 45
  };
  shown(
    of('shadow'),
    saying({
      segments: {
        declared: ['region'],
        declared_at: null,
        segments: [
          { ...segment, value: 'north', named: ['differs'] },
          { ...segment, value: 'south', named: [] }
        ],
        worse: 1,
        differ: 23,
        least_agreement: estimate(0.95, 0.89, 0.98),
        note: 'each interval holds alone'
      }
    })
  );
  expect(
    await screen.findByRole('row', { name: /^region = north ◆ differs 280 95 %/ })
  ).toBeVisible();
  expect(screen.getByRole('row', { name: /^region = south 280 95 %/ })).toBeVisible();
  expect(screen.getByText('each interval holds alone')).toBeVisible();
  expect(screen.getByText('Smallest agreement of any segment: 95 % [89 %, 98 %]')).toBeVisible();
});
