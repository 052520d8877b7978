import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { CommandIDs, commandOf, SIDEBAR_SECTIONS } from '../commands';
import { type Verb, VERBS } from '../generated';
import { INbdeploy } from '../tokens';

/**
 * A command for every verb but deploy, whose dialog is a plugin of its own; and all of them in the
 * palette.
 */
export const commands: JupyterFrontEndPlugin<void> = {
  id: 'nbdeploy:commands',
  description: 'A command for each verb of nbdeploy.',
  autoStart: true,
  requires: [INbdeploy],
  optional: [ICommandPalette, INotebookTracker, IRenderMimeRegistry],
  activate: (
    app: JupyterFrontEnd,
    nbdeploy: INbdeploy,
    palette: ICommandPalette | null,
    notebooks: INotebookTracker | null,
    rendermime: IRenderMimeRegistry | null
  ) => {
    const { trans } = nbdeploy;
    const category = trans.__('Deployments');
    const labelOf = labels(nbdeploy);
    const verbs = Object.keys(VERBS) as Verb[];
    for (const verb of verbs) {
      if (verb !== 'deploy') {
        const label = labelOf[verb];
        app.commands.addCommand(commandOf(verb), {
          label,
          caption: trans.__(VERBS[verb].summary),
          execute: async args => {
            const section = SIDEBAR_SECTIONS[verb];
            const name = typeof args.name === 'string' ? args.name : nbdeploy.deployments.opened;
            if (section === null) nbdeploy.deployments.open(null); // the list, whatever is opened
            if (section === null || (section !== undefined && name !== null)) {
              await app.commands.execute(
                CommandIDs.open,
                section === null ? {} : { name, section }
              );
              return;
            }
            const { openVerb } = await import('../widgets/openVerb');
            const panel = notebooks?.currentWidget ?? null;
            await openVerb({ app, nbdeploy, rendermime, panel, label }, verb, textsOf(args));
          }
        });
      }
      palette?.addItem({ command: commandOf(verb), category });
    }
    palette?.addItem({ command: CommandIDs.open, category });
  }
};

/** What a command is given, as its form's controls hold it. */
function textsOf(args: ReadonlyPartialJSONObject): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(args)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      texts[name] = String(value);
    }
  }
  return texts;
}

/** What people call the verbs: one line each, so that translators find them. */
function labels({ trans }: INbdeploy): { readonly [verb in Verb]: string } {
  return {
    deploy: trans.__('Deploy Model…'),
    validate: trans.__('Validate…'),
    init: trans.__('Set Up Validation in CI…'),
    list: trans.__('List Endpoints'),
    describe: trans.__('Describe Endpoint…'),
    traffic: trans.__('Change Traffic…'),
    promote: trans.__('Promote Candidate…'),
    rollback: trans.__('Roll Back…'),
    history: trans.__('Show History…'),
    compare: trans.__('Compare Candidate with Stable…'),
    diff: trans.__('Compare Two Models…'),
    logs: trans.__('Show Records…'),
    predict: trans.__('Try an Endpoint…'),
    feedback: trans.__('Send Feedback…'),
    reproduce: trans.__('Reproduce a Snapshot…'),
    publish: trans.__('Publish…'),
    verify: trans.__('Verify an Image…'),
    compose: trans.__('Write a Compose File…'),
    images: trans.__('List Images…'),
    gc: trans.__('Remove Unused Images…'),
    purge: trans.__('Purge Records…'),
    stop: trans.__('Stop Endpoint…'),
    down: trans.__('Stop Everything…'),
    reconcile: trans.__('Reconcile…')
  };
}
