/** The view of a choice among models in an element of JupyterLab, such as a notebook's output. */
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import type { CandidatesView } from '../../generated';
import type { JobActions } from '../../jobActions';
import { keepKeys } from '../../panel/keys';
import type { Lab } from '../endpoint/deployments';
import { makeServices } from '../endpoint/makeServices';
import { JobPanel } from '../jobs/jobPanel';
import { ServicesProvider } from '../ui/services';
import { Candidates } from './candidates';

/** Returns the function that removes it. */
export function drawCandidates(
  host: HTMLElement,
  given: CandidatesView,
  lab: Lab & { readonly jobActions: JobActions }
): () => void {
  const { jobs, trans } = lab.nbdeploy;
  const services = makeServices(lab);
  const root = createRoot(host);
  host.className = 'nbd-Tab nbd-CandidatesHost';
  keepKeys(host);
  root.render(
    <ServicesProvider value={services}>
      <Candidates
        given={given}
        start={async request => {
          const started = await jobs.start('deploy', request);
          if (!('job' in started)) throw new Error('the verb deploy has no job');
          return started.job.id;
        }}
        renderJob={(id, own) => (
          <JobPanel
            key={id}
            id={id}
            jobs={jobs}
            actions={{ ...lab.jobActions, ...own }}
            trans={trans}
          />
        )}
      />
    </ServicesProvider>
  );
  return () => {
    root.unmount();
    services.dispose();
    host.remove();
  };
}
