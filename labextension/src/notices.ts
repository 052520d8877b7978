import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';

import type { Job } from './generated';
import { hasEnded, type JobsModel } from './jobs';

/** The time until a toast disappears; JupyterLab's list of notifications keeps it. */
const SHOWN_MS = 6000;

export interface NoticeOptions {
  jobs: JobsModel;
  trans: TranslationBundle;
  showJob: (id: string) => void;
  openEndpoint: (name: string) => void;
}

/** JupyterLab's notifications of jobs without a viewer: one per job, updated as the job goes on. */
export class Notices implements IDisposable {
  /** Whether only failures are notified: a setting. */
  quiet = false;

  constructor(private readonly options: NoticeOptions) {
    options.jobs.changed.connect(this._onJob, this);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this.options.jobs.changed.disconnect(this._onJob, this);
  }

  /** Notify of a job from now on, unless it has ended. */
  follow(id: string): void {
    const job = this.options.jobs.get(id);
    if (!job || hasEnded(job) || this._shown.has(id)) return;
    if (this.quiet) {
      this._silent.add(id);
      return;
    }
    const message = this._words(job);
    const notice = Notification.emit(message, 'in-progress', {
      autoClose: SHOWN_MS,
      actions: this._actions(job)
    });
    this._shown.set(id, { notice, message });
  }

  /** The job has a viewer: its notification would be in the way. */
  leave(id: string): void {
    this._silent.delete(id);
    const known = this._shown.get(id);
    if (!known) return;
    this._shown.delete(id);
    Notification.dismiss(known.notice);
  }

  private _onJob(_: JobsModel, job: Job): void {
    if (hasEnded(job) && this._silent.delete(job.id) && job.state === 'failed') {
      Notification.error(this._words(job), { autoClose: false, actions: this._actions(job) });
    }
    const known = this._shown.get(job.id);
    if (!known) return;
    const message = this._words(job);
    if (message === known.message) return;
    known.message = message;
    const ended = hasEnded(job);
    Notification.update({
      id: known.notice,
      message,
      type: ended ? (TYPES[job.state] ?? 'info') : 'in-progress',
      autoClose: job.state === 'failed' ? false : SHOWN_MS,
      actions: this._actions(job)
    });
    if (ended) this._shown.delete(job.id);
  }

  private _words(job: Job): string {
    const { trans } = this.options;
    switch (job.state) {
      case 'done':
        return trans.__('%1: done', job.title);
      case 'failed':
        return trans.__('%1: failed. %2', job.title, job.problem?.title ?? '');
      case 'cancelled':
        return trans.__('%1: cancelled', job.title);
      case 'waiting':
      case 'queued':
      case 'running':
        return job.step
          ? trans.__('%1: %2', job.title, job.step)
          : trans.__('%1: queued', job.title);
    }
  }

  private _actions(job: Job): Notification.IAction[] {
    const { trans, showJob, openEndpoint } = this.options;
    const show: Notification.IAction = {
      label: trans.__('Show'),
      callback: () => {
        showJob(job.id);
      }
    };
    const { endpoint } = job;
    if (job.state !== 'done' || !endpoint) return [show];
    const open: Notification.IAction = {
      label: trans.__('Open %1', endpoint),
      callback: () => {
        openEndpoint(endpoint);
      }
    };
    return [show, open];
  }

  private _isDisposed = false;
  private readonly _silent = new Set<string>();
  private readonly _shown = new Map<string, { notice: string; message: string }>();
}

const TYPES: Partial<Record<Job['state'], Notification.TypeOptions>> = {
  done: 'success',
  failed: 'error',
  cancelled: 'warning'
};
