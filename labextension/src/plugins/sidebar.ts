import {
  ILayoutRestorer,
  IRouter,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { type MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { CommandIDs } from '../commands';
import { deployIcon } from '../icons';
import { IJobActions, type JobActions } from '../jobActions';
import { LazyPanel } from '../lazy';
import { LINK_PATTERN, targetOf, withoutTarget } from '../links';
import type { Section } from '../model';
import { INbdeploy, SIDEBAR_ID } from '../transport/tokens';

const TAB_ID = 'nbdeploy-endpoint-';

/** The Deployments sidebar. Its content is loaded when it is first shown. */
export const sidebar: JupyterFrontEndPlugin<void> = {
  id: 'nbdeploy:sidebar',
  description: 'Endpoints, releases and jobs.',
  autoStart: true,
  requires: [INbdeploy],
  optional: [INotebookTracker, IRenderMimeRegistry, ILayoutRestorer, IJobActions, IRouter],
  activate: (
    app: JupyterFrontEnd,
    nbdeploy: INbdeploy,
    notebooks: INotebookTracker | null,
    rendermime: IRenderMimeRegistry | null,
    restorer: ILayoutRestorer | null,
    jobActions: JobActions | null,
    router: IRouter | null
  ) => {
    const { trans, deployments } = nbdeploy;
    const lab = { app, nbdeploy, notebooks, rendermime, jobActions };
    const panel = new LazyPanel(async () => {
      const { createDeployments } = await import('../widgets/endpoint/deployments');
      return createDeployments(lab);
    });
    panel.id = SIDEBAR_ID;
    panel.title.icon = deployIcon;
    panel.title.caption = trans.__('Deployments');
    panel.node.setAttribute('role', 'region');
    panel.node.setAttribute('aria-label', trans.__('Deployments'));
    app.shell.add(panel, 'left', { rank: 650, type: 'Deployments' });
    restorer?.add(panel, SIDEBAR_ID);

    app.commands.addCommand(CommandIDs.open, {
      label: trans.__('Show Deployments'),
      icon: deployIcon,
      execute: args => {
        if (typeof args.name === 'string') {
          deployments.open(args.name, args.section as Section | undefined);
        }
        app.shell.activateById(SIDEBAR_ID);
      }
    });

    if (router) openLinks(app, router);

    const tabs = new WidgetTracker<MainAreaWidget>({ namespace: 'nbdeploy-endpoints' });
    const sections = new WeakMap<MainAreaWidget, Section>();
    const nameOf = (tab: MainAreaWidget): string => tab.id.slice(TAB_ID.length);
    app.commands.addCommand(CommandIDs.openTab, {
      label: trans.__('Show Endpoint in a Tab'),
      execute: async args => {
        const name = typeof args.name === 'string' ? args.name : deployments.opened;
        if (name === null) {
          return;
        }
        let tab = tabs.find(one => nameOf(one) === name);
        if (!tab) {
          const { createEndpointTab } = await import('../widgets/endpoint/deployments');
          const section = (args.section as Section | undefined) ?? 'releases';
          const made = createEndpointTab(lab, name, section, shown => {
            sections.set(made, shown);
            void tabs.save(made);
          });
          tab = made;
          tab.id = TAB_ID + name;
          sections.set(tab, section);
          await tabs.add(tab);
          app.shell.add(tab, 'main', { type: 'Deployments' });
        }
        app.shell.activateById(tab.id);
      }
    });
    void restorer?.restore(tabs, {
      command: CommandIDs.openTab,
      args: tab => ({ name: nameOf(tab), section: sections.get(tab) ?? 'releases' }),
      name: nameOf
    });
  }
};

/** A link shows its endpoint once the layout is restored; a later reload shows what the user left. */
function openLinks(app: JupyterFrontEnd, router: IRouter): void {
  const command = 'nbdeploy:open-link';
  app.commands.addCommand(command, {
    execute: async args => {
      const { path, search = '', hash } = args as unknown as IRouter.ILocation;
      const target = targetOf(search);
      if (!target) return;
      await app.restored;
      await app.commands.execute(CommandIDs.open, target);
      router.navigate(`${path}${withoutTarget(search)}${hash}`, { skipRouting: true });
    }
  });
  router.register({ command, pattern: LINK_PATTERN });
}
