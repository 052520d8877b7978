import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

const KEY = 'nbdeploy:tab-jobs';
const KEPT = 50;

/** The jobs that this browser tab started, each with its notebook; they survive a reload. */
export class TabJobs {
  constructor(
    private readonly notebooks: INotebookTracker | null,
    private readonly storage: Storage = window.sessionStorage
  ) {}

  get ids(): string[] {
    return Object.keys(this._read());
  }

  add(job: string, panel: NotebookPanel | null): void {
    if (panel) this._panels.set(job, panel);
    const all = Object.entries({ ...this._read(), [job]: panel?.context.path ?? '' });
    this.storage.setItem(KEY, JSON.stringify(Object.fromEntries(all.slice(-KEPT))));
  }

  /** The notebook that started a job, if it is open. */
  panel(job: string): NotebookPanel | null {
    const known = this._panels.get(job); // the same panel, also after a rename
    if (known && !known.isDisposed) return known;
    const path = this._read()[job];
    if (!path) return null;
    return this.notebooks?.find(panel => panel.context.path === path) ?? null;
  }

  private _read(): Record<string, string> {
    try {
      return JSON.parse(this.storage.getItem(KEY) ?? '{}') as Record<string, string>;
    } catch {
      return {};
    }
  }

  private readonly _panels = new Map<string, NotebookPanel>();
}
