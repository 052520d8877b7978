/** The jobs, below the list of endpoints: closed until the user opens them or one goes on. */
import * as React from 'react';

import type { JobActions } from '../../jobActions';
import type { JobsModel } from '../../jobs';
import { useSignal } from '../ui/hooks';
import { useServices } from '../ui/services';
import { JobList } from './jobList';

export function Jobs(props: { jobs: JobsModel; actions: JobActions }): React.JSX.Element {
  const { jobs, actions } = props;
  const { trans } = useServices();
  const [open, setOpen] = React.useState<boolean | null>(null);
  const active = useSignal(jobs.changed, () => jobs.active.length);
  return (
    <details
      className="nbd-Jobs"
      open={open ?? active > 0}
      onToggle={event => {
        setOpen(event.currentTarget.open);
      }}
    >
      <summary>
        <h3>{trans.__('Jobs')}</h3>
        {active > 0 && (
          <span className="nbd-faint">{trans._n('%1 running', '%1 running', active)}</span>
        )}
      </summary>
      <JobList jobs={jobs} actions={actions} trans={trans} />
    </details>
  );
}
