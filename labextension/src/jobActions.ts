import { Token } from '@lumino/coreutils';

import type { Job, ResultPageView } from './generated';
import type { Section } from './model';
import type { NamedCommand } from './namedCommands';
import type { Renderer } from './renderer';

/** The actions of JupyterLab that the widgets of a job use. */
export interface JobActions {
  /** Shows the endpoint in the sidebar. */
  openEndpoint: (name: string, section?: Section) => void;
  /** Opens the page of the validation that refused the job, or that its release passed. */
  openReport: (job: Job) => void;
  /** Shows the cell of a finding; undefined: the job's notebook is not open. */
  cellOpener: (job: Job) => ((count: number) => void) | undefined;
  /** Inserts a cell at the end of the job's notebook; undefined: it is not open. */
  cellInserter: (job: Job) => ((source: string) => void) | undefined;
  /** Opens the dialog, or the form, with the same fields, and these checks waived. */
  tryAgain: (job: Job, waive?: readonly string[]) => void;
  /** Opens the view or the form of a command that a message names. */
  runVerb: (command: Pick<NamedCommand, 'verb' | 'words'>) => void;
  /** Shows the container images of this machine; undefined: the host has no place for them. */
  listImages?: () => void;
  /** Repeats the request although gates do not hold. */
  force: (job: Job, reason: string) => Promise<Job>;
  cancel: (job: Job) => Promise<void>;
  /** Opens a notebook that a job wrote; undefined: the host opens none. */
  openNotebook?: (path: string) => void;
  /** The result page of a finished job, the same on every face; `candidates`: with its table of candidates. */
  resultPage: (job: Job, candidates: boolean, signal: AbortSignal) => Promise<ResultPageView>;
  renderer: Renderer;
  /** The page to log in; empty: the host has none. */
  logInUrl: string;
  /** Shows another job instead of this one. */
  show: (id: string) => void;
}

export const IJobActions = new Token<JobActions>(
  'nbdeploy:IJobActions',
  'What can be done about a job of nbdeploy.'
);
