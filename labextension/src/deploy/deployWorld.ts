import type { ICodeCellModel } from '@jupyterlab/cells';
import { PageConfig } from '@jupyterlab/coreutils';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type {
  CandidatesRequest,
  DeployRequest,
  FieldProblem,
  Job,
  KernelReport,
  NotebookContextView,
  SettingsFile,
  Table
} from '../generated';
import { kernelState, languageOf, runningCells } from '../kernelState';
import { requestAPI } from '../transport/request';
import { labProblem } from '../transport/restTransport';
import type { INbdeploy } from '../transport/tokens';
import { agreeToSettings } from '../verbRequests';
import { refusalOf, reportCaptureFailure } from './captureFailure';
import type { DeployWorld, KernelState } from './deployModel';
import type { DeployValues } from './deployValues';
import { type CheckResult, type DeployKernel, PythonKernel } from './kernel';
import { type ExecutedCell, RKernel } from './rKernel';

/** An open notebook, its kernel and the server, as the dialog uses them. */
export class NotebookWorld implements DeployWorld, IDisposable {
  constructor(
    readonly panel: NotebookPanel,
    private readonly nbdeploy: INbdeploy
  ) {
    const { sessionContext } = panel;
    NotebookActions.executed.connect(this._onKernel, this);
    for (const signal of [
      sessionContext.statusChanged,
      sessionContext.kernelChanged,
      sessionContext.connectionStatusChanged
    ] as ISignal<unknown, unknown>[]) {
      signal.connect(this._onKernel, this);
    }
  }

  get kernelChanged(): ISignal<this, void> {
    return this._kernelChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.disconnectReceiver(this);
    Signal.clearData(this);
  }

  readonly kernel = (): KernelState => {
    const state = kernelState(this.panel, this.nbdeploy.trans);
    // The session of a dead kernel disappears some seconds after it.
    this._died = state.kind === 'dead' || (this._died && state.kind === 'none');
    return this._died ? { kind: 'dead' } : state;
  };

  readonly canAnswer = (): boolean => this._kernel.canAnswer;

  readonly report = async (): Promise<KernelReport> => {
    const report = await this._kernel.report();
    this._pid = report.pid;
    return report;
  };

  readonly context = async (
    report: KernelReport | Promise<KernelReport>
  ): Promise<NotebookContextView> => {
    const query = { path: pathOnServer(this.panel) ?? notebookPath(this.panel, await report) };
    const { transport } = this.nbdeploy;
    return (await requestAPI<NotebookContextView>(transport, 'views/notebook_context', { query }))
      .value;
  };

  readonly writeValidation = async (
    { name, model, example }: Pick<DeployValues, 'name' | 'model' | 'example'>,
    report: KernelReport
  ): Promise<void> => {
    if (this.panel.context.model.dirty) await this.panel.context.save(); // its cells are read
    const notebook = notebookPath(this.panel, report);
    const folder = notebook.replace(/[^/]*$/, '') || '.';
    const body = { folder, notebook, name, model, example, without_ci: true };
    await requestAPI(this.nbdeploy.transport, 'init', { method: 'POST', body });
  };

  readonly agree = async (file: SettingsFile): Promise<void> =>
    agreeToSettings(this.nbdeploy.transport, file);

  readonly preview = async (expression: string): Promise<Table> => this._kernel.preview(expression);

  readonly check = async (request: DeployRequest): Promise<CheckResult> =>
    this._kernel.check(request);

  readonly checkCandidates = async (request: CandidatesRequest): Promise<readonly FieldProblem[]> =>
    this._kernel.checkCandidates(request);

  /** The notebook's file on the server, with the cells as they are shown. */
  readonly saved = async (): Promise<string> => {
    const { context } = this.panel;
    if (context.model.dirty) {
      await this.nbdeploy.jobs.refresh(); // a server that does not answer, or requires a log-in, is reported here, and not by JupyterLab too
      await context.save().catch((error: unknown) => {
        throw labProblem(error);
      });
    }
    return pathOnServer(this.panel) ?? context.localPath;
  };

  readonly submit = async (request: DeployRequest): Promise<Job> => {
    const { context } = this.panel;
    await this.saved();
    const job = await this.nbdeploy.jobs.capture(request);
    // Not awaited: it may take long, and the job reports the outcome. One after the other, since
    // the notebook may be renamed while a cell runs.
    let reporting = Promise.resolve();
    const reportKernel = (): void => {
      const pid = this._pid;
      if (pid === null) return;
      reporting = reporting
        .then(async () => this.nbdeploy.jobs.assignKernel(job.id, pid, pathOnServer(this.panel)))
        .catch((error: unknown) => {
          console.warn('nbdeploy: the server could not be told the kernel of the job', error);
        });
    };
    context.pathChanged.connect(reportKernel);
    void this._kernel
      .capture(job, pathOnServer(this.panel), reportKernel)
      .then(refusalOf, (error: unknown) => error)
      .then(async why => {
        context.pathChanged.disconnect(reportKernel);
        if (why !== null) await reportCaptureFailure(job.id, why, this.nbdeploy.jobs);
      });
    return job;
  };

  private get _kernel(): DeployKernel {
    const kernel = this.panel.sessionContext.session?.kernel;
    const running = (): boolean => runningCells(this.panel) > 0;
    if (languageOf(this.panel) !== 'r') return new PythonKernel(kernel, running);
    return new RKernel(
      kernel,
      this.nbdeploy.transport,
      running,
      () => pathOnServer(this.panel),
      () => executedCells(this.panel)
    );
  }

  private _onKernel(): void {
    this._kernelChanged.emit();
  }

  private _isDisposed = false;
  private _pid: number | null = null;
  private _died = false;
  private readonly _kernelChanged = new Signal<this, void>(this);
}

/** The cells that ran in this kernel, as far as the notebook shows. */
function executedCells({ content }: NotebookPanel): ExecutedCell[] {
  return content.widgets.flatMap(({ model }) => {
    if (model.type !== 'code') return [];
    const { executionCount } = model as ICodeCellModel;
    return executionCount ? [{ count: executionCount, source: model.sharedModel.getSource() }] : [];
  });
}

/**
 * The notebook's file on the server. The kernel knows only its name at the start, and the notebook
 * may have been renamed.
 */
export function notebookPath(panel: NotebookPanel, report: KernelReport): string {
  return pathOnServer(panel) ?? report.notebook ?? panel.context.localPath;
}

/** Null: the server does not report its folder. */
function pathOnServer(panel: NotebookPanel): string | null {
  const root = PageConfig.getOption('serverRoot');
  return root ? `${root.replace(/\/+$/, '')}/${panel.context.localPath}` : null;
}
