import { screen, within } from '@testing-library/react';
import * as React from 'react';
import { expect, it, vi } from 'vitest';

import type { ValidationsView } from '../src/generated';
import { problemError } from '../src/transport/request';
import { Validations } from '../src/widgets/endpoint/validations';
import type { Services } from '../src/widgets/ui/services';
import { shown } from './sidebarWorld';

const NOW = Date.parse('2026-11-26T03:00:00Z');

function saying(document: Partial<ValidationsView>): Partial<Services> {
  const view = vi.fn(async () =>
    Promise.resolve({ validations: [], charts: [], ...document })
  ) as unknown as Services['view'];
  return { view };
}

const ROW = {
  id: 'v2',
  at: '2026-11-26T02:00:00Z',
  by: 'ana',
  trigger: 'deploy',
  release: 'clf:ccccccccdddd',
  verdict: 'fail' as const
};

it('shows the outcomes of validations with their releases, and draws their metrics', async () => {
  const chart = { title: { text: 'accuracy', subtitle: ['quality.ipynb'] }, mark: 'line' };
  const rows = [ROW, { ...ROW, id: 'v1', release: '', verdict: 'pass' as const }];
  shown(
    <Validations name="clf" revision={2} now={NOW} />,
    saying({ validations: rows, charts: [chart] })
  );
  const list = await screen.findByRole('list', { name: 'Validations, newest first' });
  const [first, second] = within(list).getAllByRole('listitem');
  expect(first).toHaveTextContent('failedclf:ccccccccdeploy by ana, 1 h ago');
  expect(first).toHaveAttribute('data-verdict', 'fail');
  expect(second).toHaveTextContent('passeddeploy by ana');
});

it('explains a single measurement, and shows the next step if there is none', async () => {
  const one = shown(
    <Validations name="clf" revision={2} now={NOW} />,
    saying({ validations: [ROW] })
  );
  expect(await screen.findByText(/drawn once it has two measurements/)).toBeInTheDocument();
  one.unmount();
  shown(<Validations name="clf" revision={2} now={NOW} />, saying({}));
  expect(await screen.findByText(/Choose a validation notebook/)).toBeInTheDocument();
});

it('shows a problem if they cannot be read', async () => {
  const view = vi.fn(async () =>
    Promise.reject(problemError({ code: 'store', title: 'the store is damaged', status: 500 }))
  ) as unknown as Services['view'];
  shown(<Validations name="clf" revision={2} now={NOW} />, { view });
  expect(await screen.findByRole('button', { name: 'Refresh' })).toBeInTheDocument();
});
