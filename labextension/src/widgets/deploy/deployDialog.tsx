import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { DeployModel } from '../../deploy/deployModel';
import type { JobActions } from '../../jobActions';
import { hasEnded, type JobsModel } from '../../jobs';
import { JobPanel } from '../jobs/jobPanel';
import { FormDialog } from '../ui/formDialog';
import { useSignal } from '../ui/hooks';
import { DeployForm } from './deployForm';
import type { KernelActions } from './kernelNotice';

export interface DeployDialogOptions {
  model: DeployModel;
  /** The notebook's name. */
  notebook: string;
  jobs: JobsModel;
  /** A notice about the notebook before the deploy. */
  notes: () => readonly string[];
  kernelActions: KernelActions;
  jobActions: JobActions;
  openCell: (count: number) => void;
  /** The dialog shows a job instead of the form or another job. */
  shows: (id: string) => void;
  trans: TranslationBundle;
}

/** The form, then its job. */
export class DeployDialog extends FormDialog {
  constructor(options: DeployDialogOptions) {
    super(options.trans.__('Deploy a model of %1', options.notebook), close => (
      <DeployBody {...options} close={close} />
    ));
  }
}

function DeployBody(props: DeployDialogOptions & { close: () => void }): React.ReactElement {
  const { model, jobs, notes, kernelActions, jobActions, openCell, shows, close, trans } = props;
  const [job, setJob] = React.useState<string | null>(null);
  const body = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    if (job) body.current?.focus();
  }, [job]);
  const show = (id: string): void => {
    setJob(id);
    shows(id);
  };
  return (
    <div ref={body} className="nbdeploy-body" tabIndex={-1}>
      {job ? (
        <>
          <div className="nbdeploy-fields">
            <JobPanel id={job} jobs={jobs} actions={{ ...jobActions, show }} trans={trans} />
          </div>
          <Foot id={job} jobs={jobs} close={close} trans={trans} />
        </>
      ) : (
        <DeployForm
          model={model}
          notes={notes()}
          kernelActions={kernelActions}
          openCell={openCell}
          onStarted={one => {
            show(one.id);
          }}
          close={close}
          trans={trans}
        />
      )}
    </div>
  );
}

function Foot({
  id,
  jobs,
  close,
  trans
}: Pick<DeployDialogOptions, 'jobs' | 'trans'> & {
  id: string;
  close: () => void;
}): React.ReactElement {
  const job = useSignal(jobs.changed, () => jobs.get(id));
  return (
    <footer>
      <p className="nbdeploy-why nbdeploy-help">
        {job && hasEnded(job)
          ? ''
          : trans.__('You can close this dialog: the job continues, and the sidebar lists it.')}
      </p>
      <button type="button" className="jp-Button jp-mod-styled" onClick={close}>
        {trans.__('Close')}
      </button>
    </footer>
  );
}
