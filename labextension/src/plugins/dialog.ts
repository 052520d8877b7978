import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { CommandIDs, commandOf } from '../commands';
import {
  type DeployRequest,
  type Job,
  labelsOf,
  type PublishRequest,
  type ResultPageView,
  type Verb
} from '../generated';
import { deployIcon } from '../icons';
import { IJobActions, type JobActions } from '../jobActions';
import type { Started } from '../jobs';
import { kernelState } from '../kernelState';
import { labRenderer } from '../labRenderer';
import { LazyPanel } from '../lazy';
import type { Section } from '../model';
import { Notices } from '../notices';
import { openNotebook } from '../openNotebook';
import { Prefetch } from '../prefetch';
import { openReport } from '../report';
import { TabJobs } from '../tabJobs';
import { requestAPI } from '../transport/request';
import { INbdeploy } from '../transport/tokens';

/**
 * The Deploy button's command, and jobs in tabs and notifications. Dialog and job view are loaded
 * when first shown.
 */
export const dialog: JupyterFrontEndPlugin<JobActions> = {
  id: 'nbdeploy:dialog',
  description: 'Deploys the model of the current notebook.',
  autoStart: true,
  provides: IJobActions,
  requires: [INbdeploy, INotebookTracker, IRenderMimeRegistry],
  optional: [ILayoutRestorer, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    nbdeploy: INbdeploy,
    notebooks: INotebookTracker,
    rendermime: IRenderMimeRegistry,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null
  ): JobActions => {
    const { trans, jobs } = nbdeploy;
    const tabJobs = new TabJobs(notebooks);
    const showJob = (id: string): void => {
      void app.commands.execute(CommandIDs.openJob, { job: id });
    };
    const openEndpoint = (name: string, section: Section = 'releases'): void => {
      void app.commands.execute(CommandIDs.open, { name, section });
    };
    const notices = new Notices({ jobs, trans, showJob, openEndpoint });
    void settings?.load(SETTINGS).then(loaded => {
      const heed = (): void => {
        notices.quiet = loaded.get('notifyOf').composite === 'failures';
      };
      loaded.changed.connect(heed);
      heed();
    });
    const deploy = async (job?: Job, request: DeployRequest | null = null): Promise<void> => {
      const { openDeploy } = await import('../widgets/deploy/openDeploy');
      const panel = (job && tabJobs.panel(job.id)) ?? notebooks.currentWidget;
      await openDeploy({ app, nbdeploy, tabJobs, notices, jobActions: actions }, panel, request);
    };
    const openForm = async (request: DeployRequest): Promise<void> => {
      const { openAgain } = await import('../widgets/verbs/openVerb');
      const panel = notebooks.currentWidget;
      const options = { app, nbdeploy, rendermime, panel, label: labelsOf(trans).deploy };
      await openAgain(options, 'deploy', request as Readonly<Record<string, unknown>>);
    };
    const actions: JobActions = {
      openEndpoint,
      openReport: job => {
        openReport(app, nbdeploy, { job: job.id }, trans.__('Validation: %1', job.title));
      },
      cellOpener: job => {
        const panel = tabJobs.panel(job.id);
        if (!panel) {
          return undefined;
        }
        return count => {
          void import('../widgets/deploy/openDeploy').then(({ showCell }) => {
            showCell(app, panel, count);
          });
        };
      },
      cellInserter: job => {
        const panel = tabJobs.panel(job.id);
        if (!panel) return undefined;
        return source => {
          void import('../widgets/deploy/openDeploy').then(({ insertCell }) => {
            insertCell(app, panel, source);
          });
        };
      },
      tryAgain: (job, waive = []) => {
        if (job.verb !== 'deploy') {
          void app.commands.execute(commandOf(job.verb as Verb), job.request as never);
          return;
        }
        const request = job.request as DeployRequest;
        const waived = [...new Set([...(request.waive ?? []), ...waive])];
        const again = { ...request, waive: waived };
        if (request.model) void deploy(job, again);
        else void openForm(again); // of a stored snapshot: no notebook's dialog has its source
      },
      force: async (job, reason) => {
        const forced = await forceJob(nbdeploy, job, reason);
        tabJobs.add(forced.id, tabJobs.panel(job.id));
        return forced;
      },
      cancel: async job => jobs.cancel(job.id),
      openNotebook: path => void openNotebook(app, path),
      resultPage: async (job, candidates, signal) => {
        const options = { query: { job: job.id, candidates: String(candidates) }, signal };
        return (await requestAPI<ResultPageView>(nbdeploy.transport, 'views/result_page', options))
          .value;
      },
      renderer: labRenderer(rendermime),
      logInUrl: PageConfig.getBaseUrl(),
      runVerb: ({ verb, words }) =>
        void app.commands.execute(commandOf(verb), { words: [...words] }),
      listImages: () => void app.commands.execute(commandOf('images')),
      show: showJob
    };

    new Prefetch(
      NotebookActions.executed,
      ({ notebook }) => {
        const panel = notebooks.find(one => one.content === notebook);
        return panel
          ? {
              closed: () => panel.isDisposed,
              idle: () => kernelState(panel, trans).kind === 'idle'
            }
          : null;
      },
      () => {
        void prepareDialog(nbdeploy);
      }
    );

    app.commands.addCommand(CommandIDs.deploy, {
      label: args => (args.toolbar === true ? trans.__('Deploy') : trans.__('Deploy Model…')),
      caption: trans.__('Deploy a model of this notebook as a running service'),
      icon: deployIcon,
      execute: async () => deploy()
    });

    const tabs = new WidgetTracker<MainAreaWidget>({ namespace: 'nbdeploy-job' });
    app.commands.addCommand(CommandIDs.openJob, {
      label: trans.__('Show Job'),
      execute: args => {
        const id = args.job as string;
        notices.leave(id);
        const known = tabs.find(tab => tab.id === tabId(id));
        if (known) {
          app.shell.activateById(known.id);
          return;
        }
        const content = new LazyPanel(async () => {
          const { createJobTab } = await import('../widgets/jobs/jobTab');
          return createJobTab(id, { app, nbdeploy, notebooks, rendermime, jobActions: actions });
        });
        const tab = new MainAreaWidget({ content });
        tab.id = tabId(id);
        tab.title.label = jobs.get(id)?.title ?? trans.__('Job');
        const onJob = (_: unknown, job: Job): void => {
          if (job.id === id) tab.title.label = job.title; // after a reload the job is known later
        };
        jobs.changed.connect(onJob);
        tab.title.icon = deployIcon;
        tab.title.closable = true;
        void tabs.add(tab);
        tab.disposed.connect(() => {
          jobs.changed.disconnect(onJob);
          notices.follow(id);
        });
        app.shell.add(tab, 'main');
        app.shell.activateById(tab.id);
      }
    });
    void restorer?.restore(tabs, {
      command: CommandIDs.openJob,
      args: tab => ({ job: tab.id.slice(tabId('').length) }),
      name: tab => tab.id
    });

    // After a reload, notifications continue for the jobs of this tab.
    const resumed = (): void => {
      tabJobs.ids.forEach(id => {
        if (!tabs.find(tab => tab.id === tabId(id))) {
          notices.follow(id);
        }
      });
    };
    const resume = async (): Promise<void> => {
      await app.restored;
      if (tabJobs.ids.length > 0) {
        await jobs.refresh();
        resumed();
      }
    };
    resume().catch((error: unknown) => {
      console.warn('nbdeploy: the notifications of running jobs cannot be resumed', error);
    });
    return actions;
  }
};

/** The plugin with the schema of the settings. */
const SETTINGS = 'nbdeploy:commands';

/** Loads the dialog's code, and starts the process of the server that answers its requests. */
async function prepareDialog({ transport }: INbdeploy): Promise<void> {
  await Promise.allSettled([
    import('../widgets/deploy/openDeploy'),
    requestAPI(transport, 'worker', { method: 'POST' })
  ]); // the dialog reports a failure
}

function tabId(job: string): string {
  return `nbdeploy-job-${job}`;
}

/**
 * Repeats a request that gates refused. The captured snapshot is stored, so it is not captured
 * again.
 */
async function forceJob(nbdeploy: INbdeploy, job: Job, reason: string): Promise<Job> {
  if (job.verb === 'publish') {
    const forced = { ...(job.request as unknown as PublishRequest), force: true, reason };
    return startedJob(await nbdeploy.jobs.start('publish', forced));
  }
  const request = { ...(job.request as DeployRequest), force: true, reason };
  if (typeof request.source !== 'string') {
    throw new Error(nbdeploy.trans.__('The model was not captured. Try the deploy again.'));
  }
  for (const field of ['model', 'method', 'example', 'signature', 'training', 'include'] as const) {
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- they are of the capture alone
    delete request[field];
  }
  return startedJob(await nbdeploy.jobs.start('deploy', request));
}

function startedJob(started: Started<Verb>): Job {
  if (!('job' in started)) {
    throw new Error('the verb has no job');
  }
  return started.job;
}
