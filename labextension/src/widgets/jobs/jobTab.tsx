import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { JobActions } from '../../jobActions';
import type { Lab } from '../endpoint/deployments';
import { makeServices } from '../endpoint/makeServices';
import { ServicesProvider } from '../ui/services';
import { JobPanel } from './jobPanel';

/** A job in a tab of its own. */
export function createJobTab(id: string, lab: Lab & { jobActions: JobActions }): ReactWidget {
  const { jobs, trans } = lab.nbdeploy;
  const services = makeServices(lab);
  const widget = ReactWidget.create(
    <ServicesProvider value={services}>
      <JobPanel id={id} jobs={jobs} actions={lab.jobActions} trans={trans} />
    </ServicesProvider>
  );
  widget.addClass('nbdeploy-JobTab');
  widget.disposed.connect(() => {
    services.dispose();
  });
  return widget;
}
