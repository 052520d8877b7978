import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import { IFrame } from '@jupyterlab/ui-components';

import type { INbdeploy } from './transport/tokens';

/** The page of a release's validation, or of the one that refused a job. */
export type ReportOf = { tag: string } | { job: string };

/**
 * Opens it in a tab. It contains output of notebooks: scripts do not run, and only its notebooks
 * can be downloaded.
 */
export function openReport(
  app: JupyterFrontEnd,
  { transport }: INbdeploy,
  of: ReportOf,
  title: string
): void {
  const id = `nbdeploy-report-${'job' in of ? of.job : of.tag}`;
  const known = [...app.shell.widgets('main')].find(widget => widget.id === id);
  if (known) {
    app.shell.activateById(id);
    return;
  }
  const frame = new IFrame({
    sandbox: ['allow-downloads', 'allow-popups'],
    referrerPolicy: 'no-referrer'
  });
  frame.url =
    'job' in of
      ? transport.address('reports', { job: of.job })
      : transport.address(`reports/${of.tag.split(':').map(encodeURIComponent).join('/')}`);
  const tab = new MainAreaWidget({ content: frame });
  tab.id = id;
  tab.title.label = title;
  tab.title.closable = true;
  app.shell.add(tab, 'main');
  app.shell.activateById(id);
}
