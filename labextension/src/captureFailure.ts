import { Notification } from '@jupyterlab/apputils';

import type { Problem } from './generated';
import type { JobsModel } from './jobs';
import type { CaptureResult } from './kernel';
import { ProblemError, toProblemError } from './request';

/**
 * The kernel was away, or refused, before it began to capture: no other will, so the job is not
 * left to wait, and why is said here. Once it has begun the job tells what comes of it, also of a
 * kernel that goes; a notebook that is closed only ends the connection to it.
 */
export async function reportCaptureFailure(
  id: string,
  error: unknown,
  jobs: JobsModel
): Promise<void> {
  console.warn('nbdeploy: the kernel did not capture', error);
  try {
    const job = await jobs.load(id);
    if (job.state !== 'waiting' || job.kernel !== null) return;
    // A kernel that was asked is looked after by the server: it may only be cut off from here.
    if (job.asked !== null && toProblemError(error).code === 'kernel_restarted') return;
    await jobs.cancel(id);
    const { message, remedy } = toProblemError(error);
    const words = remedy ? `${message} – ${remedy}` : message;
    Notification.error(`${job.title}: ${words}`, { autoClose: false });
  } catch (unreachable) {
    console.warn('nbdeploy: the job could not be cancelled', unreachable);
  }
}

/** Why the kernel captured nothing; null: it did, or is told by the job. */
export function refusalOf({ state, problem }: CaptureResult): ProblemError | null {
  return state === 'failed' && problem ? new ProblemError(problem as Problem) : null;
}
