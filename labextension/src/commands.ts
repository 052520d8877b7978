import type { Verb } from './generated';
import type { Section } from './model';

/** The id of a verb's command. */
export function commandOf(verb: Verb): string {
  return `nbdeploy:${verb}`;
}

export namespace CommandIDs {
  /** Opens the dialog for the current notebook. */
  export const deploy = 'nbdeploy:deploy';
  /** Shows a job in a tab: `{ job: id }`. */
  export const openJob = 'nbdeploy:open-job';
  /** Shows the sidebar: `{ name?, section? }`. */
  export const open = 'nbdeploy:open';
  /** Shows an endpoint in a tab of the main area: `{ name, section? }`. */
  export const openTab = 'nbdeploy:open-tab';
}

/**
 * The verbs that the sidebar shows, each with its section of an endpoint; null: the list. Other
 * verbs open a form.
 */
export const SIDEBAR_SECTIONS: Partial<Record<Verb, Section | null>> = {
  list: null,
  describe: 'releases',
  traffic: 'releases',
  promote: 'releases',
  rollback: 'history',
  history: 'history',
  compare: 'comparison',
  drift: 'monitor',
  logs: 'records',
  predict: 'try'
};
