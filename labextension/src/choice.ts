/** A choice among models, as a job leaves it. */
import type { Job, ModelSelection, ModelSearchResult } from './generated';

/** The table of a finished job; null: its verb makes none, or it has not ended well. */
export function choiceOf(job: Job): ModelSelection | null {
  if (job.state !== 'done') return null;
  if (job.verb === 'candidates') return job.result as ModelSelection;
  return job.verb === 'automl' ? (job.result as ModelSearchResult).table : null;
}
