import { Notification } from '@jupyterlab/apputils';
import { afterEach, expect, it, vi } from 'vitest';

import { refusalOf, reportCaptureFailure } from '../src/deploy/captureFailure';
import type { Job } from '../src/generated';
import type { JobsModel } from '../src/jobs';
import { problemError } from '../src/transport/request';
import { job } from './made/deploying';

const REFUSAL = problemError({
  code: 'unknown_job',
  title: 'There is no such job',
  detail: 'there is no job j1',
  remedy: 'set NBDEPLOY_HOME alike for it and for the server'
});

function jobs(given: Partial<Job>) {
  const cancel = vi.fn(async () => Promise.resolve());
  const load = async () => Promise.resolve({ ...job(), ...given });
  return { cancel, model: { cancel, load } as unknown as JobsModel };
}

afterEach(() => {
  Notification.dismiss();
  vi.restoreAllMocks();
});

it('a job whose kernel does not capture ends with the reason', async () => {
  vi.spyOn(console, 'warn').mockReturnValue();
  const { cancel, model } = jobs({ state: 'waiting', kernel: null });
  const why = refusalOf({ job: 'j1', state: 'failed', problem: REFUSAL.problem });
  await reportCaptureFailure('j1', why, model);
  expect(cancel).toHaveBeenCalledWith('j1');
  const [said] = Notification.manager.notifications;
  expect(said?.type).toBe('error');
  expect(said?.message).toContain('there is no job j1 – set NBDEPLOY_HOME alike');
});

it('a capture continues although its notebook was closed, and an ended one is unchanged', async () => {
  vi.spyOn(console, 'warn').mockReturnValue();
  const cut = problemError({ code: 'kernel_restarted', title: 'Canceled future' });
  for (const given of [
    { state: 'waiting', kernel: 7 },
    { state: 'waiting', kernel: null, asked: 7 },
    { state: 'failed' }
  ] as Partial<Job>[]) {
    const { cancel, model } = jobs(given);
    await reportCaptureFailure('j1', cut, model);
    expect(cancel).not.toHaveBeenCalled();
  }
  expect(Notification.manager.notifications).toEqual([]);
});

it('a capture that succeeded is no failure', () => {
  expect(refusalOf({ job: 'j1', state: 'queued', tag: 'clf:1' })).toBeNull();
  expect(refusalOf({ job: 'j1', state: 'cancelled' })).toBeNull();
});
