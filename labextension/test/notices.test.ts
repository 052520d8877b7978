import { Notification } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';
import { expect, it, vi } from 'vitest';

import type { Job } from '../src/generated';
import type { JobsModel } from '../src/jobs';
import { Notices } from '../src/notices';
import { job, trans } from './made/deploying';

/** A model in which a test changes its one job. */
class OneJob {
  job = job();
  readonly changed = new Signal<this, Job>(this);
  readonly get = (id: string): Job | undefined => (id === this.job.id ? this.job : undefined);

  becomes(given: Partial<Job>): void {
    this.job = { ...this.job, ...given };
    this.changed.emit(this.job);
  }
}

function follow(jobs: OneJob) {
  const showJob = vi.fn();
  const openEndpoint = vi.fn();
  const notices = new Notices({
    jobs: jobs as unknown as JobsModel,
    trans,
    showJob,
    openEndpoint
  });
  return { notices, showJob, openEndpoint };
}

const last = (): Notification.INotification | undefined => Notification.manager.notifications[0];

it('a job without a viewer is one notification, which is updated', () => {
  const jobs = new OneJob();
  const { notices, openEndpoint } = follow(jobs);
  notices.follow('j1');
  notices.follow('j1');
  expect(last()?.message).toBe('deploy clf as churn: queued');
  const before = Notification.manager.count;
  jobs.becomes({ step: 'building the bento' });
  expect(last()?.message).toBe('deploy clf as churn: building the bento');
  jobs.becomes({ state: 'done' });
  expect(last()).toMatchObject({ message: 'deploy clf as churn: done', type: 'success' });
  expect(Notification.manager.count).toBe(before);
  last()
    ?.options.actions?.find(action => action.label === 'Open churn')
    ?.callback(new MouseEvent('click'));
  expect(openEndpoint).toHaveBeenCalledWith('churn');
});

it('a failure stays until it was seen', () => {
  const jobs = new OneJob();
  const { notices } = follow(jobs);
  notices.follow('j1');
  const problem = { title: 'A gate does not hold' } as NonNullable<Job['problem']>;
  jobs.becomes({ state: 'failed', problem });
  expect(last()).toMatchObject({ type: 'error', options: { autoClose: false } });
  expect(last()?.message).toContain('A gate does not hold');
});

it('a job with a viewer has no notification', () => {
  const jobs = new OneJob();
  const { notices } = follow(jobs);
  const before = Notification.manager.count;
  notices.follow('j1');
  notices.leave('j1');
  expect(Notification.manager.count).toBe(before);
  jobs.becomes({ state: 'done' });
  notices.follow('j1'); // it has ended
  expect(Notification.manager.count).toBe(before);
});

it('with the setting, it notifies of failures alone', () => {
  const jobs = new OneJob();
  const { notices } = follow(jobs);
  notices.quiet = true;
  const before = Notification.manager.count;
  notices.follow('j1');
  jobs.becomes({ step: 'building the bento' });
  jobs.becomes({ state: 'done' });
  expect(Notification.manager.count).toBe(before);
  jobs.job = job();
  notices.follow('j1');
  const problem = { title: 'A gate does not hold' } as NonNullable<Job['problem']>;
  jobs.becomes({ state: 'failed', problem });
  expect(last()).toMatchObject({ type: 'error', options: { autoClose: false } });
  expect(Notification.manager.count).toBe(before + 1);
});
