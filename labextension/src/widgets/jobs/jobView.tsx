import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Job } from '../../generated';
import type { JobActions } from '../../jobActions';
import { hasEnded } from '../../jobs';
import type { Progress } from '../../progress';
import { elapsed } from '../../progress';
import type { ProblemError } from '../../transport/request';
import { advice, sentence } from '../ui/field';
import { useNow } from '../ui/hooks';
import { JobEnd } from './jobEnd';
import { JobLog } from './jobLog';
import { JobRuns } from './jobRuns';
import { JobSteps } from './jobSteps';
import { LogIn } from './logIn';

export interface JobViewProps {
  job: Job;
  progress: Progress;
  /** The reason why the server sends no events; it is tried again. Null: it sends them. */
  away: ProblemError | null;
  actions: JobActions;
  trans: TranslationBundle;
}

/** One job: its progress and its outcome. */
export function JobView(props: JobViewProps): React.ReactElement {
  const { job, progress, away, actions, trans } = props;
  const now = useNow(1000, !hasEnded(job));
  return (
    <section className="nbdeploy-job" data-state={job.state} aria-label={job.title}>
      <header>
        <h3 title={job.title}>{job.title}</h3>
        <JobState job={job} trans={trans} />
        <time className="nbdeploy-number" aria-label={trans.__('Time so far')}>
          {elapsed(job, now)}
        </time>
      </header>
      {hasEnded(job) ? null : <Bar job={job} trans={trans} />}
      <p role="status" className="nbdeploy-help">
        {away === null || hasEnded(job) ? waitsFor(job, trans) : awayWords(away, trans)}
      </p>
      {away?.code === 'not_signed_in' && actions.logInUrl && !hasEnded(job) ? (
        <LogIn url={actions.logInUrl} trans={trans} />
      ) : null}
      <p role="status" className="nbdeploy-unseen">
        {nowDone(job, trans)}
      </p>
      <JobSteps job={job} steps={progress.steps} trans={trans} />
      <JobRuns runs={progress.runs} trans={trans} />
      <JobEnd job={job} actions={actions} trans={trans} />
      <JobLog lines={progress.log} trans={trans} />
      {hasEnded(job) ? null : (
        <Cancel
          job={job}
          finishes={progress.steps.at(-1)?.board !== undefined}
          actions={actions}
          trans={trans}
        />
      )}
    </section>
  );
}

/** The state in a word, with a coloured mark. */
export function JobState({
  job,
  trans
}: {
  job: Job;
  trans: TranslationBundle;
}): React.ReactElement {
  return (
    <span className="nbdeploy-pill" data-state={job.state}>
      {stateWords(job, trans)}
    </span>
  );
}

function stateWords(job: Job, trans: TranslationBundle): string {
  const words: Record<Job['state'], string> = {
    waiting: job.kernel === null ? trans.__('waiting for the kernel') : trans.__('capturing'),
    queued: trans.__('queued'),
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  };
  return words[job.state];
}

/** The reason why the job shows no news, and the remedy. */
function awayWords({ code, message, remedy }: ProblemError, trans: TranslationBundle): string {
  switch (code) {
    case 'unreachable':
      return trans.__('The server does not answer. Reconnecting. The job continues meanwhile.');
    case 'not_signed_in':
      return trans.__(
        'Your session on the Jupyter server has expired. Log in again in another tab: this page then continues. The job continues meanwhile.'
      );
    default:
      return `${sentence(message)} ${advice(remedy)} ${trans.__('The job continues meanwhile.')}`;
  }
}

/** The reason why the job waits; empty: it does not wait. */
function waitsFor(job: Job, trans: TranslationBundle): string {
  return job.state === 'waiting' && job.kernel === null
    ? trans.__('The kernel captures the model as soon as it is idle.')
    : '';
}

/** The progress for users who do not see the steps. */
function nowDone(job: Job, trans: TranslationBundle): string {
  if (hasEnded(job)) {
    return stateWords(job, trans);
  }
  return job.step ? trans.__('Step %1 of %2: %3', job.number, job.steps, job.step) : '';
}

function Bar({ job, trans }: { job: Job; trans: TranslationBundle }): React.ReactElement {
  const known = job.steps > 0;
  return (
    <progress
      className="nbdeploy-bar"
      aria-label={trans.__('Progress')}
      max={Math.max(1, job.steps)}
      {...(known ? { value: Math.max(0, job.number - 0.5) } : {})}
    />
  );
}

/** Asks for confirmation before it cancels a job. */
function Cancel({
  job,
  finishes,
  actions,
  trans
}: Pick<JobViewProps, 'job' | 'actions' | 'trans'> & {
  /** A search, which goes on with the best models until then. */
  finishes: boolean;
}): React.ReactElement {
  const [phase, setPhase] = React.useState<'no' | 'asks' | 'stops'>('no');
  const [error, setError] = React.useState('');
  const stop = React.useRef<HTMLButtonElement>(null);
  const open = React.useRef<HTMLButtonElement>(null);
  const asked = React.useRef(false);
  React.useEffect(() => {
    if (phase === 'asks') stop.current?.focus();
    if (phase === 'no' && asked.current) open.current?.focus();
    asked.current = phase === 'asks';
  }, [phase]);
  const cancel = async (): Promise<void> => {
    setPhase('stops');
    setError('');
    try {
      await actions.cancel(job);
      if (finishes) setPhase('no'); // from then on a cancel stops the job itself
    } catch (error) {
      setError(error instanceof Error ? error.message : String(error));
      setPhase('no');
    }
  };
  return (
    <div className="nbdeploy-cancel">
      {phase === 'asks' ? (
        <div
          role="group"
          className="nbdeploy-buttons"
          aria-label={finishes ? trans.__('End the search?') : trans.__('Stop this job?')}
        >
          <span>
            {finishes
              ? trans.__('End the search? The best models so far are trained and compared.')
              : trans.__('Stop this job? Incomplete results are removed.')}
          </span>
          <button
            type="button"
            ref={stop}
            className="jp-Button jp-mod-styled jp-mod-warn"
            onClick={() => void cancel()}
          >
            {finishes ? trans.__('End search') : trans.__('Stop job')}
          </button>
          <button
            type="button"
            className="jp-Button jp-mod-styled"
            onClick={() => {
              setPhase('no');
            }}
          >
            {finishes ? trans.__('Keep searching') : trans.__('Keep running')}
          </button>
        </div>
      ) : (
        <button
          type="button"
          ref={open}
          className="jp-Button jp-mod-styled"
          disabled={phase === 'stops'}
          onClick={() => {
            setPhase('asks');
          }}
        >
          {phase === 'stops'
            ? trans.__('Stopping…')
            : finishes
              ? trans.__('End the search…')
              : trans.__('Cancel…')}
        </button>
      )}
      <p role="status" className="nbdeploy-problems">
        {error}
      </p>
    </div>
  );
}
