/** The services of JupyterLab and the server, as the sidebar's widgets use them. */
import { PageConfig } from '@jupyterlab/coreutils';
import { NotebookActions } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';

import { copyText } from '../../clipboard';
import { CommandIDs, commandOf } from '../../commands';
import { EndpointModel } from '../../endpoint';
import { EndpointModels } from '../../endpoints';
import { exact } from '../../exact';
import type { EndpointView, Job, Preview, Verb } from '../../generated';
import { withinServer } from '../../paths';
import { openReport } from '../../report';
import { requestAPI } from '../../request';
import type { INbdeploy } from '../../tokens';
import type { Services } from '../ui/services';
import type { Lab } from './deployments';

type RequestBody = Readonly<Record<string, unknown>>;

/** The services of one view, until it is disposed. */
export function makeServices({
  app,
  nbdeploy,
  notebooks,
  rendermime
}: Lab): Services & IDisposable {
  const { trans, jobs, transport } = nbdeploy;
  if (rendermime === null) throw new Error('JupyterLab has no renderer of results');

  const view = async <T>(name: string, request: RequestBody, signal?: AbortSignal): Promise<T> => {
    const json = name === 'form' ? { json: exact } : {}; // it contains users' data as values, the others as texts
    const options = { method: 'POST' as const, body: request, ...json, ...(signal && { signal }) };
    return (await requestAPI<T>(transport, `views/${name}`, options)).value;
  };
  const run = async (verb: Verb, request: RequestBody, revision?: number): Promise<Job> => {
    const started = await jobs.start(verb, request, revision);
    if (!('job' in started)) throw new Error(`the verb ${verb} has no job`);
    return started.job;
  };

  const models = new EndpointModels(nbdeploy.stream, name =>
    endpointModel(nbdeploy, name, view, run)
  );

  return {
    trans,
    rendermime,
    view,
    call: async <T>(verb: string, request: RequestBody, signal?: AbortSignal) => {
      const options = {
        method: 'POST' as const,
        body: request,
        json: exact,
        ...(signal && { signal })
      };
      return (await requestAPI<T>(transport, verb, options)).value;
    },
    job: async (verb, request) => jobs.ended((await run(verb as Verb, request)).id),
    endpoint: name => models.get(name),
    deploy: () => void app.commands.execute(CommandIDs.deploy),
    publish: (name, release) => void app.commands.execute(commandOf('publish'), { name, release }),
    openTab: (name, section) => void app.commands.execute(CommandIDs.openTab, { name, section }),
    openReport: (of, title) => {
      openReport(app, nbdeploy, of, title);
    },
    openNotebook: async path => {
      const within = withinServer(path, PageConfig.getOption('serverRoot'));
      if (within === null) return false;
      try {
        await app.serviceManager.contents.get(within, { content: false });
      } catch {
        return false;
      }
      await app.commands.execute('docmanager:open', { path: within });
      return true;
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

function endpointModel(
  { jobs }: INbdeploy,
  name: string,
  view: Services['view'],
  run: (verb: Verb, request: RequestBody, revision?: number) => Promise<Job>
): EndpointModel {
  return new EndpointModel(name, async () => view<EndpointView>('endpoint', { name }), {
    preview: async (verb, fields, revision) =>
      view<Preview>('preview', { name, verb, given: fields, if_revision: revision }),
    run: async (verb, fields, revision, step) => {
      const job = await run(verb, { name, ...fields }, revision);
      const onJob = (_: unknown, changed: Job): void => {
        if (changed.id === job.id && changed.step) step(changed.step);
      };
      jobs.changed.connect(onJob);
      try {
        return await jobs.ended(job.id);
      } finally {
        jobs.changed.disconnect(onJob);
      }
    }
  });
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
