import { Notification } from '@jupyterlab/apputils';

import type { Problem } from '../generated';
import type { JobsModel } from '../jobs';
import { ProblemError, toProblemError } from '../transport/request';
import type { CaptureResult } from './kernel';

/**
 * Ends a job whose capture did not begin: the kernel was unavailable or refused. No other kernel
 * will capture for it, so the job ends here, with the reason. After the capture has begun, the job
 * itself reports its outcome, also of a kernel that ends; closing the notebook only ends the
 * connection to the kernel.
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
    // The server supervises a kernel that has the message; only this connection to it may be
    // broken.
    if (job.asked !== null && toProblemError(error).code === 'kernel_restarted') return;
    await jobs.cancel(id);
    const { message, remedy } = toProblemError(error);
    const words = remedy ? `${message} – ${remedy}` : message;
    Notification.error(`${job.title}: ${words}`, { autoClose: false });
  } catch (unreachable) {
    console.warn('nbdeploy: the job could not be cancelled', unreachable);
  }
}

/** The reason why the kernel captured nothing; null: it captured, or the job reports the reason. */
export function refusalOf({ state, problem }: CaptureResult): ProblemError | null {
  return state === 'failed' && problem ? new ProblemError(problem as Problem) : null;
}
