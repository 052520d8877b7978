import type { TranslationBundle } from '@jupyterlab/translation';
import { caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Job, Verb } from '../../generated';
import type { JobActions } from '../../jobActions';
import type { JobsModel } from '../../jobs';
import { toProblemError } from '../../transport/request';
import { ago } from '../../words';
import { useNow, useSignal } from '../ui/hooks';
import { JobPanel } from './jobPanel';
import { JobState } from './jobView';

/** The verbs whose results the endpoint's history lists, and the dry run of these. */
const IN_HISTORY: readonly Verb[] = ['traffic', 'promote', 'rollback', 'stop', 'apply', 'plan'];
const SEEN_MS = 60_000;

export interface JobListProps {
  jobs: JobsModel;
  actions: JobActions;
  trans: TranslationBundle;
  /** A job to open, such as the one that just began; null: none. */
  opened?: string | null;
  open?: (id: string | null) => void;
}

/**
 * The jobs, newest first; each opens in place. Jobs that the history lists disappear after a
 * minute.
 */
export function JobList({ jobs, actions, trans, opened, open }: JobListProps): React.ReactElement {
  const all = useSignal(jobs.changed, () => jobs.all);
  const [own, setOwn] = React.useState<string | null>(null);
  const [problem, setProblem] = React.useState('');
  const shown = opened === undefined ? own : opened;
  const show = open ?? setOwn;
  const now = useNow();
  const listed = all.filter(job => job.id === shown || !isOver(job, now));
  React.useEffect(() => {
    jobs.refresh().catch((error: unknown) => {
      setProblem(toProblemError(error).message);
    });
  }, [jobs]);
  if (!listed.length) {
    return (
      <p className="nbdeploy-help" role="status">
        {problem ||
          (all.length
            ? trans.__('No job is running. The history of an endpoint lists its changes.')
            : trans.__(
                'No jobs yet. Slow operations, such as a deploy or a validation, are listed here.'
              ))}
      </p>
    );
  }
  return (
    <ul className="nbdeploy-jobs">
      {listed.map(job => (
        <JobRow
          key={job.id}
          job={job}
          isOpen={job.id === shown}
          toggle={() => {
            show(job.id === shown ? null : job.id);
          }}
          trans={trans}
        >
          <JobPanel id={job.id} jobs={jobs} actions={actions} trans={trans} />
        </JobRow>
      ))}
    </ul>
  );
}

function isOver(job: Job, now: number): boolean {
  return (
    job.state === 'done' &&
    (IN_HISTORY as readonly string[]).includes(job.verb) &&
    now - Date.parse(job.ended_at ?? job.created_at) > SEEN_MS
  );
}

function JobRow(props: {
  job: Job;
  isOpen: boolean;
  toggle: () => void;
  trans: TranslationBundle;
  children: React.ReactNode;
}): React.ReactElement {
  const { job, isOpen, toggle, trans, children } = props;
  const id = React.useId();
  const now = useNow();
  return (
    <li data-open={isOpen}>
      <button type="button" aria-expanded={isOpen} aria-controls={id} onClick={toggle}>
        <caretRightIcon.react tag="span" className="nbdeploy-caret" elementSize="normal" />
        <span className="nbdeploy-title" title={job.title}>
          {job.title}
        </span>
        <JobState job={job} trans={trans} />
        <span className="nbdeploy-faint">{ago(trans, job.created_at, now)}</span>
      </button>
      <div id={id} hidden={!isOpen}>
        {isOpen ? children : null}
      </div>
    </li>
  );
}
