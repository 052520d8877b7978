/** Opens the form of a comparison for a notebook, then shows its job. */
import { SessionContextDialogs } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import * as React from 'react';

import { CommandIDs } from '../../commands';
import { NotebookWorld } from '../../deploy/deployWorld';
import { insertCell, replaceKernel } from '../deploy/openDeploy';
import { FormDialog } from '../ui/formDialog';
import type { VerbOptions } from '../verbs/openVerb';
import { CompareForm, type CompareWorld } from './compareForm';

export async function openCompare(options: VerbOptions, panel: NotebookPanel): Promise<void> {
  const { app, nbdeploy } = options;
  const { trans, jobs, deployments } = nbdeploy;
  const notebook = new NotebookWorld(panel, nbdeploy);
  const insert = (source: string): void => {
    dialog.reject(); // before the cell takes the focus
    insertCell(app, panel, source);
  };
  const world: CompareWorld = {
    kernel: notebook.kernel,
    kernelChanged: notebook.kernelChanged,
    canAnswer: notebook.canAnswer,
    report: notebook.report,
    check: notebook.checkCandidates,
    compare: async request => {
      const file = await notebook.saved();
      const models = [file, ...(request.models ?? [])];
      const started = await jobs.start('candidates', { ...request, models });
      if (!('job' in started)) throw new Error('the verb candidates has no job');
      await app.commands.execute(CommandIDs.openJob, { job: started.job.id });
    },
    insert
  };
  await deployments.refresh().catch(() => undefined); // its names are suggestions
  const dialog = new FormDialog(trans.__('Compare candidates of %1', panel.context.path), close => (
    <div className="nbdeploy-body" tabIndex={-1}>
      <CompareForm
        world={world}
        endpoints={deployments.endpoints.map(row => row.name)}
        kernelActions={{
          restart: () => void replaceKernel(panel.sessionContext),
          choose: () => {
            close(); // one dialog after another
            void new SessionContextDialogs({})
              .selectKernel(panel.sessionContext)
              .then(async () => openCompare(options, panel));
          },
          insert
        }}
        close={close}
        trans={trans}
      />
    </div>
  ));
  try {
    await dialog.launch();
  } finally {
    notebook.dispose();
  }
}
