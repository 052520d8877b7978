/** The services of JupyterLab and the server, as the sidebar's widgets use them. */
import { PageConfig, PathExt } from '@jupyterlab/coreutils';
import { NotebookActions } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';

import { copyText } from '../../clipboard';
import { CommandIDs, commandOf } from '../../commands';
import { EndpointModels } from '../../endpoints';
import { labRenderer } from '../../labRenderer';
import { linkTo } from '../../links';
import { openNotebook } from '../../openNotebook';
import { withinServer } from '../../paths';
import { openReport } from '../../report';
import { widgetRequests } from '../../transport/widgetRequests';
import type { Services } from '../ui/services';
import type { Lab } from './deployments';

/** The services of one view, until it is disposed. */
export function makeServices({
  app,
  nbdeploy,
  notebooks,
  rendermime
}: Lab): Services & IDisposable {
  const { trans, jobs, transport } = nbdeploy;
  if (rendermime === null) throw new Error('JupyterLab has no renderer of results');

  const { view, call, job, fields, endpointModel } = widgetRequests(transport, jobs);
  const models = new EndpointModels(nbdeploy.stream, name => endpointModel(name));

  return {
    trans,
    renderer: labRenderer(rendermime),
    view,
    call,
    job,
    fields,
    endpoint: name => models.get(name),
    deploy: () => void app.commands.execute(CommandIDs.deploy),
    compare: () => void app.commands.execute(commandOf('candidates')),
    findModel: () => void app.commands.execute(commandOf('automl')),
    publish: (name, release) => void app.commands.execute(commandOf('publish'), { name, release }),
    runVerb: ({ verb, words }) => void app.commands.execute(commandOf(verb), { words: [...words] }),
    openTab: (name, section) => void app.commands.execute(CommandIDs.openTab, { name, section }),
    linkTo: (name, section) =>
      linkTo(new URL(`${PageConfig.getBaseUrl()}lab`, location.href).href, name, section),
    openReport: (of, title) => {
      openReport(app, nbdeploy, of, title);
    },
    openNotebook: async path => openNotebook(app, path),
    fetchFile: async path => {
      const within = withinServer(path, PageConfig.getOption('serverRoot'));
      if (within === null) return;
      if (within.endsWith('.ipynb')) {
        await app.commands.execute('docmanager:open', { path: within });
        return;
      }
      const link = document.createElement('a');
      link.href = await app.serviceManager.contents.getDownloadUrl(within);
      link.download = PathExt.basename(within);
      link.click();
    },
    insertCell: source => {
      const notebook = notebooks?.currentWidget?.content;
      if (!notebook?.model) return false;
      NotebookActions.insertBelow(notebook);
      notebook.activeCell?.model.sharedModel.setSource(source);
      void NotebookActions.focusActiveCell(notebook);
      return true;
    },
    copy: copyText,
    say,
    get isDisposed() {
      return models.isDisposed;
    },
    dispose: () => {
      models.dispose();
    }
  };
}

/** Announces a text to screen readers: one live region for the page. */
function say(words: string): void {
  let region = document.getElementById('nbdeploy-announcement');
  if (!region) {
    region = document.createElement('div');
    region.id = 'nbdeploy-announcement';
    region.className = 'nbd-unseen';
    region.setAttribute('role', 'status');
    region.setAttribute('aria-live', 'polite');
    document.body.append(region);
  }
  region.textContent = words;
}
