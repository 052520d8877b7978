/** One endpoint that is looked at: what the server says of it, and the change that is on its way. */
import { type IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type { ChangeWorld, Trouble } from './changes';
import { Changes, troubleOf } from './changes';
import type { EndpointView } from './generated';
import { ProblemError } from './request';

/** Health and counts change although nobody changed the endpoint. */
const LOOK_EVERY_MS = 2000;

/** What is known of it; `view` stays while looks fail. */
export interface Known {
  readonly view: EndpointView | null;
  readonly trouble: Trouble | null;
  /** It was removed. */
  readonly gone: boolean;
}

export class EndpointModel implements IDisposable {
  constructor(
    readonly name: string,
    look: () => Promise<EndpointView>,
    world: Omit<ChangeWorld, 'look'>
  ) {
    this._look = look;
    this.changes = new Changes({
      preview: async (verb, given, revision) => world.preview(verb, given, revision),
      run: async (verb, given, revision, step) => world.run(verb, given, revision, step),
      look: async revision => (revision === undefined ? this.refresh() : this.at(revision))
    });
  }

  readonly changes: Changes;

  get known(): Known {
    return this._known;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Nobody sees it, and no change is on its way. */
  get isIdle(): boolean {
    return this._watchers === 0 && this.changes.pending === null;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Somebody sees it, until the returned function is called: it is looked at every two seconds. */
  watch(): () => void {
    this._watchers += 1;
    if (this._watchers === 1) void this.again();
    return () => {
      this._watchers -= 1;
      if (this._watchers === 0) clearTimeout(this._timer);
    };
  }

  /** Looks now. Two that ask at once share the later look, since the earlier may have begun before a change. */
  async refresh(): Promise<EndpointView> {
    const number = ++this._asked;
    try {
      const view = await this._look();
      if (number > this._shown) {
        this._shown = number;
        this.set({ view, trouble: null, gone: false });
        this.changes.noticed(view);
      }
      return view;
    } catch (error) {
      const gone = error instanceof ProblemError && error.code === 'unknown_endpoint';
      if (number > this._shown) {
        this._shown = number;
        this.set({ ...this._known, gone, trouble: gone ? null : troubleOf(error) });
      }
      throw error;
    }
  }

  /** The endpoint at this revision or a later one: as it is known, or by the first look that sees it so. */
  async at(revision: number): Promise<EndpointView> {
    const known = (): EndpointView | null => {
      const { view } = this._known;
      return view !== null && view.revision >= revision ? view : null;
    };
    const already = known();
    if (already) return already;
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const view = known();
        if (view) resolve(view);
      };
      this._changed.connect(look);
      void this.refresh()
        .then(resolve, reject)
        .finally(() => this._changed.disconnect(look));
    });
  }

  /** The stream said that it is at this revision, or gone (null). */
  told(revision: number | null): void {
    if (this._watchers > 0 && revision !== this._known.view?.revision) void this.quietly();
  }

  dispose(): void {
    if (this._disposed) return;
    this._disposed = true;
    this._watchers = 0;
    clearTimeout(this._timer);
    Signal.clearData(this);
  }

  private async again(): Promise<void> {
    clearTimeout(this._timer);
    if (!document.hidden || this._known.view === null) await this.quietly();
    if (this._watchers > 0) this._timer = window.setTimeout(() => void this.again(), LOOK_EVERY_MS);
  }

  private async quietly(): Promise<void> {
    try {
      await this.refresh();
    } catch {
      // What went wrong is in `known`, and shown above what was seen last.
    }
  }

  private set(known: Known): void {
    if (this._disposed) return;
    this._known = known;
    this._changed.emit();
  }

  private readonly _look: () => Promise<EndpointView>;
  private _known: Known = { view: null, trouble: null, gone: false };
  private _asked = 0;
  private _shown = 0;
  private _watchers = 0;
  private _timer = 0;
  private _disposed = false;
  private readonly _changed = new Signal<this, void>(this);
}
