import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, showErrorMessage } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { type IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import type { Contents } from '@jupyterlab/services';
import { Panel } from '@lumino/widgets';
import * as React from 'react';

import { CommandIDs, SIDEBAR_SECTIONS } from '../../commands';
import { type ResultPageView, type Verb, VERBS } from '../../generated';
import { deployIcon } from '../../icons';
import { textsOfWords } from '../../namedCommands';
import { requestAPI, toProblemError } from '../../transport/request';
import type { INbdeploy } from '../../transport/tokens';
import { again, type Texts, type VerbField } from '../../verbFields';
import {
  agreeToSettings,
  checkOf,
  EMPTY_START,
  fieldsOfVerb,
  type FormStart,
  publishDefaults
} from '../../verbRequests';
import { FormDialog } from '../ui/formDialog';
import { VerbForm } from './verbForm';

export interface VerbOptions {
  app: JupyterFrontEnd;
  nbdeploy: INbdeploy;
  rendermime: IRenderMimeRegistry | null;
  panel: NotebookPanel | null;
  /** The verb's label. */
  label: string;
}

/** Opens the form of a former request, to change and send it again. */
export async function openAgain(
  options: VerbOptions,
  verb: Verb,
  request: Readonly<Record<string, unknown>>
): Promise<void> {
  const { texts, kept } = again(request);
  await openVerb(options, verb, texts, [], kept);
}

/**
 * Opens a verb's form, then shows its job, its section of the sidebar, or its result. `words`: of a
 * command that a message names. `kept`: values of the request that have no control.
 */
export async function openVerb(
  options: VerbOptions,
  verb: Verb,
  given: Texts,
  words: readonly string[] = [],
  kept: Readonly<Record<string, unknown>> = {}
): Promise<void> {
  const { nbdeploy, label } = options;
  const { trans, deployments } = nbdeploy;
  let fields: readonly VerbField[];
  try {
    [fields] = await Promise.all([fieldsOfVerb(nbdeploy.transport, verb), deployments.refresh()]);
  } catch (error) {
    const problem = toProblemError(error);
    await showErrorMessage(label, `${problem.message} ${problem.remedy}`);
    return;
  }
  const inSidebar = SIDEBAR_SECTIONS[verb] !== undefined && words.length === 0;
  // A verb of the sidebar needs only the endpoint's name.
  const shownFields = inSidebar
    ? fields.filter(field => field.name === 'name')
    : fields.filter(field => !Object.hasOwn(kept, field.name));
  const begin = async (): Promise<FormStart> =>
    verb === 'publish'
      ? publishDefaults(nbdeploy.transport, given.name ?? deployments.opened, given.release)
      : EMPTY_START;
  const start = await begin();
  const texts: Texts = {
    ...initialTexts(verb, shownFields, options),
    ...start.texts,
    ...textsOfWords(words, fields),
    ...given
  };
  const names = deployments.endpoints.map(row => row.name);
  const suggestions =
    verb === 'automl'
      ? { deploy: names, data: await tablesNear(options, texts.data ?? '') }
      : { name: names };
  const action = label.replace(/…$/, '');
  const dialog = new FormDialog(action, close => (
    <VerbForm
      summary={trans.__(VERBS[verb].summary)}
      action={inSidebar ? trans.__('Show') : action}
      warns={VERBS[verb].destructive}
      fields={shownFields}
      given={texts}
      suggestions={suggestions}
      check={checkOf(nbdeploy.transport, verb)}
      settings={start.settings}
      agree={async file => {
        await agreeToSettings(nbdeploy.transport, file);
        return begin();
      }}
      send={async request => {
        await send(options, verb, { ...kept, ...request }, inSidebar);
      }}
      close={close}
      trans={trans}
    />
  ));
  await dialog.launch();
}

async function send(
  options: VerbOptions,
  verb: Verb,
  request: Readonly<Record<string, unknown>>,
  inSidebar: boolean
): Promise<void> {
  const { app, nbdeploy } = options;
  const section = inSidebar ? SIDEBAR_SECTIONS[verb] : undefined;
  if (section !== undefined) {
    await app.commands.execute(CommandIDs.open, { name: String(request.name), section });
    return;
  }
  const started = await nbdeploy.jobs.start(verb, request);
  if ('job' in started) {
    await app.commands.execute(CommandIDs.openJob, { job: started.job.id });
  } else {
    await showResult(options, verb, started.result);
  }
}

/** Shows the result page of a fast verb in a tab. */
async function showResult(options: VerbOptions, verb: Verb, result: unknown): Promise<void> {
  const { app, nbdeploy, rendermime, label } = options;
  const { value } = await requestAPI<ResultPageView>(nbdeploy.transport, 'views/result_page', {
    method: 'POST',
    body: { verb, result }
  });
  if (!rendermime) {
    return;
  }
  const page = rendermime.createRenderer('text/html');
  await page.renderModel(new MimeModel({ trusted: false, data: { 'text/html': value.html } }));
  const content = new Panel();
  content.addClass('nbdeploy-ResultPage');
  content.addWidget(page);
  const tab = new MainAreaWidget({ content });
  tab.title.label = label.replace(/…$/, '');
  tab.title.icon = deployIcon;
  app.shell.add(tab, 'main');
  app.shell.activateById(tab.id);
}

/** The files with a table in the folder of the current notebook, else in the server's. */
async function tablesNear({ app, panel }: VerbOptions, given: string): Promise<readonly string[]> {
  const folder = PathExt.dirname(given || (panel?.context.localPath ?? ''));
  try {
    const found = await app.serviceManager.contents.get(folder);
    const files = found.content as readonly Contents.IModel[];
    return files.map(one => one.path).filter(path => TABLE.test(path));
  } catch {
    return []; // the field takes any path
  }
}

const TABLE = /\.(parquet|pq|csv)$/i;

/** The values of the open endpoint and the current notebook. */
function initialTexts(
  verb: Verb,
  fields: readonly VerbField[],
  { nbdeploy, panel }: VerbOptions
): Texts {
  const texts: Record<string, string> = {};
  const opened = nbdeploy.deployments.opened;
  if (opened !== null && verb !== 'init' && fields.some(field => field.name === 'name')) {
    texts.name = opened;
  }
  if (panel) {
    const path = panel.context.localPath;
    if (verb === 'validate') {
      texts.notebooks = path;
    } else if (verb === 'init') {
      texts.folder = PathExt.dirname(path) || '.';
    }
  }
  return texts;
}
