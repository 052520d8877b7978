import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { choiceOf } from '../../choice';
import type { DeployRequest } from '../../generated';
import type { JobActions } from '../../jobActions';
import type { JobsModel } from '../../jobs';
import { noProgress, withEvent } from '../../progress';
import { toProblemError } from '../../transport/request';
import type { CandidatesProps } from '../candidates/candidates';
import { ChosenAmong } from '../candidates/chosenAmong';
import { useSignal } from '../ui/hooks';
import { JobView } from './jobView';

/** A connection that just began, or broke for a moment, does not count as lost. */
const LOST_MS = 2000;

export interface JobPanelProps {
  id: string;
  jobs: JobsModel;
  actions: JobActions;
  trans: TranslationBundle;
}

/** A job as the model knows it; all its events are loaded, also after a reload of the page. */
export function JobPanel({ id, jobs, actions, trans }: JobPanelProps): React.ReactElement {
  const job = useSignal(jobs.changed, () => jobs.get(id));
  const events = useSignal(jobs.changed, () => jobs.events(id));
  const problem = useSignal(jobs.changed, () => jobs.problem);
  const isLost = useLasting(problem !== null, LOST_MS);
  const [gone, setGone] = React.useState('');
  const progress = React.useMemo(() => events.reduce(withEvent, noProgress), [events]);
  React.useEffect(() => {
    let isShown = true;
    jobs.load(id).catch((error: unknown) => {
      const problem = toProblemError(error);
      if (isShown && problem.status === 404) setGone(problem.message);
    });
    return () => {
      isShown = false;
    };
  }, [id, jobs]);
  if (!job) {
    return (
      <p role="status" className="nbdeploy-help">
        {gone || trans.__('Loading the job…')}
      </p>
    );
  }
  const away = isLost ? problem : null;
  const choice = choiceOf(job);
  return (
    <>
      <JobView job={job} progress={progress} away={away} actions={actions} trans={trans} />
      {choice && (
        <div className="nbd-Tab nbd-CandidatesHost">
          <ChosenAmong table={choice} {...deploysInPlace({ jobs, actions, trans })} />
        </div>
      )}
    </>
  );
}

/** How a row of a choice is deployed: its job is shown below the table. */
export function deploysInPlace(
  props: Omit<JobPanelProps, 'id'>
): Pick<CandidatesProps, 'start' | 'renderJob'> {
  const { jobs, actions, trans } = props;
  return {
    start: async (request: DeployRequest) => {
      const started = await jobs.start('deploy', request);
      if (!('job' in started)) throw new Error('the verb deploy has no job');
      return started.job.id;
    },
    renderJob: (id, own) => (
      <JobPanel key={id} id={id} jobs={jobs} actions={{ ...actions, ...own }} trans={trans} />
    )
  };
}

/** Whether a condition has been true for a while. */
function useLasting(isSo: boolean, milliseconds: number): boolean {
  const [lasts, setLasts] = React.useState(false);
  React.useEffect(() => {
    if (!isSo) {
      return undefined;
    }
    const timer = setTimeout(() => {
      setLasts(true);
    }, milliseconds);
    return () => {
      clearTimeout(timer);
      setLasts(false);
    };
  }, [isSo, milliseconds]);
  return isSo && lasts;
}
