import type { ISignal } from '@lumino/signaling';

/** A pause of this length after a cell starts the preparation. */
export const PAUSE_MS = 500;

/** A notebook, as far as the preparation depends on it. */
export interface PrefetchNotebook {
  /** Whether it was closed. */
  readonly closed: () => boolean;
  /** Whether its kernel runs Python or R, and no cell runs or waits. */
  readonly idle: () => boolean;
}

/**
 * Prepares the first opening of the deploy dialog, once per page: in the first pause after a cell of
 * a notebook of Python or R. While cells run the user needs the processor, and a page without cells may never
 * deploy.
 */
export class Prefetch<T> {
  constructor(
    private readonly executed: ISignal<unknown, T>,
    private readonly notebookOf: (ran: T) => PrefetchNotebook | null,
    private readonly prepare: () => void
  ) {
    executed.connect(this._onCell, this);
  }

  private _onCell(_: unknown, ran: T): void {
    clearTimeout(this._timer);
    const notebook = this.notebookOf(ran);
    if (notebook === null) return;
    this._timer = setTimeout(() => {
      // If the next cell runs already, its end starts the next pause.
      if (notebook.closed() || !notebook.idle()) return;
      this.executed.disconnect(this._onCell, this);
      this.prepare();
    }, PAUSE_MS);
  }

  private _timer: ReturnType<typeof setTimeout> | undefined;
}
