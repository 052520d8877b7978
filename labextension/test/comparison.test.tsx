import { screen } from '@testing-library/react';
import * as React from 'react';
import { expect, it, vi } from 'vitest';

import type { ComparisonView } from '../src/generated';
import { Comparison } from '../src/widgets/compare/comparison';
import type { Services } from '../src/widgets/ui/services';
import { card, endpoint, shown } from './sidebarWorld';

function saying(document: Partial<ComparisonView>): Partial<Services> {
  const said = {
    stable: 'clf:aaaaaaaabbbb',
    candidate: 'clf:ccccccccdddd',
    role: 'shadow',
    verdict: 'inconclusive',
    reason: 'no pairs yet',
    recommended: '',
    pairs: 0,
    coverage: '',
    charts: {},
    flipped: [],
    flips: 0,
    notes: [],
    since: null,
    ...document
  };
  return { view: vi.fn(async () => Promise.resolve(said)) as unknown as Services['view'] };
}

function of(role: 'shadow' | 'canary'): React.ReactElement {
  const view = endpoint({ cards: [card(), card({ tag: 'clf:ccccccccdddd', role })] });
  return <Comparison view={view} chosen={null} onChoose={vi.fn()} />;
}

it('shows the rows that stable and the shadow answered, or the next step', async () => {
  shown(of('shadow'), saying({}));
  expect(await screen.findByText(/0 pairs/)).toBeInTheDocument();
  expect(screen.getByText(/Send requests to the URL above/)).toBeInTheDocument();
});

it('speaks of no pairs of a canary, which answers other requests than stable', async () => {
  shown(of('canary'), saying({ role: 'canary', reason: 'unpaired' }));
  expect(await screen.findByText('unpaired')).toBeInTheDocument();
  expect(screen.getByText('clf:cccccccc against clf:aaaaaaaa')).toBeInTheDocument();
  expect(screen.queryByText(/pair\b|pairs|answered differently/)).toBeNull();
});
