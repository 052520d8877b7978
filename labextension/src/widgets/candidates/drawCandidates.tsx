/** The view of a choice among models in an element of JupyterLab, such as a notebook's output. */
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import type { CandidatesView } from '../../generated';
import type { JobActions } from '../../jobActions';
import { keepKeys } from '../../panel/keys';
import type { Lab } from '../endpoint/deployments';
import { makeServices } from '../endpoint/makeServices';
import { deploysInPlace } from '../jobs/jobPanel';
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
      <Candidates given={given} {...deploysInPlace({ jobs, actions: lab.jobActions, trans })} />
    </ServicesProvider>
  );
  return () => {
    root.unmount();
    services.dispose();
    host.remove();
  };
}
