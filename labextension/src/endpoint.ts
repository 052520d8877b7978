/** One endpoint: its view from the server, and its pending change. */
import { type IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { Changes, type ChangeWorld } from './changes';
import type { EndpointView } from './generated';
import { type Problem, problemOf } from './transport/problem';
import { ProblemError } from './transport/request';

/** Health and counts change without a new revision. */
export const LOOK_EVERY_MS = 2000;

/** The state of an endpoint; `view` stays while requests fail. */
export interface EndpointState {
  readonly view: EndpointView | null;
  readonly problem: Problem | null;
  /** The endpoint was removed. */
  readonly gone: boolean;
}

export class EndpointModel implements IDisposable {
  constructor(
    readonly name: string,
    fetchEndpoint: () => Promise<EndpointView>,
    world: Omit<ChangeWorld, 'fetchEndpoint'>,
    /** Milliseconds between two requests of a watched endpoint; null: `receive` gets the views. */
    private readonly every: number | null = LOOK_EVERY_MS
  ) {
    this._fetch = fetchEndpoint;
    this.changes = new Changes({
      preview: async (verb, given, revision) => world.preview(verb, given, revision),
      run: async (verb, given, revision, step) => world.run(verb, given, revision, step),
      fetchEndpoint: async revision =>
        revision === undefined ? this.refresh() : this.atRevision(revision)
    });
  }

  readonly changes: Changes;

  get state(): EndpointState {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** No widget shows the endpoint, and no change is pending. */
  get isIdle(): boolean {
    return this._watchers === 0 && this.changes.pending === null;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Polls the endpoint until the returned function is called. */
  watch(): () => void {
    this._watchers += 1;
    if (this._watchers === 1 && this.every !== null) void this.poll();
    return () => {
      this._watchers -= 1;
      if (this._watchers === 0) clearTimeout(this._timer);
    };
  }

  /**
   * Requests the view now. Two concurrent calls share the later request, since the earlier one may
   * have begun before a change.
   */
  async refresh(): Promise<EndpointView> {
    const number = ++this._requested;
    try {
      const view = await this._fetch();
      if (number > this._received) {
        this._received = number;
        this.receive(view);
      }
      return view;
    } catch (error) {
      if (number > this._received) {
        this._received = number;
        this.receiveProblem(error);
      }
      throw error;
    }
  }

  /** Shows a view that was requested, or that the transport sent. */
  receive(view: EndpointView): void {
    this.set({ view, problem: null, gone: false });
    this.changes.checkRevision(view);
  }

  /** Shows why there is no newer view. */
  receiveProblem(error: unknown): void {
    const gone = error instanceof ProblemError && error.code === 'unknown_endpoint';
    this.set({ ...this._state, gone, problem: gone ? null : problemOf(error) });
  }

  /** The endpoint at this revision or a later one: the known view, or the first answer with it. */
  async atRevision(revision: number): Promise<EndpointView> {
    const state = (): EndpointView | null => {
      const { view } = this._state;
      return view !== null && view.revision >= revision ? view : null;
    };
    const already = state();
    if (already) return already;
    return new Promise((resolve, reject) => {
      const fetchEndpoint = (): void => {
        const view = state();
        if (view) resolve(view);
      };
      this._changed.connect(fetchEndpoint);
      void this.refresh()
        .then(resolve, reject)
        .finally(() => this._changed.disconnect(fetchEndpoint));
    });
  }

  /** Handles a revision from the stream; null: the endpoint was removed. */
  onRevision(revision: number | null): void {
    if (this.every === null || this._watchers === 0) return;
    if (revision !== this._state.view?.revision) void this.refreshQuietly();
  }

  dispose(): void {
    if (this._disposed) return;
    this._disposed = true;
    this._watchers = 0;
    clearTimeout(this._timer);
    Signal.clearData(this);
  }

  private async poll(): Promise<void> {
    clearTimeout(this._timer);
    if (!document.hidden || this._state.view === null) await this.refreshQuietly();
    if (this._watchers > 0 && this.every !== null) {
      this._timer = window.setTimeout(() => void this.poll(), this.every);
    }
  }

  private async refreshQuietly(): Promise<void> {
    try {
      await this.refresh();
    } catch {
      // The error is in `known`, and is shown above the last view.
    }
  }

  private set(state: EndpointState): void {
    if (this._disposed) return;
    this._state = state;
    this._changed.emit();
  }

  private readonly _fetch: () => Promise<EndpointView>;
  private _state: EndpointState = { view: null, problem: null, gone: false };
  private _requested = 0;
  private _received = 0;
  private _watchers = 0;
  private _timer = 0;
  private _disposed = false;
  private readonly _changed = new Signal<this, void>(this);
}
