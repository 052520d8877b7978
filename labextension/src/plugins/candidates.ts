import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { CANDIDATES, CandidatesOutput } from '../candidatesOutput';
import { IJobActions, type JobActions } from '../jobActions';
import { INbdeploy } from '../transport/tokens';

/** Before HTML, which the output has for other front ends. */
const RANK = 10;

/** Shows the tables of `jupyter_deploy.candidates` and `%deploy_candidates` in notebooks' outputs. */
export const candidates: JupyterFrontEndPlugin<void> = {
  id: 'nbdeploy:candidates',
  description: 'The table of a choice among models, in the output of its cell.',
  autoStart: true,
  requires: [INbdeploy, IRenderMimeRegistry, IJobActions],
  optional: [INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    nbdeploy: INbdeploy,
    rendermime: IRenderMimeRegistry,
    jobActions: JobActions,
    notebooks: INotebookTracker | null
  ) => {
    const lab = { app, nbdeploy, notebooks, rendermime, jobActions };
    rendermime.addFactory(
      {
        safe: false, // a notebook that is not trusted has no button that deploys
        mimeTypes: [CANDIDATES],
        createRenderer: () =>
          new CandidatesOutput(async (host, given) => {
            const { drawCandidates } = await import('../widgets/candidates/drawCandidates');
            return drawCandidates(host, given, lab);
          })
      },
      RANK
    );
  }
};
