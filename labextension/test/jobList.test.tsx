import { Signal } from '@lumino/signaling';
import { render, screen } from '@testing-library/react';
import * as React from 'react';
import { expect, it } from 'vitest';

import type { Job } from '../src/generated';
import type { JobActions } from '../src/jobActions';
import type { JobsModel } from '../src/jobs';
import { JobList } from '../src/widgets/jobs/jobList';
import { job, trans } from './made/deploying';

function list(...all: Job[]): void {
  const jobs = { all, refresh: async () => Promise.resolve() } as unknown as JobsModel;
  Object.assign(jobs, { changed: new Signal<JobsModel, Job>(jobs) });
  render(<JobList jobs={jobs} actions={{} as JobActions} trans={trans} />);
}

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();

function one(verb: string, state: Job['state'], seconds: number): Job {
  const title = `${verb} ${state} ${String(seconds)}`;
  const at = ago(seconds);
  return job({ id: title, title, verb, state, created_at: at, ended_at: at });
}

it('shows jobs that go on, failed, or are new; a successful change of traffic is in the history', () => {
  list(
    one('traffic', 'running', 600),
    one('traffic', 'done', 5),
    one('traffic', 'done', 90),
    one('promote', 'done', 90),
    one('promote', 'failed', 9000),
    one('deploy', 'done', 9000),
    one('validate', 'done', 9000)
  );
  expect(screen.getAllByRole('button').map(row => row.title || row.textContent)).toEqual([
    expect.stringMatching(/^traffic running 600/),
    expect.stringMatching(/^traffic done 5/),
    expect.stringMatching(/^promote failed 9000/),
    expect.stringMatching(/^deploy done 9000/),
    expect.stringMatching(/^validate done 9000/)
  ]);
});

it('names the place of the jobs that are not shown', () => {
  list(one('traffic', 'done', 90));
  expect(screen.getByText(/history of an endpoint lists its changes/)).toBeInTheDocument();
});
