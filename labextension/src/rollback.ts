/** The revisions that a rollback offers. */
import type { EndpointView, RevisionRow } from './generated';

export interface RollbackChoice extends RevisionRow {
  /** The revision of a rollback that names none. */
  readonly isDefault: boolean;
}

const MOST = 5;

/**
 * The latest revision of each earlier state, newest first. The default and the chosen revision are
 * always among them.
 */
export function rollbackChoices(view: EndpointView, chosen: number | null): RollbackChoice[] {
  const current = view.history.find(row => row.revision === view.revision);
  const seen = new Set(view.running && current ? [current.state] : []);
  const choices: RollbackChoice[] = [];
  for (const row of view.history) {
    if (row.revision === view.revision) continue;
    const isDefault = row.revision === view.previous;
    const fresh = !seen.has(row.state) && choices.length < MOST;
    if (!isDefault && row.revision !== chosen && !fresh) continue;
    seen.add(row.state);
    choices.push({ ...row, isDefault });
  }
  return choices;
}
