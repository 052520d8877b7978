import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { JobActions } from '../../jobActions';
import type { JobsModel } from '../../jobs';
import { noProgress, withEvent } from '../../progress';
import { toProblemError } from '../../transport/request';
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
  return <JobView job={job} progress={progress} away={away} actions={actions} trans={trans} />;
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
