/** A choice among models, as a job leaves it. */
import type { Job, ModelSelection } from './generated';

/** The table of a finished job; null: its verb makes none, or it has not ended well. */
export function choiceOf(job: Job): ModelSelection | null {
  const isDone = job.verb === 'candidates' && job.state === 'done';
  return isDone ? (job.result as ModelSelection) : null;
}
