/** A choice among models, as a job leaves it. */
import type { Job, ModelSearchResult, ModelSelection } from './generated';

/** The table of a finished job; null: its verb makes none, or it has not ended well. */
export function choiceOf(job: Job): ModelSelection | null {
  if (job.state !== 'done') return null;
  if (job.verb === 'automl') return (job.result as ModelSearchResult).table;
  return job.verb === 'candidates' ? (job.result as ModelSelection) : null;
}
