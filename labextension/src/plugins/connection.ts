import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { JobsModel } from '../jobs';
import { DeploymentsModel, type Section } from '../model';
import { RestTransport } from '../transport/restTransport';
import { EventStream } from '../transport/stream';
import { DOMAIN, INbdeploy } from '../transport/tokens';

const ACTIVE_JOBS = 'nbdeploy:active-jobs';
const OPENED = 'nbdeploy:opened';

/**
 * The one connection to the server. After a reload it opens at once only if a job went on before.
 */
export const connection: JupyterFrontEndPlugin<INbdeploy> = {
  id: 'nbdeploy:connection',
  description: 'The endpoints, jobs and events of nbdeploy.',
  autoStart: true,
  provides: INbdeploy,
  optional: [ITranslator, IStateDB],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null, state: IStateDB | null) => {
    const transport = new RestTransport(app.serviceManager.serverSettings);
    const stream = new EventStream(transport);
    const jobs = new JobsModel(stream, transport);
    const nbdeploy: INbdeploy = {
      stream,
      jobs,
      deployments: new DeploymentsModel(stream, transport),
      transport,
      trans: (translator ?? nullTranslator).load(DOMAIN)
    };
    if (state) {
      void resume(nbdeploy, state, app.restored);
      void reopen(nbdeploy, state);
    }
    return nbdeploy;
  }
};

async function resume({ jobs, stream }: INbdeploy, state: IStateDB, restored: Promise<unknown>) {
  let saved = '';
  jobs.changed.connect(() => {
    const ids = jobs.active.map(job => job.id);
    if (ids.join() !== saved) {
      saved = ids.join();
      void state.save(ACTIVE_JOBS, ids);
    }
  });
  await restored;
  const ids = await state.fetch(ACTIVE_JOBS);
  if (Array.isArray(ids) && ids.length > 0) {
    stream.start();
  }
}

/**
 * After a reload the sidebar shows the same endpoint and section as before, unless the user has
 * opened another one.
 */
async function reopen({ deployments }: INbdeploy, state: IStateDB) {
  const saved = (await state.fetch(OPENED)) as { name?: unknown; section?: Section } | undefined;
  if (deployments.opened === null && typeof saved?.name === 'string') {
    deployments.restore(saved.name, saved.section);
  }
  const shown = (): string => `${deployments.opened ?? ''} ${deployments.section}`;
  let known = shown();
  deployments.changed.connect(() => {
    if (shown() === known) return;
    known = shown();
    void state.save(OPENED, { name: deployments.opened, section: deployments.section });
  });
}
