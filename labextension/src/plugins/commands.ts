import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { CommandIDs, commandOf, SIDEBAR_SECTIONS } from '../commands';
import { labelsOf, type Verb, VERBS } from '../generated';
import { SHOWN } from '../namedCommands';
import { INbdeploy } from '../transport/tokens';

/**
 * A command for every verb but deploy, whose dialog has its own plugin; and all of them in the
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
    const labelOf = labelsOf(trans);
    const verbs = Object.keys(VERBS) as Verb[];
    for (const verb of verbs) {
      if (verb !== 'deploy') {
        const label = labelOf[verb];
        app.commands.addCommand(commandOf(verb), {
          label,
          caption: trans.__(VERBS[verb].summary),
          execute: async args => {
            const words = wordsOf(args);
            const named = words.find(word => !word.startsWith('-'));
            // A command of a message with values for a form, such as 'nbdeploy traffic churn --record full'.
            const section =
              words.length > 1 && !SHOWN.includes(verb) ? undefined : SIDEBAR_SECTIONS[verb];
            const name =
              typeof args.name === 'string' ? args.name : (named ?? nbdeploy.deployments.opened);
            if (section === null) nbdeploy.deployments.open(null); // the list, also if an endpoint is open
            if (section === null || (section !== undefined && name !== null)) {
              await app.commands.execute(
                CommandIDs.open,
                section === null ? {} : { name, section }
              );
              return;
            }
            const panel = notebooks?.currentWidget ?? null;
            const options = { app, nbdeploy, rendermime, panel, label };
            const texts = textsOf(args);
            if (verb === 'candidates' && panel && !words.length && !Object.keys(texts).length) {
              const { openCompare } = await import('../widgets/candidates/openCompare');
              await openCompare(options, panel);
              return;
            }
            const { openVerb } = await import('../widgets/verbs/openVerb');
            await openVerb(options, verb, texts, words);
          }
        });
      }
      palette?.addItem({ command: commandOf(verb), category });
    }
    palette?.addItem({ command: CommandIDs.open, category });
  }
};

/** The words of a command that a message names. */
function wordsOf({ words }: ReadonlyPartialJSONObject): string[] {
  return Array.isArray(words) ? words.filter(word => typeof word === 'string') : [];
}

/** A command's arguments, as the form's controls hold them. */
function textsOf(args: ReadonlyPartialJSONObject): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(args)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      texts[name] = String(value);
    }
  }
  return texts;
}
