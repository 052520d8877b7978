import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  Dialog,
  type ISessionContext,
  SessionContextDialogs,
  showDialog
} from '@jupyterlab/apputils';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';

import { DeployModel } from '../../deploy/deployModel';
import type { DeployValues } from '../../deploy/deployValues';
import { NotebookWorld } from '../../deploy/deployWorld';
import type { DeployRequest } from '../../generated';
import type { JobActions } from '../../jobActions';
import type { Notices } from '../../notices';
import type { TabJobs } from '../../tabJobs';
import { requestAPI } from '../../transport/request';
import type { INbdeploy } from '../../transport/tokens';
import { DeployDialog } from './deployDialog';

export interface DeployContext {
  app: JupyterFrontEnd;
  nbdeploy: INbdeploy;
  tabJobs: TabJobs;
  notices: Notices;
  jobActions: JobActions;
}

/** The typed values of closed dialogs, by notebook, to continue with. */
const drafts = new WeakMap<NotebookPanel, DeployValues>();

/** One notebook has one dialog. */
let opened: DeployDialog | null = null;

/** Opens the deploy dialog of a notebook, then shows its job. `given` is a request to try again. */
export async function openDeploy(
  lab: DeployContext,
  panel: NotebookPanel | null,
  given: DeployRequest | null = null
): Promise<void> {
  const { app, nbdeploy, tabJobs, notices, jobActions } = lab;
  const { trans, jobs } = nbdeploy;
  opened?.reject();
  if (!panel) {
    await showDialog({
      title: trans.__('No notebook is open'),
      body: trans.__(
        'Open the notebook whose model you want to deploy, run the cells that make it, and click Deploy in its toolbar.'
      ),
      buttons: [Dialog.okButton({ label: trans.__('Close') })]
    });
    return;
  }
  const world = new NotebookWorld(panel, nbdeploy);
  const model = new DeployModel(world, given ?? drafts.get(panel) ?? null);
  const close = (): void => {
    dialog.reject();
  };
  const goTo = (count: number): void => {
    close();
    showCell(app, panel, count);
  };
  const started: { job: string | null } = { job: null };
  const dialog = new DeployDialog({
    model,
    notebook: panel.context.path,
    jobs,
    notes: () => notesFor(panel, nbdeploy),
    kernelActions: {
      restart: () => {
        void replaceKernel(panel.sessionContext);
      },
      choose: () => {
        close(); // one dialog after another
        void new SessionContextDialogs({})
          .selectKernel(panel.sessionContext)
          .then(async () => openDeploy(lab, panel, given));
      },
      insert: source => {
        close();
        insertCell(app, panel, source);
      },
      lookAgain: () => {
        void model.loadModels();
      }
    },
    jobActions: {
      ...jobActions,
      openEndpoint: (name, section) => {
        close();
        jobActions.openEndpoint(name, section);
      },
      openReport: job => {
        close();
        jobActions.openReport(job);
      },
      cellOpener: () => goTo,
      cellInserter: () => source => {
        close();
        insertCell(app, panel, source);
      },
      tryAgain: (job, waive) => {
        close();
        jobActions.tryAgain(job, waive);
      }
    },
    openCell: goTo,
    shows: id => {
      if (started.job === null) drafts.delete(panel); // it is in progress
      started.job = id;
      tabJobs.add(id, panel);
    },
    trans
  });
  opened = dialog;
  // A deploy is likely now: its processes start while the user reads. The deploy reports a failure.
  requestAPI(nbdeploy.transport, 'worker?expects=deploy', { method: 'POST' }).catch(
    () => undefined
  );
  const loadModels = model.loadModels();
  try {
    await dialog.launch();
  } finally {
    if (opened === dialog) opened = null;
    if (started.job === null && model.state.report) drafts.set(panel, model.state.values);
    if (started.job !== null) notices.follow(started.job);
    model.dispose();
    world.dispose();
    await loadModels;
  }
}

/**
 * A kernel of the same kind that replaces a dead one: Jupyter restarts only a kernel that lives.
 */
export async function replaceKernel(context: ISessionContext): Promise<void> {
  const name = context.session?.kernel?.name ?? context.prevKernelName;
  await context.sessionManager.refreshRunning(); // its session, which the server has deleted
  await context.changeKernel({ name });
}

/** The notice about the notebook before the deploy. */
function notesFor(panel: NotebookPanel, { trans }: INbdeploy): string[] {
  const notes = [];
  if (panel.context.model.dirty) {
    notes.push(trans.__('The notebook has unsaved changes: it is saved first.'));
  }
  if (panel.content.widgets.some(cell => cell.model.type === 'code' && !cell.model.trusted)) {
    notes.push(
      trans.__(
        'The notebook is not trusted: some of its outputs come from elsewhere. Deploy takes the model that its kernel holds now.'
      )
    );
  }
  return notes;
}

/** Selects the cell with this execution count, and scrolls to it. */
export function showCell(app: JupyterFrontEnd, panel: NotebookPanel, count: number): void {
  const notebook = panel.content;
  const index = notebook.widgets.findIndex(
    ({ model }) => model.type === 'code' && model.sharedModel.toJSON().execution_count === count
  );
  app.shell.activateById(panel.id);
  if (index < 0) return;
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  void notebook.scrollToItem(index, 'center');
}

export function insertCell(app: JupyterFrontEnd, panel: NotebookPanel, source: string): void {
  const notebook = panel.content;
  app.shell.activateById(panel.id);
  notebook.activeCellIndex = notebook.widgets.length - 1;
  NotebookActions.insertBelow(notebook);
  notebook.activeCell?.model.sharedModel.setSource(source);
  void notebook.scrollToItem(notebook.activeCellIndex, 'center');
}
