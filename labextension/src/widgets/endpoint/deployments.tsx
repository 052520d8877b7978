/**
 * The Lumino widgets of the Deployments sidebar and of an endpoint's tab: React within JupyterLab.
 */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, ReactWidget } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { deployIcon } from '../../icons';
import type { JobActions } from '../../jobActions';
import type { Section } from '../../model';
import { problemOf } from '../../transport/problem';
import type { INbdeploy } from '../../transport/tokens';
import { Jobs } from '../jobs/jobs';
import type { Services } from '../ui/services';
import { ServicesProvider } from '../ui/services';
import { Endpoint } from './endpoint';
import { makeServices } from './makeServices';
import type { SidebarState } from './sidebar';
import { Sidebar } from './sidebar';

export interface Lab {
  readonly app: JupyterFrontEnd;
  readonly nbdeploy: INbdeploy;
  readonly notebooks: INotebookTracker | null;
  readonly rendermime: IRenderMimeRegistry | null;
  readonly jobActions: JobActions | null;
}

/** The sidebar's content. */
export function createDeployments(lab: Lab): ReactWidget {
  return new DeploymentsWidget(lab.nbdeploy, makeServices(lab), lab.jobActions);
}

/** An endpoint in a tab of the main area. */
export function createEndpointTab(
  lab: Lab,
  name: string,
  section: Section,
  onSection: (section: Section) => void
): MainAreaWidget {
  const content = new EndpointWidget(makeServices(lab), name, section, onSection);
  const tab = new MainAreaWidget({ content });
  tab.toolbar.hide();
  tab.title.label = name;
  tab.title.icon = deployIcon;
  tab.title.caption = lab.nbdeploy.trans.__('The endpoint %1', name);
  return tab;
}

/** While it is visible, the endpoints are updated. */
class DeploymentsWidget extends ReactWidget {
  constructor(
    private readonly nbdeploy: INbdeploy,
    private readonly services: Services & IDisposable,
    private readonly jobActions: JobActions | null
  ) {
    super();
    this.addClass('nbd-Sidebar');
    nbdeploy.deployments.changed.connect(this.onChanged, this);
  }

  override dispose(): void {
    super.dispose();
    this.services.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.attend();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) this.attend();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.leave();
  }

  protected override onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.leave();
  }

  override render(): React.JSX.Element {
    const { deployments } = this.nbdeploy;
    return (
      <ServicesProvider value={this.services}>
        <Sidebar
          state={this.state()}
          onOpen={name => {
            deployments.open(name);
          }}
          onTab={section => {
            deployments.open(deployments.opened, section);
          }}
          onAgain={() => void deployments.refresh()}
          jobs={this.jobActions && <Jobs jobs={this.nbdeploy.jobs} actions={this.jobActions} />}
        />
      </ServicesProvider>
    );
  }

  private attend(): void {
    this.attending ??= this.nbdeploy.deployments.attend();
  }

  private leave(): void {
    this.attending?.dispose();
    this.attending = null;
  }

  private onChanged(): void {
    if (this.nbdeploy.deployments.problem === null) this.heard = new Date().toISOString();
    this.update();
  }

  private state(): SidebarState {
    const { deployments } = this.nbdeploy;
    const { problem, view, opened, openings, section } = deployments;
    return {
      endpoints: view?.endpoints ?? null,
      home: view?.home ?? '',
      problem: problem && problemOf(problem),
      connected: problem?.code !== 'unreachable',
      heard: this.heard,
      expired: problem?.code === 'not_signed_in',
      opened,
      openings,
      tab: section
    };
  }

  private heard: string | null = null;
  private attending: IDisposable | null = null;
}

/** One endpoint in the main area. */
class EndpointWidget extends ReactWidget {
  constructor(
    private readonly services: Services & IDisposable,
    private readonly name: string,
    private section: Section,
    private readonly onSection: (section: Section) => void
  ) {
    super();
    this.addClass('nbd-Tab');
  }

  override dispose(): void {
    super.dispose();
    this.services.dispose();
  }

  override render(): React.JSX.Element {
    return (
      <ServicesProvider value={this.services}>
        <Endpoint
          model={this.services.endpoint(this.name)}
          tab={this.section}
          onTab={section => {
            this.section = section;
            this.update();
            this.onSection(section);
          }}
          wide
        />
      </ServicesProvider>
    );
  }
}
