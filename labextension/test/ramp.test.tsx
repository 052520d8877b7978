import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { expect, it, vi } from 'vitest';

import type { Job, RampView } from '../src/generated';
import { Ramp } from '../src/widgets/endpoint/ramp';
import { job, SHADOW, shown } from './sidebarWorld';

const RAMP: RampView = {
  candidate: SHADOW.tag,
  words: 'step 2 of 5, 5 %, for 12 min; waits for 100 clusters: 63',
  paused: false,
  ended: false,
  evidence: ['errors: evidence 0.5 of 60']
};

it('says where the ramp is and why it holds, and pauses it', async () => {
  const run = vi.fn(async () => Promise.resolve(job()));
  shown(<Ramp ramp={RAMP} endpoint="clf" />, { job: run });
  expect(screen.getByText(/step 2 of 5.*waits for 100 clusters: 63/)).toHaveAttribute(
    'title',
    'errors: evidence 0.5 of 60'
  );
  expect(screen.queryByText('Resume the ramp')).toBeNull();
  await userEvent.click(screen.getByText('Pause the ramp'));
  expect(run).toHaveBeenCalledWith('ramp', { name: 'clf', pause: true });
});

it('resumes a paused ramp, and asks before it ends one', async () => {
  const failed = job({ state: 'failed' });
  const run = vi.fn(async (): Promise<Job> => Promise.resolve(failed));
  shown(<Ramp ramp={{ ...RAMP, paused: true }} endpoint="clf" />, { job: run });
  expect(screen.queryByText('Pause the ramp')).toBeNull();
  await userEvent.click(screen.getByText('Abort the ramp…'));
  expect(run).not.toHaveBeenCalled();
  await userEvent.click(screen.getByText('Abort'));
  expect(run).toHaveBeenCalledWith('ramp', { name: 'clf', abort: true });
  expect(await screen.findByRole('alert')).toBeInTheDocument();
  await userEvent.click(screen.getByText('Resume the ramp'));
  expect(run).toHaveBeenLastCalledWith('ramp', { name: 'clf', resume: true });
});

it('shows that a ramp went back, without buttons, and nothing without a ramp', () => {
  const { rerender } = shown(<Ramp ramp={{ ...RAMP, ended: true }} endpoint="clf" />);
  expect(screen.queryByRole('button')).toBeNull();
  expect(screen.getByRole('region', { name: /Ramp of/ })).toBeInTheDocument();
  rerender(<></>);
  shown(<Ramp ramp={null} endpoint="clf" />);
  expect(screen.queryByRole('region')).toBeNull();
});
